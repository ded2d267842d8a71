"""Every size, choice and rate of GP-NeRF: the options that --method gpnerf adds, as published."""

from __future__ import annotations

from dataclasses import dataclass

from gpnerf.config.fields import option
from gpnerf.config.types import amount, count, integers, positive, yes_or_no
from gpnerf.datasets.instances import FIXED, MATCHINGS
from gpnerf.geometry.sampling import SPACINGS
from gpnerf.methods.gpnerf.extractor import PYRAMID_LEVELS
from gpnerf.methods.gpnerf.field_transformer import ATTENTION_BOTTLENECK
from gpnerf.methods.gpnerf.perception_head import COMBINATIONS, HEADS, NORMS
from gpnerf.methods.gpnerf.published_head import GROUPS
from gpnerf.system.errors import ConfigError

# What the distillation losses must not train. full: the extractor, as the paper says. features: the extractor
# through semantic features; it still learns through the attention, which sees colour features, as in the
# released code. none: Table 4, ID 3.
GRADIENT_BLOCKS = ("full", "features", "none")
# The fine pass interpolates between the inner coarse samples.
SMALLEST_COARSE = 3


@dataclass(frozen=True)
class Sizes:
    """What decides tensors; heads: weights trained with another number mean something else."""

    # K, from the data; 0: colour and depth alone, as GNT.
    classes: int = 0
    encoder_width: int = option(64, "channels of the ResNet's stem", positive)
    encoder_blocks: tuple[int, ...] = option((3, 4, 6), "blocks of its three stages", integers)
    color_features: int = option(32, "low-level features per view", positive)
    level_width: int = option(128, "D / 4, channels of a pyramid level", positive)
    transformer_width: int = option(64, "C, channels of the transformers", positive)
    layers: int = option(8, "of each transformer", positive)
    heads: int = option(4, "of the Ray Aggregation Transformer", positive)
    frequencies: int = option(10, "of the positional encoding", positive)
    head: str = option("unet", "the paper's, one without context, the released one", choices=HEADS)
    head_combination: str = option("concat", "as the text says, or as Eq. 3 does", choices=COMBINATIONS)
    head_norm: str = option("group", "normalisation in the perception head", choices=NORMS)

    @property
    def semantic_width(self) -> int:
        """D, channels of the semantic features."""
        return PYRAMID_LEVELS * self.level_width

    def __post_init__(self) -> None:
        width = self.transformer_width
        if len(self.encoder_blocks) != 3 or min(self.encoder_blocks) < 1:
            found = ",".join(map(str, self.encoder_blocks))
            raise ConfigError(
                f"Expected --encoder_blocks to be three whole numbers of at least 1, such as 3,4,6, "
                f"found {found}; correct the list."
            )
        _check_multiple("--transformer_width", width, "the bottleneck of its attention", ATTENTION_BOTTLENECK)
        _check_multiple("--transformer_width", width, "--heads", self.heads)
        _check_multiple("4 times --level_width", self.semantic_width, "--transformer_width", width)
        if self.head == "published":
            _check_multiple("--level_width", self.level_width, "the published head's groups", GROUPS)


@dataclass(frozen=True)
class Function:
    """What decides outputs with the same tensors."""

    samples: int = option(48, "per ray in the coarse pass", positive)
    fine_samples: int = option(16, "added in the fine pass; 0: no such pass", count)
    spacing: str = option("inverse", "coarse samples even in 1/z or in z", choices=SPACINGS)

    def __post_init__(self) -> None:
        if self.samples < SMALLEST_COARSE and self.fine_samples:
            raise ConfigError(
                f"Expected --samples of at least {SMALLEST_COARSE}, as the fine pass needs, "
                f"found {self.samples}; raise it, or set --fine_samples 0."
            )


@dataclass(frozen=True)
class Recipe:
    """What training alone reads. Learning rates: Sec. 5.1. Loss weights: the paper gives none, the defaults
    are those of the released code.
    """

    weight_photometric: float = option(0.25, "alpha_1 of Eq. 8; 0 switches a loss off", amount)
    weight_semantic: float = option(1.5, "alpha_2", amount)
    weight_distill: float = option(0.25, "alpha_3", amount)
    weight_depth_guided: float = option(0.25, "alpha_4", amount)
    lr_extractor: float = option(5e-3, "learning rate, pyramid included", amount)
    lr_transformer: float = option(1e-5, "learning rate", amount)
    lr_head: float = option(5e-5, "learning rate of the perception head", amount)
    dropout: float = option(0.1, "in the transformers", amount)
    joint_attention: bool = option(
        True, "no: semantic gradients stop at the attention weights (Table 4 ID 1)", yes_or_no
    )
    gradient_block: str = option(
        "full",
        "distillation does not train the extractor; or only not by semantic features; or does (ID 3)",
        choices=GRADIENT_BLOCKS,
    )
    detach_decoder: bool = option(
        False, "yes: the colour loss never reaches the deepest stage, as in the released code", yes_or_no
    )
    instance_matching: str = option(
        FIXED, "hungarian: for instance ids that do not mean the same in all views", choices=MATCHINGS
    )
    recompute: bool = option(
        True, "yes: less memory: rays are rendered again for the gradient, some at a time", yes_or_no
    )

    def __post_init__(self) -> None:
        if self.dropout >= 1:
            raise ConfigError(f"Expected --dropout below 1, found {self.dropout:g}; lower it.")


def _check_multiple(whole: str, size: int, part: str, divisor: int) -> None:
    if size % divisor:
        raise ConfigError(
            f"Expected {whole} to be a multiple of {part}, found {size} and {divisor}; change one."
        )
