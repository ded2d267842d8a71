"""The settings of MVSNeRF, which --method mvsnerf adds as options; defaults are as published."""

from __future__ import annotations

from dataclasses import dataclass

from gpnerf.config.fields import option
from gpnerf.config.types import amount, check_multiple, count, positive, yes_or_no
from gpnerf.methods.mvsnerf.networks import FEWEST_PLANES, STEP
from gpnerf.system.errors import ConfigError

# The encoded position joins before the last layer, and must enter the first.
FEWEST_LAYERS = 2


@dataclass(frozen=True)
class Sizes:
    """The shapes of the parameters, and of the volume, which a finetuned model has among them.

    scene_size: height and width of the photographs from which the volume of the scene was made; () in a model
    that computes the volume of every set of source views.
    """

    # K, from the data; 0: colour and depth only.
    classes: int = 0
    encoder_width: int = option(
        8, "channels of the feature network at full size; four times as many where it ends", positive
    )
    volume_width: int = option(
        8, "channels of the volume; eight times as many in the depth of its network", positive
    )
    planes: int = option(128, "depth planes of the volume; a multiple of 8", positive)
    margin: int = option(
        24, "cells of the volume beyond each side of the first source view; one cell is 4 pixels", count
    )
    mlp_width: int = option(128, "channels of the MLP", positive)
    mlp_layers: int = option(6, "layers of the MLP", positive)
    frequencies: int = option(10, "frequencies of the encoding of positions", positive)
    scene_size: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_multiple("--planes", self.planes, "what the network over the volume divides by", STEP)
        if self.planes < FEWEST_PLANES:
            raise ConfigError(
                f"Expected --planes of at least {FEWEST_PLANES}, found {self.planes}; increase it."
            )
        if self.mlp_layers < FEWEST_LAYERS:
            raise ConfigError(
                f"Expected --mlp_layers of at least {FEWEST_LAYERS}, found {self.mlp_layers}; increase it."
            )


@dataclass(frozen=True)
class Function:
    """Settings that change the outputs but not the shapes of the parameters."""

    samples: int = option(128, "samples per ray, evenly spaced in z", positive)


@dataclass(frozen=True)
class Recipe:
    """Settings that only training reads."""

    weight_photometric: float = option(
        0.75, "weight of the squared error of colours", amount, may_change=True
    )
    weight_semantic: float = option(0.25, "weight of the cross-entropy of labels", amount, may_change=True)
    lr_network: float = option(5e-4, "learning rate", amount, may_change=True)
    tune_volume: bool = option(
        False,
        "finetuning on one scene: its volume is computed once, from three of its views, and is trained with "
        "the MLP in place of the networks that made it",
        yes_or_no,
    )
