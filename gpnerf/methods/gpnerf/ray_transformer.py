"""Ray Aggregation Transformer: features of the points of a ray attend to each other (Eqs. 6 and 7)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gpnerf.methods.gpnerf.field_transformer import FeedForward


class RayAggregationLayer(nn.Module):
    """One layer of RAT(.), Eq. 6: multi-head self-attention over the points of a ray."""

    def __init__(self, width: int, heads: int, dropout: float, epsilon: float = 1e-6):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width, eps=epsilon)
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.feed_forward = FeedForward(width, dropout, epsilon)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """features [R, S, C] -> new features [R, S, C], and two rows of the attention A_RAT [R, heads, S, S].

        These are the first row and the mean of all rows, both [R, heads, S]. Every row of A_RAT sums to 1.
        """
        width = features.shape[-1]
        normed = self.norm(features)
        joint = F.linear(normed, torch.cat([self.query.weight, self.key.weight, self.value.weight]))
        query, key, value = joint.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).contiguous()
        scale = (width // self.heads) ** -0.5
        attention = self.dropout(torch.softmax((query * scale) @ key.transpose(-1, -2), dim=-1))
        gathered = (attention.to(value.dtype) @ value).transpose(1, 2).flatten(start_dim=2)
        features = features + self.dropout(self.out(gathered))
        return self.feed_forward(features), attention[:, :, 0], attention.mean(dim=2)
