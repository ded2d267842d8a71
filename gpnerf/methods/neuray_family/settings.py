"""The settings that NeuRay and Semantic-Ray share; defaults are as published."""

from __future__ import annotations

from dataclasses import dataclass

from gpnerf.config.fields import option
from gpnerf.config.types import amount, count, integers, positive, yes_or_no
from gpnerf.system.errors import ConfigError

STAGES = 3
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
        for name in ("encoder_blocks", "depth_blocks"):
            blocks = getattr(self, name)
            if len(blocks) != STAGES or min(blocks) < 1:
                raise ConfigError(
                    f"Expected --{name} to be three whole numbers of at least 1, such as 2,2,2, found "
                    f"{','.join(map(str, blocks))}; correct the list."
                )
        _check_multiple("--ray_features", self.ray_features, "4", 4)
        _check_multiple("--aggregation_width", self.aggregation_width, "4", 4)
        _check_multiple("half of --aggregation_width", self.aggregation_width // 2, "--heads", self.heads)


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
        8, "colours are learned from rays of which more coarse samples than these are seen", count
    )
    seen_by: int = option(2, "by more source views than these", count)


def _check_multiple(whole: str, size: int, part: str, divisor: int) -> None:
    if size % divisor:
        raise ConfigError(
            f"Expected {whole} to be a multiple of {part}, found {size}"
            f"{'' if part == str(divisor) else f' and {divisor}'}; change it."
        )
