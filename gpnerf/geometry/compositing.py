"""Volume rendering: densities of the samples of rays -> opacities -> weights -> rendered values.

The transformers of GNT and GP-NeRF replace this by attention; the methods that they are compared with use it.
"""

from __future__ import annotations

import torch
from torch import Tensor

# The spacing behind the last sample: whatever lies there ends the ray.
ENDLESS = 1e10
# Keeps the light behind an opaque sample positive, for the gradient.
SMALLEST_LIGHT = 1e-10


def spacings(depths: Tensor, directions: Tensor) -> Tensor:
    """Distances [R, S] in metres from each sample to the next, along rays with rising depths [R, S].

    directions: [R, 3], scaled as those of Rays, so that a depth times the direction's length is a distance.
    """
    last = torch.full_like(depths[:, :1], ENDLESS)
    return torch.cat([depths[:, 1:] - depths[:, :-1], last], dim=1) * directions.norm(dim=-1, keepdim=True)


def opacities(densities: Tensor, lengths: Tensor | float = 1.0) -> Tensor:
    """Opacities [R, S] in [0, 1) of samples with densities [R, S] of at least 0 (NeRF, Eq. 3).

    lengths: [R, S], the distances over which the densities act. IBRNet and its descendants leave them out.
    """
    return 1.0 - (-densities * lengths).exp()


def compositing_weights(opacity: Tensor) -> Tensor:
    """Weights [R, S] of samples: the opacity [R, S] of each times the light that the nearer ones let through.

    They are at least 0, and their sum is at most 1.
    """
    light = (1.0 - opacity + SMALLEST_LIGHT).cumprod(dim=1)
    return opacity * torch.cat([torch.ones_like(light[:, :1]), light[:, :-1]], dim=1)


def composite(weights: Tensor, values: Tensor) -> Tensor:
    """Rendered values [R, C]: the sum of the samples' values [R, S, C] by their weights [R, S]."""
    return (weights[..., None] * values).sum(dim=1)
