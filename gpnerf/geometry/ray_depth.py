"""Where a ray ends, from the weights of its samples: its median depth, and how sure that is.

The mean of the depths lies between two surfaces wherever a ray has weight on both; the median lies on one.
Inverse depths are used, in which the errors of matching photographs are even.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Added to every weight, so that an empty ray counts as spread over its whole length.
SMALLEST_WEIGHT = 1e-8


def median_depth(depths: Tensor, weights: Tensor) -> Tensor:
    """The depth [R] with half of the weight of a ray before it.

    depths: [R, S], rising; weights: [R, S], at least 0. Each sample's weight lies evenly
    around it; between two samples, inverse depths are interpolated.
    """
    shares = _shares(weights)
    before = shares.cumsum(dim=-1) - 0.5 * shares
    after = (before < 0.5).sum(dim=-1, keepdim=True).clamp(1, depths.shape[-1] - 1)
    ahead = (after - 1).clamp(min=0)
    start, end = before.gather(-1, ahead), before.gather(-1, after)
    part = ((0.5 - start) / (end - start).clamp(min=torch.finfo(end.dtype).tiny)).clamp(0.0, 1.0)
    inverse = 1.0 / depths
    return 1.0 / torch.lerp(inverse.gather(-1, ahead), inverse.gather(-1, after), part)[:, 0]


def depth_spread(depths: Tensor, weights: Tensor, median: Tensor) -> Tensor:
    """The mean difference of inverse depths [R, S] from that of the median [R], as a share of it: [R]."""
    difference = (median[:, None] / depths - 1.0).abs()
    return (_shares(weights) * difference).sum(dim=-1)


def _shares(weights: Tensor) -> Tensor:
    """The weights [R, S] divided by their sum."""
    weights = weights + SMALLEST_WEIGHT
    return weights / weights.sum(dim=-1, keepdim=True)
