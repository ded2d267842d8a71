"""The settings of Mask R-CNN, which --method mask_rcnn adds as options; defaults are the published sizes."""

from __future__ import annotations

from dataclasses import dataclass

from gpnerf.config.fields import option
from gpnerf.config.types import integers, positive
from gpnerf.methods.detector import settings
from gpnerf.methods.detector.settings import STAGES, check_length

# group: of each image, as a step has few; frozen: the statistics of published weights.
NORMS = GROUP, FROZEN = ("group", "frozen")


@dataclass(frozen=True)
class Sizes(settings.Sizes):
    """The shapes of the parameters; those of ResNet-50 by default."""

    trunk_blocks: tuple[int, ...] = option((3, 4, 6, 3), "blocks of the four stages of the ResNet", integers)
    trunk_width: int = option(64, "channels of the 3x3 convolutions of its first stage", positive)
    trunk_norm: str = option(
        GROUP, "normalisation in the ResNet: group norm, or the fixed one of published weights", choices=NORMS
    )

    def __post_init__(self) -> None:
        check_length("trunk_blocks", self.trunk_blocks, STAGES, "3,4,6,3")
