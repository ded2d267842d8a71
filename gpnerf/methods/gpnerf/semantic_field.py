"""The semantic-embedding field: D-wide features weighted by the radiance field's attention (Eqs. 5, 7).

Each of the C weight channels applies to D / C neighbouring semantic channels: weight channel c applies to c
D/C ... (c + 1) D/C - 1. For the weighting, features have the layout [..., D/C, C], so that products run along
contiguous channels.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gpnerf.geometry.projection import Corners, blend


def group_channels(features: Tensor, width: int) -> Tensor:
    """[..., D] -> [..., D / width, width]; channels that share a weight get the same last index."""
    return features.unflatten(-1, (width, -1)).transpose(-1, -2)


def ungroup_channels(features: Tensor) -> Tensor:
    """[..., D / C, C] -> [..., D]: the inverse of group_channels."""
    return features.transpose(-1, -2).flatten(start_dim=-2)


def weigh(
    features: Tensor, joint_weights: Tensor, field_weights: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """The contribution of one view to rays [R, D / C, C] and to points [R, S, D / C, C].

    features: [R, S, D / C, C]. joint_weights: [R, S, C]. field_weights: [R, S, C], or None to leave out the
    points.
    """
    features = features.float()
    by_ray = (features * joint_weights[:, :, None]).sum(dim=1)
    return by_ray, None if field_weights is None else features * field_weights[:, :, None]


def weigh_view(
    view_map: Tensor, around: Corners, joint_weights: Tensor, field_weights: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Interpolates the map of one view at the points [R, S] and weighs it; see `weigh`.

    view_map: [h, w, D], in the layout of group_channels. around: the corners around the points.
    """
    one = Corners(around.indices[None], around.weights[None])
    features = blend(view_map[None], one)[0].unflatten(-1, (-1, joint_weights.shape[-1]))
    return weigh(features, joint_weights, field_weights)


def render_semantics(
    weigh_one: Callable[[int], tuple[Tensor, Tensor | None]], views: int
) -> tuple[Tensor, Tensor | None]:
    """Sums over the V views: Eq. 7 before its MLP, and Eq. 5.

    weigh_one(v): the contribution of view v to rays and points, see `weigh`. Returns the rendered features
    [R, D] and the features of every point [R, S, D], or None if no view contributes any. Views are summed one
    at a time, and computed again for the gradient, so that [V, R, S, D] never exists.
    """
    rendered, points = 0.0, 0.0
    for view in range(views):
        if torch.is_grad_enabled():
            by_ray, by_point = checkpoint(weigh_one, view, use_reentrant=False)
        else:
            by_ray, by_point = weigh_one(view)
        rendered = rendered + by_ray
        points = None if by_point is None else points + by_point
    return ungroup_channels(rendered), None if points is None else ungroup_channels(points)


class Adaptor(nn.Module):
    """The MLP of Eq. 7, one linear layer and a ReLU as published: [R, D] -> [R, D]."""

    def __init__(self, width: int):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, rendered: Tensor) -> Tensor:
        return torch.relu(self.linear(rendered))
