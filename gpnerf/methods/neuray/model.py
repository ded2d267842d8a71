"""NeuRay (CVPR 2022) with a semantic head, as Semantic-Ray and GP-NeRF compare with it."""

from __future__ import annotations

from dataclasses import dataclass

from gpnerf.config.fields import option
from gpnerf.config.types import amount
from gpnerf.methods.neuray_family import settings
from gpnerf.methods.neuray_family.model import NeuRayFamily
from gpnerf.networks.neuray.label_branches import HEAD


@dataclass(frozen=True)
class Recipe(settings.Recipe):
    """Settings that only training reads."""

    lr_network: float = option(4e-4, "learning rate", amount, may_change=True)


class NeuRay(NeuRayFamily):
    """Labels come from each sample by itself; nobody published how the compared head looked inside."""

    Recipe = Recipe
    label_branch = HEAD
    visibility = False
    defaults = NeuRayFamily.defaults | {
        "num_rays": 512,
        "steps": 400_000,
        "decay": "steps",
        "decay_rate": 0.5,
        "decay_steps": 100_000,
        "lowest_rate": 0.025,
    }

    @property
    def paper_row(self) -> str:
        return "NeuRay + Semantic Head" if self.has_classes else "NeuRay"
