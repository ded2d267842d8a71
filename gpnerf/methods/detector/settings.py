"""The settings that the detectors share; the defaults are the published ones of Mask R-CNN with an FPN.

Nobody published how the detectors of Table 2 were trained. The learning rate is ours, for Adam.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gpnerf.config.fields import option
from gpnerf.config.types import amount, integers, positive
from gpnerf.system.errors import ConfigError

# Stages of the trunk, and maps of the pyramid, which has one more, of half the size of the coarsest.
STAGES, LEVELS = 4, 5


def check_length(name: str, values: Sequence[int], count: int, example: str) -> None:
    """Raises ConfigError unless an option has this number of whole numbers, all of at least 1."""
    if len(values) != count or min(values) < 1:
        raise ConfigError(
            f"Expected --{name} to be {count} whole numbers of at least 1, such as {example}, found "
            f"{','.join(map(str, values))}; correct the list."
        )


@dataclass(frozen=True)
class Sizes:
    """The shapes of the parameters behind the trunk."""

    # K, the objects of the scene.
    classes: int = 0
    pyramid_width: int = option(256, "channels of the feature pyramid", positive)
    box_width: int = option(1024, "channels of the head that classifies and refines boxes", positive)
    mask_width: int = option(256, "channels of the head that draws masks", positive)
    mask_layers: int = option(4, "convolutions of the head that draws masks", positive)


@dataclass(frozen=True)
class Function:
    """Settings that change the outputs but not the shapes of the parameters."""

    min_size: int = option(800, "photographs are resized to this shorter side, pixels", positive)
    max_size: int = option(1333, "or to this longer side, if that makes them smaller, pixels", positive)
    anchor_sizes: tuple[int, ...] = option(
        (32, 64, 128, 256, 512), "side of the boxes that each pyramid level begins with, pixels", integers
    )
    proposals: int = option(1000, "boxes of a photograph that are classified", positive)
    detections: int = option(100, "most objects in a photograph", positive)
    score_threshold: float = option(0.05, "lowest score of an object", amount)
    mask_threshold: float = option(0.5, "an object covers the pixels of at least this probability", amount)

    def __post_init__(self) -> None:
        check_length("anchor_sizes", self.anchor_sizes, LEVELS, "32,64,128,256,512")
        if self.max_size < self.min_size:
            raise ConfigError(
                f"Expected --max_size of at least --min_size, found {self.max_size} and {self.min_size}; "
                "change one."
            )


@dataclass(frozen=True)
class Recipe:
    """Settings that only training reads. The published losses have no weights."""

    weight_objectness: float = option(
        1.0, "weight of whether a proposed box holds an object", amount, may_change=True
    )
    weight_proposals: float = option(1.0, "weight of the place of proposed boxes", amount, may_change=True)
    weight_classes: float = option(1.0, "weight of the objects' ids", amount, may_change=True)
    weight_boxes: float = option(1.0, "weight of the place of the objects' boxes", amount, may_change=True)
    weight_masks: float = option(1.0, "weight of the objects' masks", amount, may_change=True)
    train_proposals: int = option(2000, "boxes of a photograph from which training draws", positive)
    anchor_samples: int = option(256, "boxes whose objectness a step trains", positive)
    box_samples: int = option(512, "proposed boxes that a step classifies", positive)
    lr_network: float = option(1e-4, "learning rate", amount, may_change=True)
