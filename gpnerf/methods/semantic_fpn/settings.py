"""The settings of SemanticFPN, which --method semantic_fpn adds as options.

The paper names it as a baseline and gives no sizes: they are those of GP-NeRF's extractor and of the head of
the released code.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpnerf.config.fields import option
from gpnerf.config.types import amount, check_multiple, integers, positive
from gpnerf.networks.extractor import check_blocks
from gpnerf.networks.semantic_fpn import GROUPS


@dataclass(frozen=True)
class Sizes:
    """The shapes of the parameters."""

    # K, from the data.
    classes: int = 0
    encoder_width: int = option(64, "channels of the stem of the ResNet", positive)
    encoder_blocks: tuple[int, ...] = option((3, 4, 6), "blocks of the three stages of the ResNet", integers)
    level_width: int = option(128, "channels of a pyramid level and of the head", positive)

    def __post_init__(self) -> None:
        check_blocks("--encoder_blocks", self.encoder_blocks)
        check_multiple("--level_width", self.level_width, "the head's groups", GROUPS)


@dataclass(frozen=True)
class Function:
    """There are no further settings that change the outputs."""


@dataclass(frozen=True)
class Recipe:
    """Settings that only training reads."""

    weight_semantic: float = option(1.0, "weight of the labels", amount, may_change=True)
    lr_network: float = option(1e-3, "learning rate", amount, may_change=True)
