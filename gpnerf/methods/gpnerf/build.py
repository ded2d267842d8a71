"""Every size of the model, once; and the whole assembled from its parts."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from gpnerf.methods.gpnerf.extractor import Extractor
from gpnerf.methods.gpnerf.field_transformer import ATTENTION_BOTTLENECK
from gpnerf.methods.gpnerf.model import GPNeRF
from gpnerf.methods.gpnerf.perception_head import LinearHead, UNetHead
from gpnerf.methods.gpnerf.published_head import GROUPS, SemanticFPNHead
from gpnerf.methods.gpnerf.semantic_field import Adaptor
from gpnerf.methods.gpnerf.transformer import JointTransformer
from gpnerf.system.errors import ConfigError

COLORS = 3
PYRAMID_LEVELS = 4
# The fine pass interpolates between the inner coarse samples.
SMALLEST_COARSE = 3


@dataclass(frozen=True)
class Architecture:
    """What a checkpoint needs to rebuild its model. The defaults are the published sizes."""

    classes: int = 0
    encoder_width: int = 64
    encoder_blocks: tuple[int, ...] = (3, 4, 6)
    color_features: int = 32
    level_width: int = 128
    transformer_width: int = 64
    layers: int = 8
    heads: int = 4
    frequencies: int = 10
    dropout: float = 0.1
    samples: int = 48
    fine_samples: int = 16
    spacing: str = "inverse"
    head: str = "unet"
    head_combination: str = "concat"
    head_norm: str = "group"
    joint_attention: bool = True
    gradient_block: str = "full"
    detach_decoder: bool = False
    recompute: bool = True

    def __post_init__(self) -> None:
        width, semantic_width = self.transformer_width, PYRAMID_LEVELS * self.level_width
        if len(self.encoder_blocks) != 3 or min(self.encoder_blocks) < 1:
            found = ",".join(map(str, self.encoder_blocks))
            raise ConfigError(
                f"Expected --encoder_blocks to be three whole numbers of at least 1, such as 3,4,6, "
                f"found {found}; correct the list."
            )
        if self.samples < SMALLEST_COARSE and self.fine_samples:
            raise ConfigError(
                f"Expected --samples of at least {SMALLEST_COARSE}, as the fine pass needs, "
                f"found {self.samples}; raise it, or set --fine_samples 0."
            )
        _check_multiple("--transformer_width", width, "the bottleneck of its attention", ATTENTION_BOTTLENECK)
        _check_multiple("--transformer_width", width, "--heads", self.heads)
        _check_multiple("4 times --level_width", semantic_width, "--transformer_width", width)
        if self.head == "published":
            _check_multiple("--level_width", self.level_width, "the published head's groups", GROUPS)


def _check_multiple(whole: str, size: int, part: str, divisor: int) -> None:
    if size % divisor:
        raise ConfigError(
            f"Expected {whole} to be a multiple of {part}, found {size} and {divisor}; change one."
        )


def build_head(sizes: Architecture) -> nn.Module:
    """The perception head: the paper's U-Net decoder, no context at all, or the released code's."""
    if sizes.head == "linear":
        return LinearHead(PYRAMID_LEVELS * sizes.level_width, sizes.classes)
    if sizes.head == "published":
        return SemanticFPNHead(sizes.level_width, sizes.classes)
    return UNetHead(sizes.level_width, sizes.classes, sizes.head_combination, sizes.head_norm)


def build_model(sizes: Architecture) -> GPNeRF:
    """A freshly initialised model."""
    stem = sizes.encoder_width
    extractor = Extractor(
        widths=(stem, stem, 2 * stem, 4 * stem),
        blocks=sizes.encoder_blocks,
        color_features=sizes.color_features,
        level_width=sizes.level_width,
        detach_decoder=sizes.detach_decoder,
    )
    transformer = JointTransformer(
        input_width=COLORS + sizes.color_features,
        width=sizes.transformer_width,
        layers=sizes.layers,
        heads=sizes.heads,
        frequencies=sizes.frequencies,
        dropout=sizes.dropout,
        joint_attention=sizes.joint_attention,
    )
    adaptor, head = None, None
    if sizes.classes:
        adaptor = Adaptor(PYRAMID_LEVELS * sizes.level_width)
        head = build_head(sizes)
    return GPNeRF(
        extractor,
        transformer,
        adaptor,
        head,
        classes=sizes.classes,
        samples=sizes.samples,
        fine_samples=sizes.fine_samples,
        spacing=sizes.spacing,
        gradient_block=sizes.gradient_block,
        recompute=sizes.recompute,
    )
