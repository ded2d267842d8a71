"""The settings of Semantic-NeRF, which --method semantic_nerf adds as options; defaults are as published."""

from __future__ import annotations

from dataclasses import dataclass

from gpnerf.config.fields import option
from gpnerf.config.types import amount
from gpnerf.methods import radiance_field


@dataclass(frozen=True)
class Function(radiance_field.Function):
    """As published, for rooms of up to 10 m."""

    position_scale: float = option(
        10.0, "positions are divided by this before they are encoded, in the units of the poses", amount
    )


@dataclass(frozen=True)
class Recipe(radiance_field.Recipe):
    weight_semantic: float = option(0.04, "weight of the labels", amount, may_change=True)
    density_noise: float = option(
        1.0, "standard deviation of noise on densities in training", amount, may_change=True
    )
