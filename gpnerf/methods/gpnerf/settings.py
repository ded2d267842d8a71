"""The settings of GP-NeRF, which --method gpnerf adds as options; defaults are as published."""

from __future__ import annotations

from dataclasses import dataclass

from gpnerf.config.fields import option
from gpnerf.config.types import amount, check_multiple, count, integers, positive, share, yes_or_no
from gpnerf.datasets.instances import FIXED, MATCHINGS
from gpnerf.geometry.canonical import CAMERA, COORDINATES, WORLD
from gpnerf.geometry.sampling import SMALLEST_COARSE, SPACINGS
from gpnerf.methods.gpnerf.field_transformer import ATTENTION_BOTTLENECK
from gpnerf.methods.gpnerf.perception_head import COMBINATIONS, HEADS, NORMS, UNET
from gpnerf.networks.extractor import PYRAMID_LEVELS, check_blocks
from gpnerf.networks.semantic_fpn import GROUPS
from gpnerf.system.errors import ConfigError

# Where the gradient of the distillation losses stops. full: before the extractor, as in the paper. features:
# only at the semantic features, as in the released code, where the attention still passes it to the extractor
# through the colour features. none: nowhere (Table 4, ID 3).
GRADIENT_BLOCKS = ("full", "features", "none")
RAY_WEIGHTS = MEAN, FIRST_ROW = ("mean", "published")
LAST_PASSES = FINE, ALL = ("fine", "all")
# Sizes of the head alone.
LABEL_SIZES = ("head", "head_combination", "head_norm", "head_shortcut")
# Sizes of parts that start at zero, so that they can be added to weights without them.
ADDABLE_SIZES = ("head_shortcut",)
# Sizes of the queries, which a head may lack.
QUERY_SIZES = ("queries", "query_layers")


@dataclass(frozen=True)
class Sizes:
    """The shapes of the parameters.

    `heads` changes no shape, but parameters trained with one number of heads are useless with another.
    """

    # K, from the data; 0: colour and depth only, as in GNT.
    classes: int = 0
    encoder_width: int = option(64, "channels of the stem of the ResNet", positive)
    encoder_blocks: tuple[int, ...] = option((3, 4, 6), "blocks of the three stages of the ResNet", integers)
    color_features: int = option(32, "colour features per source view", positive)
    level_width: int = option(128, "channels of a pyramid level, D / 4", positive)
    transformer_width: int = option(64, "channels of the transformers, C", positive)
    layers: int = option(8, "layers of each transformer", positive)
    heads: int = option(4, "attention heads of the Ray Aggregation Transformer", positive)
    frequencies: int = option(10, "frequencies of the positional encoding", positive)
    head: str = option(
        UNET,
        "perception head: of the paper, without context, or as released; rays: no semantic field and no "
        "perception head, labels are rendered as colors are (GNT + semantic head)",
        choices=HEADS,
    )
    head_combination: str = option(
        "concat", "joining of U-Net levels, as in the paper's text or as in Eq. 3", choices=COMBINATIONS
    )
    head_norm: str = option("group", "normalisation in the perception head", choices=NORMS)
    head_shortcut: bool = option(
        False,
        "add a linear layer on all features of a cell to the U-Net, which sees most of them at lower "
        "resolutions only",
        yes_or_no,
    )
    queries: int = option(
        0, "queries of the U-Net head, each of which finds one segment of --target panoptic; 0: none", count
    )
    query_layers: int = option(0, "attention layers of the queries", count)

    @property
    def semantic_width(self) -> int:
        """D, channels of the semantic features."""
        return PYRAMID_LEVELS * self.level_width

    def __post_init__(self) -> None:
        width = self.transformer_width
        check_blocks("--encoder_blocks", self.encoder_blocks)
        check_multiple("--transformer_width", width, "the bottleneck of its attention", ATTENTION_BOTTLENECK)
        check_multiple("--transformer_width", width, "--heads", self.heads)
        check_multiple("4 times --level_width", self.semantic_width, "--transformer_width", width)
        if self.queries and self.head != UNET:
            raise ConfigError(
                f"Expected --head {UNET} with --queries, found {self.head}; change one of them, or leave "
                "--queries out."
            )
        if self.queries:
            check_multiple("--level_width", self.level_width, "--heads", self.heads)
        if self.head == "published":
            check_multiple("--level_width", self.level_width, "the published head's groups", GROUPS)


