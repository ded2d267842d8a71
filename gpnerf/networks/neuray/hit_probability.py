"""Where source rays end: a distribution of the hit depth, decoded from the feature of a source ray (NeuRay).

Depths are normalised inverse depths: 0 at near, 1 at far.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from gpnerf.networks.neuray.layers import perceptron

# Logistic distributions in a mixture.
COMPONENTS = 2
SMALLEST_SCALE = 0.05
SMALLEST_DEPTH = 1e-5
# Length of the cell of the last sample of a ray: endless.
ENDLESS = 1e6


class Hits(NamedTuple):
    """Of samples [V, R, S] in V views: that a source ray reaches the sample, and that it ends in its cell."""

    visibility: Tensor
    probability: Tensor


class HitMixture(NamedTuple):
    """Mixtures of two logistic distributions: means and scales [..., 2], share of the first [..., 1].

    visible: [..., 1], the probability that the ray hits anything that counts, None for certainty.
    """

    means: Tensor
    scales: Tensor
    share: Tensor
    visible: Tensor | None

    def cumulative(self, depths: Tensor) -> Tensor:
        """The probabilities [..., 2] that rays end before depths [...], by component."""
        below = 0.5 + 0.5 * ((depths[..., None] - self.means) * self.scales).tanh()
        return below if self.visible is None else below * self.visible

    def mixed(self, components: Tensor) -> Tensor:
        """The mixture [...] of values of the components [..., 2]."""
        return (components * torch.cat([self.share, 1.0 - self.share], dim=-1)).sum(dim=-1)


class HitDecoder(nn.Module):
    """Features of source rays -> their mixtures -> the hits of samples."""

    def __init__(self, width: int, visibility: bool):
        """width: channels of a ray feature. visibility: rays may end nowhere, as in Semantic-Ray."""
        super().__init__()
        self.means = perceptron(width, width, width, COMPONENTS, last=nn.Softplus())
        self.scales = perceptron(width, width, width, COMPONENTS, last=nn.Softplus())
        self.share = perceptron(width, width, width, 1, last=nn.Sigmoid())
        self.visible: nn.Module | None = None
        if visibility:
            self.visible = perceptron(width, width, width, 1, last=nn.Sigmoid())

    def decode(self, ray_features: Tensor) -> HitMixture:
        """Ray features [..., G] -> mixtures [...]."""
        return HitMixture(
            self.means(ray_features).float(),
            self.scales(ray_features).float() + SMALLEST_SCALE,
            self.share(ray_features).float(),
            None if self.visible is None else self.visible(ray_features).float(),
        )

    def forward(self, ray_features: Tensor, near_side: Tensor, far_side: Tensor) -> Hits:
        """The hits of samples [V, R, S] with ray features [V, R, S, G] in cells between two depths."""
        mixture = self.decode(ray_features)
        before, until = mixture.cumulative(near_side), mixture.cumulative(far_side)
        return Hits(mixture.mixed(1.0 - before), mixture.mixed(until - before))


def normalized(depths: Tensor, near: float, far: float) -> Tensor:
    """Depths as normalised inverse depths, not clamped to 0..1; depths below 1e-5 count as 1e-5."""
    return (1.0 / near - 1.0 / depths.clamp(min=SMALLEST_DEPTH)) / (1.0 / near - 1.0 / far)


def cells(source_depths: Tensor, depths: Tensor, near: float, far: float) -> tuple[Tensor, Tensor]:
    """Near and far side [V, R, S] of the samples' cells in each source view, normalised.

    source_depths: [V, R, S], of the samples in the source views. depths: [R, S], on their own rays, whose
    spacings are the lengths of the cells.
    """
    along = normalized(depths, near, far)
    gaps = along[:, 1:] - along[:, :-1]
    before = torch.cat([gaps[:, :1], gaps], dim=1)
    after = torch.cat([gaps, torch.full_like(along[:, :1], ENDLESS)], dim=1)
    centers = normalized(source_depths, near, far)
    return centers - 0.5 * before, centers + 0.5 * after
