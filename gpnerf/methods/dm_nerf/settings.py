"""The settings of DM-NeRF, which --method dm_nerf adds as options; defaults are as published."""

from __future__ import annotations

from dataclasses import dataclass

from gpnerf.config.fields import option
from gpnerf.config.types import amount
from gpnerf.datasets.instances import HUNGARIAN, MATCHINGS
from gpnerf.methods import radiance_field
from gpnerf.system.errors import ConfigError


@dataclass(frozen=True)
class Recipe(radiance_field.Recipe):
    """The published code adds all losses without weights."""

    weight_matching: float = option(
        1.0, "weight of the cross-entropy of matched slots", amount, may_change=True
    )
    weight_overlap: float = option(1.0, "weight of 1 - soft IoU of matched slots", amount, may_change=True)
    weight_unmatched: float = option(1.0, "weight of the scores of other slots", amount, may_change=True)
    weight_emptiness: float = option(
        1.0, "weight of the label of empty space along the rays", amount, may_change=True
    )
    surface_distance: float = option(
        0.05, "from this far before the rendered depth on, space is empty, in the units of the poses", amount
    )
    surface_width: float = option(
        0.05, "standard deviation of a surface in the emptiness loss, in the units of the poses", amount
    )
    instance_matching: str = option(
        HUNGARIAN,
        "slots get the objects that suit them best in each step; fixed: by the ids, or for classes",
        choices=MATCHINGS,
    )

    def __post_init__(self) -> None:
        if not self.surface_width:
            raise ConfigError("Expected --surface_width above 0, found 0; leave it out, or increase it.")