@dataclass(frozen=True)
class Function:
    """Settings that change the outputs but not the shapes of the parameters."""

    samples: int = option(48, "samples per ray in the coarse pass", positive)
    fine_samples: int = option(16, "samples per ray added in the fine pass; 0: no fine pass", count)
    spacing: str = option("inverse", "coarse samples evenly spaced in 1/z or in z", choices=SPACINGS)
    last_pass: str = option(
        FINE,
        "samples of the last pass: the fine ones alone, or the coarse ones too, as published",
        choices=LAST_PASSES,
        before=ALL,
    )
    ray_weights: str = option(
        MEAN,
        "weights that guide the fine samples: mean attention, which also renders depth; or as published",
        choices=RAY_WEIGHTS,
        before=FIRST_ROW,
    )
    coordinates: str = option(
        CAMERA,
        "of points and directions: of the target camera in units of the scene, or of the world, as published",
        choices=COORDINATES,
        before=WORLD,
    )

    def __post_init__(self) -> None:
        if self.samples < SMALLEST_COARSE and self.fine_samples:
            raise ConfigError(
                f"Expected --samples of at least {SMALLEST_COARSE}, which the fine pass needs, "
                f"found {self.samples}; increase it, or set --fine_samples 0."
            )


@dataclass(frozen=True)
class Recipe:
    """Settings that only training reads.

    Learning rates are from Sec. 5.1. The paper gives no loss weights; the defaults are those of the released
    code.
    """

    weight_photometric: float = option(
        0.25, "weight alpha_1 of Eq. 8; 0 switches a loss off", amount, may_change=True
    )
    weight_semantic: float = option(1.5, "weight alpha_2", amount, may_change=True)
    weight_distill: float = option(0.25, "weight alpha_3", amount, may_change=True)
    weight_depth_guided: float = option(0.25, "weight alpha_4", amount, may_change=True)
    weight_depth: float = option(
        0.1,
        "weight of true depth on the ray weights; not in the paper",
        amount,
        may_change=True,
        before=0.0,
    )
    weight_query_class: float = option(
        0.0, "--target panoptic: weight of the classes of the queries", amount, may_change=True
    )
    weight_query_mask: float = option(
        0.0, "likewise: weight of the cross-entropy of their masks", amount, may_change=True
    )
    weight_query_dice: float = option(
        0.0, "likewise: weight of the dice loss of their masks", amount, may_change=True
    )
    guide_distance: int = option(
        4,
        "--last_pass fine: pixels between a ray and that whose coarse pass guides it, at most",
        count,
        before=0,
    )
    rays_per_guide: int = option(4, "--last_pass fine: rays that share a coarse pass", positive, before=1)
    lr_extractor: float = option(5e-3, "learning rate of extractor and pyramid", amount, may_change=True)
    lr_transformer: float = option(1e-5, "learning rate of transformers and adaptor", amount, may_change=True)
    lr_head: float = option(5e-5, "learning rate of the perception head", amount, may_change=True)
    lr_queries: float = option(0.0, "likewise of the queries, for --target panoptic", amount, may_change=True)
    dropout: float = option(0.1, "dropout in the transformers", amount)
    joint_attention: bool = option(
        True, "no: semantic gradients stop at the attention weights (Table 4 ID 1)", yes_or_no
    )
    gradient_block: str = option(
        "full",
        "distillation trains the extractor: not at all, only through the attention, or fully (Table 4 ID 3)",
        choices=GRADIENT_BLOCKS,
    )
    detach_decoder: bool = option(
        False,
        "yes: the gradient of the colour decoder never reaches the deepest stage, as released",
        yes_or_no,
    )
    whole_maps: float = option(
        0.0,
        "share of the steps in which the head also learns from a map rendered in all cells, as at the test, "
        "beside the fused map (Fig. 3a); not in the paper",
        share,
        may_change=True,
    )
    instance_matching: str = option(
        FIXED, "hungarian: for instance ids that mean other objects in other views", choices=MATCHINGS
    )
    recompute: bool = option(
        True,
        "render rays again for the gradient, a few at a time, which takes less memory",
        yes_or_no,
        may_change=True,
    )

    def __post_init__(self) -> None:
        if self.dropout >= 1:
            raise ConfigError(f"Expected --dropout below 1, found {self.dropout:g}; lower it.")
