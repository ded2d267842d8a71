"""Field Aggregation Transformer: source views -> fields at a point (Eqs. 4 and 5).

P stands for the points [R, S], V for the source views, C for the transformer width. Views are the first
dimension, [V, P, C], so that the features of one view are contiguous and sums over views run along whole
rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gpnerf.methods.gpnerf.linear import of_views

# Logit of a view that does not see a point. If no view sees the point, all views get equal weights.
UNSEEN = -1e9

# The MLP of the logits is this many times narrower than the transformer, as published.
ATTENTION_BOTTLENECK = 8


class FeedForward(nn.Module):
    """x + W2 relu(W1 norm(x)) with dropout: the second half of every transformer layer."""

    def __init__(self, width: int, dropout: float, epsilon: float = 1e-6):
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=epsilon)
        self.expand = nn.Linear(width, 4 * width)
        self.reduce = nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor) -> Tensor:
        hidden = self.dropout(F.relu(self.expand(self.norm(features))))
        return features + self.dropout(self.reduce(hidden))


class FieldAggregationLayer(nn.Module):
    """One layer of FAT(.), Eq. 4: the feature of a point attends to the features of the source views.

    It is subtraction attention with one weight per view *and channel*. Let x be the features of the views, n
    the normalised query, and d the direction differences:
        k = Wk x,  value = Wv k,  position = P2 relu(P1 d),
        weights = softmax over views of B2 relu(B1 (k - Wq n + position)),
        output = Wo sum over views of weights * (value + position).
    B1 and Wv distribute over the sums. `merge` therefore forms the small products Wv Wk, B1 Wk, B1 Wq and B1
    P2 once, and the C-wide k of every view is never formed. The bias of B2 is the same for all views and
    cancels in the softmax.
    """

    def __init__(self, width: int, dropout: float, epsilon: float = 1e-6):
        super().__init__()
        bottleneck = width // ATTENTION_BOTTLENECK
        self.norm = nn.LayerNorm(width, eps=epsilon)
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.position = nn.Sequential(nn.Linear(4, bottleneck), nn.ReLU(), nn.Linear(bottleneck, width))
        self.weigh = nn.Sequential(nn.Linear(width, bottleneck), nn.ReLU(), nn.Linear(bottleneck, width))
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.feed_forward = FeedForward(width, dropout, epsilon)

    def forward(
        self, query: Tensor, views: Tensor, difference: Tensor, unseen: Tensor, merged: Merged
    ) -> tuple[Tensor, Tensor]:
        """query [P, C], views [V, P, C], difference [V, P, 4], unseen bool [V, P, 1], merged: of this layer.

        Returns the new query [P, C] and the weights A_FAT [V, P, C], which sum to 1 over the views.
        """
        first = self.position[0]
        position = F.relu(of_views(difference, first.weight, first.bias)).to(views.dtype)
        # A single product computes the values and the hidden logits of views and positions.
        both = of_views(torch.cat([views, position], dim=-1), merged.of_view, merged.bias)
        values, hidden = both.split([query.shape[-1], len(merged.of_query)], dim=-1)
        hidden = F.relu(hidden - F.linear(self.norm(query), merged.of_query))
        logits = of_views(hidden, self.weigh[2].weight).float().masked_fill_(unseen, UNSEEN)
        weights = self.dropout(torch.softmax(logits, dim=0)).to(values.dtype)
        aggregated = (weights * values).sum(dim=0)
        query = query + self.dropout(self.out(aggregated))
        return self.feed_forward(query), weights


class Merged(NamedTuple):
    """Products of the parameters of a field layer.

    of_view: [C + C/8, C + C/8], applied to the features of a view concatenated with its position relu(P1 d);
    its outputs are the values and then the hidden logits. bias: [C + C/8], added to both. of_query: [C/8, C],
    applied to the normalised query.
    """

    of_view: Tensor
    bias: Tensor
    of_query: Tensor


def merge(layers: Sequence[FieldAggregationLayer]) -> list[Merged]:
    """Computes the products of all layers in one batch, in full precision."""

    def stacked(name: str) -> Tensor:
        return torch.stack([layer.get_parameter(name) for layer in layers])

    key, first, spread = (stacked(name) for name in ("key.weight", "weigh.0.weight", "position.2.weight"))
    shift = stacked("position.2.bias")
    with torch.autocast(key.device.type, enabled=False):
        of_view = torch.cat([stacked("value.weight"), first], dim=1) @ key
        of_position = torch.cat([spread, first @ spread], dim=1)
        hidden_bias = (first @ shift[..., None]).squeeze(-1) + stacked("weigh.0.bias")
        bias = torch.cat([shift, hidden_bias], dim=1)
        products = torch.cat([of_view, of_position], dim=2), bias, first @ stacked("query.weight")
    return [Merged(*one) for one in zip(*products, strict=True)]
