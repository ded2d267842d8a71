"""Aggregation of what source views show of the samples of rays: density, colour and labels (IBRNet, NeuRay).

IBRNet weighs views by their directions alone. NeuRay adds from where on source rays are occluded, and
Semantic-Ray a label branch.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gpnerf.networks.extractor import COLORS
from gpnerf.networks.neuray.hit_probability import Hits
from gpnerf.networks.neuray.label_branches import build_label_branch
from gpnerf.networks.neuray.layers import (
    Elu,
    SelfAttention,
    moments,
    perceptron,
    positions,
    seen_by_several,
    shares,
    start_small,
)
from gpnerf.networks.neuray.source_samples import SourceSamples

# Difference of two unit vectors, and their cosine.
DIRECTION = 4
# Start of the learned sharpness of the weights by direction.
SHARPNESS = 0.2
# Logit of a view that does not see a sample.
UNSEEN = -1e9


class Widths(NamedTuple):
    """Channels: image features, ray features (0: without hits, as in IBRNet) and inside; attention heads."""

    features: int
    ray_features: int
    inside: int
    heads: int


class Aggregated(NamedTuple):
    """Samples [R, S]: density of at least 0 [R, S], colour [R, S, 3], logits [R, S, L] or None."""

    densities: Tensor
    colors: Tensor
    logits: Tensor | None


class Aggregation(nn.Module):
    """Joins V source views at each sample, then the samples of each ray.

    anti_alias: without hits, views weigh more the more their directions resemble that of the ray.
    """

    def __init__(self, widths: Widths, branch: str, outputs: int, anti_alias: bool = False):
        """branch: how labels are rendered, see label_branches.py. outputs: number of logits, L."""
        super().__init__()
        whole, half, quarter = widths.inside, widths.inside // 2, widths.inside // 4
        image = COLORS + widths.features
        hit = whole if widths.ray_features else 0
        # Mean and variance over the views, by one kind of weights or by two.
        common = 2 * image * (2 if hit else 1)
        self.direction = perceptron(DIRECTION, half, image, last=Elu())
        self.base = perceptron(common + image + hit, 2 * whole, whole, last=Elu())
        self.visibility = perceptron(whole, whole, whole + 1, last=Elu())
        self.weight = perceptron(whole, whole, 1, last=nn.Sigmoid())
        self.geometry = perceptron(2 * whole + 1, 2 * whole, half, last=Elu())
        self.ray_attention = SelfAttention(half, widths.heads, half // widths.heads)
        self.density = perceptron(half, half, 1, last=nn.ReLU())
        self.blend = perceptron(whole + 1 + DIRECTION, half, quarter, 1)
        small = [self.base, self.visibility, self.weight, self.geometry, self.blend]
        self.hit: nn.Module | None = None
        if hit:
            self.hit = perceptron(widths.ray_features + len(Hits._fields), hit, hit, kind=nn.ReLU)
            self.hit_weight = perceptron(hit, quarter, 1, last=nn.Sigmoid())
            small.append(self.hit_weight)
        self.sharpness = nn.Parameter(torch.tensor(SHARPNESS)) if anti_alias else None
        for network in small:
            start_small(network)
        self.labels = build_label_branch(branch, whole, half, widths.heads, outputs)

    def forward(self, views: SourceSamples, hits: Hits | None = None, labels: bool = False) -> Aggregated:
        """hits: of the samples, 0 where a view sees nothing. labels: the logits are wanted too."""
        shares_of_views = self._shares_of_views(views)
        joined = self._joined(views, shares_of_views, hits)
        inside, weights = self._weighed(joined, shares_of_views, views.seen[..., None])
        points = self._along_rays(inside, shares(weights), views.seen)
        hidden = self.density[:2](points)
        densities = self.density[2:](hidden)[..., 0] * views.seen.any(dim=0)
        blend = self._blend(inside, weights, views)
        logits = self.labels(joined, points, hidden, views.seen, blend).float() if labels else None
        return Aggregated(densities.float(), (blend * views.colors).sum(dim=0), logits)

    def _shares_of_views(self, views: SourceSamples) -> Tensor:
        """The first weights of the views [V, R, S, 1]: equal ones, or by direction."""
        seen = views.seen[..., None].float()
        if self.sharpness is None:
            return shares(seen)
        likeness = (self.sharpness.abs() * (views.directions[..., -1:] - 1.0)).exp()
        return shares((likeness - likeness.amin(dim=0)) * seen)

    def _joined(self, views: SourceSamples, shares_of_views: Tensor, hits: Hits | None) -> Tensor:
        """Features of each view that know of the others [V, R, S, C]."""
        own = torch.cat([views.colors, views.features], dim=-1) + self.direction(views.directions)
        if self.hit is None:
            return self._with_common(moments(own, shares_of_views), own)
        signed = [2.0 * one[..., None] - 1.0 for one in (hits.probability, hits.visibility)]
        hit = self.hit(torch.cat([views.ray_features, *signed], dim=-1))
        by_hit = self.hit_weight(hit) * shares_of_views
        common = torch.cat([moments(own, by_hit), moments(own, shares_of_views)], dim=-1)
        return self._with_common(common, torch.cat([own, hit], dim=-1))

    def _with_common(self, common: Tensor, own: Tensor) -> Tensor:
        """Applies `base` to what is common to all views [R, S, M] and their own [V, R, S, N]."""
        first, columns = self.base[0], common.shape[-1]
        # The part that all views share is computed once, not V times.
        shared = F.linear(common, first.weight[:, :columns])
        return self.base[1:](F.linear(own, first.weight[:, columns:], first.bias) + shared)

    def _weighed(self, joined: Tensor, shares_of_views: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Features [V, R, S, C] and weights [V, R, S, 1], which depend on what the views see."""
        found = self.visibility(shares_of_views * joined)
        inside = joined + found[..., :-1]
        return inside, self.weight(found[..., -1:].sigmoid() * seen * inside) * seen

    def _along_rays(self, inside: Tensor, weights: Tensor, seen: Tensor) -> Tensor:
        """Features of the samples [R, S, C / 2], which know of the others on their ray."""
        points = self.geometry(torch.cat([moments(inside, weights), weights.mean(dim=0)], dim=-1))
        coded = points + positions(*points.shape[1:], points.device)
        return self.ray_attention(coded, seen_by_several(seen))

    def _blend(self, inside: Tensor, weights: Tensor, views: SourceSamples) -> Tensor:
        """Shares of the views in the colour of each sample [V, R, S, 1]; equal ones where none sees it."""
        logits = self.blend(torch.cat([inside, weights, views.directions], dim=-1)).float()
        return logits.masked_fill(~views.seen[..., None], UNSEEN).softmax(dim=0)
