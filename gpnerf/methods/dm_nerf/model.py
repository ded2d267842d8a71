"""DM-NeRF (Wang et al., ICLR 2023): a NeRF whose every place belongs to one of N objects, or is empty."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gpnerf.datasets.instances import HUNGARIAN
from gpnerf.datasets.labels import IGNORE
from gpnerf.datasets.options import INSTANCE
from gpnerf.datasets.scene import Frame
from gpnerf.geometry.compositing import composite
from gpnerf.geometry.rays import Rays
from gpnerf.methods.dm_nerf.losses import emptiness_loss, set_losses
from gpnerf.methods.dm_nerf.settings import Recipe
from gpnerf.methods.method import Labels, RayPass
from gpnerf.methods.radiance_field import RadianceField
from gpnerf.metrics.instance import assign_slots
from gpnerf.networks.radiance_mlp import InstanceBranch

# The last raw score says that a place is empty.
EMPTY = 1


class DMNeRF(RadianceField):
    """Labels are scores of slots, which objects get by matching; colours alone train the density.

    The depth range is that of the data, where the published one begins at the camera, at depth 0.
    """

    Recipe = Recipe
    position_first = False
    defaults = {
        "num_rays": 3072,
        "steps": 500_000,
        "decay_rate": 0.1,
        "decay_steps": 500_000,
        "target": INSTANCE,
    }

    @property
    def paper_row(self) -> str:
        return "DM-NeRF"

    def label_branch(self) -> nn.Module:
        return InstanceBranch(self.sizes.mlp_width, self.sizes.classes + EMPTY)

    def ray_labels(self, weights: Tensor, labels: Tensor) -> Tensor:
        """The scores of the rays in [0, 1], without that of empty space; they are no distribution."""
        return composite(weights.detach(), labels)[..., :-EMPTY].sigmoid()

    def labels(self, label_map: Tensor, height: int, width: int) -> Labels:
        """Scores [N, height, width] -> the slots with the largest ones, and these scores."""
        confidence, slots = label_map.max(dim=0)
        return Labels(slots, confidence)

    def true_labels(self, target: Frame) -> Tensor | None:
        return target.instance if self.recipe.instance_matching == HUNGARIAN else target.semantic

    def label_losses(self, passes: list[RayPass], rays: Rays, labels: Tensor) -> dict[str, Tensor]:
        """The sums over both passes."""
        found = [self._pass_losses(one, rays, labels) for one in passes]
        return {name: torch.stack([one[name] for one in found]).sum() for name in found[0]}

    def _pass_losses(self, rendered: RayPass, rays: Rays, labels: Tensor) -> dict[str, Tensor]:
        labelled = labels != IGNORE
        scores, slots = rendered.semantic[labelled], labels[labelled]
        if self.recipe.instance_matching == HUNGARIAN:
            slots = assign_slots(scores.T, slots)
        empty = emptiness_loss(
            rendered.point_semantics,
            rendered.depths,
            rendered.depth,
            rays.directions,
            self.recipe.surface_distance,
            self.recipe.surface_width,
        )
        return {**set_losses(scores, slots)._asdict(), "emptiness": empty}
