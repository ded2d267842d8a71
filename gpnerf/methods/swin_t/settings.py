"""The settings of the detector with Swin-T, which --method swin_t adds as options.

Defaults are the published sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpnerf.config.fields import option
from gpnerf.config.types import amount, check_multiple, integers, positive
from gpnerf.methods.detector import settings
from gpnerf.methods.detector.settings import STAGES, check_length
from gpnerf.system.errors import ConfigError


@dataclass(frozen=True)
class Sizes(settings.Sizes):
    """The shapes of the parameters; those of Swin-T by default.

    `head_width` changes no shape but that of the position biases.
    """

    trunk_width: int = option(96, "channels of the first stage of the Swin transformer", positive)
    trunk_layers: tuple[int, ...] = option((2, 2, 6, 2), "layers of its four stages", integers)
    head_width: int = option(32, "channels of an attention head", positive)
    window: int = option(7, "side of the windows of its attention, in cells", positive)

    def __post_init__(self) -> None:
        check_length("trunk_layers", self.trunk_layers, STAGES, "2,2,6,2")
        check_multiple("--trunk_width", self.trunk_width, "--head_width", self.head_width)


@dataclass(frozen=True)
class Recipe(settings.Recipe):
    layer_drop: float = option(
        0.2, "probability with which training leaves out the last layer; it rises from 0", amount
    )

    def __post_init__(self) -> None:
        if self.layer_drop >= 1:
            raise ConfigError(f"Expected --layer_drop below 1, found {self.layer_drop:g}; lower it.")
