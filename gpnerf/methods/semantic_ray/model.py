"""Semantic-Ray (CVPR 2023): NeuRay with cross-reprojection attention for labels."""

from __future__ import annotations

from gpnerf.methods.neuray_family.model import NeuRayFamily
from gpnerf.networks.neuray.label_branches import CROSS_REPROJECTION


class SemanticRay(NeuRayFamily):
    """Labels come from attention along the ray within each view, then across the views."""

    label_branch = CROSS_REPROJECTION
    visibility = True
    defaults = NeuRayFamily.defaults | {
        "num_rays": 1024,
        "steps": 600_000,
        "decay": "steps",
        "decay_rate": 0.2,
        "decay_steps": 5_000,
        "lowest_rate": 0.05,
        "weight_decay": 1e-5,
        "clip_gradient": 10.0,
    }

    @property
    def paper_row(self) -> str:
        return "Semantic-Ray"
