"""The settings that NeuRay and Semantic-Ray share; defaults are as published."""

from __future__ import annotations

from dataclasses import dataclass

from gpnerf.config.fields import option
from gpnerf.config.types import amount, check_multiple, count, integers, positive, yes_or_no
from gpnerf.networks.extractor import check_blocks
from gpnerf.system.errors import ConfigError

# Some layers have half or a quarter of the channels of others.
QUARTERS = 4
# The fine samples are drawn from the cells between coarse ones.
FEWEST_SAMPLES = 2


@dataclass(frozen=True)
class Sizes:
    """The shapes of the parameters."""

    # K, from the data; 0: colour and depth only.
    classes: int = 0
    encoder_width: int = option(16, "channels of the stem of the image encoder", positive)
    encoder_blocks: tuple[int, ...] = option((1, 2, 6), "blocks of its three stages", integers)
    image_features: int = option(32, "image features per source view", positive)
    ray_features: int = option(
        32, "features per source ray, which tell where it ends; a multiple of 4", positive
    )
    depth_init: bool = option(
        True, "features of source rays start from depth maps; no: from photographs alone", yes_or_no
    )
    depth_width: int = option(32, "channels of the stem of the network over depth maps", positive)
    depth_blocks: tuple[int, ...] = option((2, 2, 2), "blocks of its three stages", integers)
    aggregation_width: int = option(32, "features per view and sample while views are joined", positive)
    heads: int = option(4, "attention heads along rays and across views", positive)

    def __post_init__(self) -> None:
        check_blocks("--encoder_blocks", self.encoder_blocks)
        check_blocks("--depth_blocks", self.depth_blocks)
        check_multiple("--ray_features", self.ray_features, "the smallest share of it in a layer", QUARTERS)
        check_multiple(
            "--aggregation_width", self.aggregation_width, "the smallest share of it in a layer", QUARTERS
        )
        check_multiple("half of --aggregation_width", self.aggregation_width // 2, "--heads", self.heads)


@dataclass(frozen=True)
class Function:
    """Settings that change the outputs but not the shapes of the parameters."""

    samples: int = option(64, "samples per ray in the coarse pass, even in 1/z", positive)
    fine_samples: int = option(64, "samples per ray in the fine pass, which has no others", positive)

    def __post_init__(self) -> None:
        if self.samples < FEWEST_SAMPLES:
            raise ConfigError(
                f"Expected --samples of at least {FEWEST_SAMPLES}, between which the fine ones lie, found "
                f"{self.samples}; increase it."
            )


@dataclass(frozen=True)
class Recipe:
    """Settings that only training reads."""

    weight_photometric: float = option(
        0.75, "weight of the squared error of colours", amount, may_change=True
    )
    weight_semantic: float = option(0.25, "weight of the cross-entropy of labels", amount, may_change=True)
    lr_network: float = option(1e-3, "learning rate", amount, may_change=True)
    seen_samples: int = option(
        8,
        "a ray trains colours if three source views see more of its coarse samples",
        count,
    )
