"""Semantic-NeRF (Zhi et al., ICCV 2021): a NeRF that renders class logits with the weights of its colours."""

from __future__ import annotations

from torch import Tensor, nn

from gpnerf.datasets.scene import Frame
from gpnerf.geometry.compositing import composite
from gpnerf.geometry.rays import Rays
from gpnerf.methods.method import RayPass
from gpnerf.methods.radiance_field import RadianceField
from gpnerf.methods.semantic_nerf.settings import Function, Recipe
from gpnerf.metrics.semantic import semantic_loss
from gpnerf.networks.radiance_mlp import SemanticBranch


class SemanticNeRF(RadianceField):
    """Classes do not depend on the direction, and their loss also trains the density.

    The classes are those of the data; as published, they were those that occur in the scene.
    """

    Function, Recipe = Function, Recipe
    defaults = {"num_rays": 1024, "steps": 200_000, "decay_rate": 0.1, "decay_steps": 250_000}

    @property
    def paper_row(self) -> str:
        return "Semantic-NeRF"

    def label_branch(self) -> nn.Module:
        return SemanticBranch(self.sizes.mlp_width, self.sizes.classes)

    def ray_labels(self, weights: Tensor, labels: Tensor) -> Tensor:
        """The logits of the rays; the probabilities are their softmax."""
        return composite(weights, labels)

    def true_labels(self, target: Frame) -> Tensor | None:
        return target.semantic

    def label_losses(self, passes: list[RayPass], rays: Rays, labels: Tensor) -> dict[str, Tensor]:
        return {"semantic": sum(semantic_loss(one.semantic.T, labels) for one in passes)}
