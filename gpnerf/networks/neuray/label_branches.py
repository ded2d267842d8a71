"""From features of samples to logits: a head, or Semantic-Ray's cross-reprojection attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gpnerf.networks.neuray.layers import SelfAttention, perceptron, positions, seen_by_several

BRANCHES = NONE, HEAD, CROSS_REPROJECTION = ("none", "head", "cross-reprojection")


def build_label_branch(kind: str, whole: int, half: int, heads: int, outputs: int) -> nn.Module | None:
    """A branch of a kind. whole, half: channels of a view and of a sample; outputs: number of logits."""
    if kind == NONE:
        return None
    if kind == HEAD:
        return Head(half, outputs)
    return CrossReprojection(whole, half, heads, outputs)


class Head(nn.Module):
    """Logits of every sample from its own features, after the attention along the ray."""

    def __init__(self, half: int, outputs: int):
        super().__init__()
        self.layers = perceptron(half, half, outputs, kind=nn.ReLU)

    def forward(self, views: Tensor, points: Tensor, hidden: Tensor, seen: Tensor, blend: Tensor) -> Tensor:
        """See CrossReprojection.forward."""
        return self.layers(points)


class CrossReprojection(nn.Module):
    """Attention along the ray within each view, then across the views at each sample (Semantic-Ray)."""

    def __init__(self, whole: int, half: int, heads: int, outputs: int):
        super().__init__()
        self.along_ray = SelfAttention(whole, heads, half // heads)
        self.across_views = SelfAttention(whole, heads, half // heads)
        self.point = nn.Linear(half, half)
        self.out = nn.Linear(2 * half + whole, outputs)

    def forward(self, views: Tensor, points: Tensor, hidden: Tensor, seen: Tensor, blend: Tensor) -> Tensor:
        """Logits [R, S, L].

        views: features of the views [V, R, S, C]. points: of the samples [R, S, C / 2]. hidden: the same,
        inside the density network. seen: bool [V, R, S]. blend: [V, R, S, 1], shares of the views.
        """
        several = seen_by_several(seen).expand_as(seen)
        views = self.along_ray(views + positions(*views.shape[2:], views.device), several)
        views = self.across_views(views.movedim(0, -2), seen.movedim(0, -1)).movedim(-2, 0)
        # The layer after the blending equals the blending of its outputs, as the shares sum to 1.
        blended = (blend * views).sum(dim=0)
        return self.out(torch.cat([self.point(points), hidden, blended], dim=-1))
