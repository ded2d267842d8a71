"""Field Aggregation Transformer: source views -> fields at a point (Eqs. 4 and 5).

P stands for any leading shape of points, usually [R, S]; V source views; C the transformer width. Views come
first, [V, P, C]: what one view shows lies together, and sums over views run along whole rows.
"""

from __future__ import annotations

from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gpnerf.models.dropout import Dropout

# Logits of views that do not see a point. A point that no view sees gets equal weights.
UNSEEN = -1e9

# Logits pass through a layer this many times narrower than the transformer, as published.
ATTENTION_BOTTLENECK = 8


def affine(linear: nn.Linear, inputs: Tensor) -> Tensor:
    """The linear layer with its bias as a sum of its own, which a compiler joins to what follows."""
    return F.linear(inputs, linear.weight) + linear.bias


class FeedForward(nn.Module):
    """x + W2 relu(W1 norm(x)) with dropout: the second half of every transformer layer."""

    def __init__(self, width: int, dropout: float, epsilon: float = 1e-6):
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=epsilon)
        self.expand = nn.Linear(width, 4 * width)
        self.reduce = nn.Linear(4 * width, width)
        self.dropout = Dropout(dropout)

    def forward(self, features: Tensor) -> Tensor:
        hidden = self.dropout(F.relu(affine(self.expand, self.norm(features))))
        return features + self.dropout(affine(self.reduce, hidden))


class FieldAggregationLayer(nn.Module):
    """One layer of FAT(.), Eq. 4: a point's feature attends to what each view shows of the point.

    Subtraction attention with one weight per view *and channel*: with x the features of the views, n the
    normalised query, d the direction differences,
        k = Wk x,  value = Wv k,  position = P2 relu(P1 d),
        weights = softmax over views of B2 relu(B1 (k - Wq n + position)),
        output = Wo sum over views of weights * (value + position).
    B1 and Wv distribute over the sums, so the C-wide k of every view is never formed: the small products
    Wv Wk, B1 Wk, B1 Wq and B1 P2 are formed instead, from the parameters above. What all views share inside
    the softmax, the bias of B2, cancels.
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
        self.dropout = Dropout(dropout)
        self.feed_forward = FeedForward(width, dropout, epsilon)

    def forward(
        self, query: Tensor, views: Tensor, difference: Tensor, unseen: Tensor
    ) -> tuple[Tensor, Tensor]:
        """query [P, C], views [V, P, C], difference [V, P, 4], unseen bool [V, P, 1].

        Returns the new query [P, C] and the weights A_FAT [V, P, C], which sum to 1 over the views.
        """
        of_view, of_position, of_query, shift = self._merged()
        position = F.linear(F.relu(affine(self.position[0], difference)), of_position)
        # values and hidden side by side: one product of the views instead of two.
        both = F.linear(views, of_view)
        width = query.shape[-1]
        hidden = both[..., width:] + position[..., width:] - (F.linear(self.norm(query), of_query) - shift)
        logits = F.linear(F.relu(hidden), self.weigh[2].weight)
        values = both[..., :width] + position[..., :width] + self.position[2].bias
        aggregated, weights = self._attend(logits, values, unseen)
        query = query + self.dropout(affine(self.out, aggregated))
        return self.feed_forward(query), weights

    def _attend(self, logits: Tensor, values: Tensor, unseen: Tensor) -> tuple[Tensor, Tensor]:
        """Softmax over the views of logits [V, P, C], and values [V, P, C] weighed by it: [P, C], [V, P, C].

        View by view, so that compiled code reads everything once and forms no exponential twice.
        """
        logits = [one.float().masked_fill(hidden, UNSEEN) for one, hidden in zip(logits, unseen, strict=True)]
        largest = reduce(torch.maximum, logits).detach()
        powers = [(one - largest).exp() for one in logits]
        share = 1.0 / sum(powers)
        weights = [self.dropout(power * share) for power in powers]
        aggregated = sum(weight * value for weight, value in zip(weights, values, strict=True))
        return aggregated, torch.stack(weights).to(values.dtype)

    def _merged(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Products of the parameters, in full precision: what a view, a position and the query are multiplied
        by, [C + C/8, C], [C + C/8, C/8] and [C/8, C] (values above hidden), and the shift of hidden [C/8]."""
        first, spread, key = self.weigh[0], self.position[2], self.key.weight
        with torch.autocast(key.device.type, enabled=False):
            of_view = torch.cat([self.value.weight @ key, first.weight @ key])
            of_position = torch.cat([spread.weight, first.weight @ spread.weight])
            shift = first.weight @ spread.bias + first.bias
            return of_view, of_position, first.weight @ self.query.weight, shift
