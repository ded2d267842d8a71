"""Field Aggregation Transformer: source views -> fields at a point (Eqs. 4 and 5).

P stands for any leading shape of points, usually [R, S]; V source views; C the transformer width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Logits of views that do not see a point. A point that no view sees gets equal weights.
UNSEEN = -1e9

# Logits pass through a layer this many times narrower than the transformer, as published.
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
    """One layer of FAT(.), Eq. 4: a point's feature attends to what each view shows of the point.

    Subtraction attention with one weight per view *and channel*: with x the features of the views, n the
    normalised query, d the direction differences,
        k = Wk x,  value = Wv k,  position = P2 relu(P1 d),
        weights = softmax over views of B2 relu(B1 (k - Wq n + position)),
        output = Wo sum over views of weights * (value + position).
    B1 and Wv distribute over the sums, so the C-wide k of every view is never formed: the small products
    Wv Wk, B1 Wk, B1 Wq and B1 P2 are formed instead, from the parameters above.
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
        self, query: Tensor, views: Tensor, difference: Tensor, unseen: Tensor
    ) -> tuple[Tensor, Tensor]:
        """query [P, C], views [P, V, C], difference [P, V, 4], unseen bool [P, V, 1].

        Returns the new query [P, C] and the weights A_FAT [P, V, C], which sum to 1 over the views.
        """
        first, last = self.weigh[0], self.weigh[2]
        position = F.relu(self.position[0](difference))
        spread = self.position[2]
        values = F.linear(views, self.value.weight @ self.key.weight) + spread(position)
        hidden = F.linear(views, first.weight @ self.key.weight) + F.linear(
            position, first.weight @ spread.weight, first.weight @ spread.bias + first.bias
        )
        hidden = hidden - F.linear(self.norm(query), first.weight @ self.query.weight)[..., None, :]
        logits = last(F.relu(hidden)).masked_fill_(unseen, UNSEEN)
        weights = self.dropout(torch.softmax(logits, dim=-2))
        aggregated = (weights * values).sum(dim=-2)
        query = query + self.dropout(self.out(aggregated))
        return self.feed_forward(query), weights
