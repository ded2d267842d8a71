"""Source views by overlap: those that see what the target view may see, from similar directions.

No depth is needed: pixels of the target on a coarse grid are lifted to several depths of the scene's range.
A source scores at every such point that lies in its image.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gpnerf.geometry.cameras import Camera
from gpnerf.geometry.projection import visible
from gpnerf.geometry.rays import Rays

# Points of the target: rows and columns of its pixels, and depths, even in the logarithm.
ROWS, COLUMNS, DEPTHS = 4, 6, 6
# Power of the cosine between the rays of target and source: 0.5 at 33 degrees.
SHARPNESS = 4
# So many candidates per wanted view stay after a first choice by their total scores.
SHORTLIST = 8


@torch.no_grad()
def rank_by_overlap(target: Camera, cameras: Camera, near: float, far: float, count: int) -> Tensor:
    """Chooses up to `count` of N candidates one after the other: indices, best first.

    Each one adds most to the sum over the points of log(1 + scores of the chosen at the point), so that
    a part of the view that few see counts more than one that many see.
    """
    points = _points(target, near, far)
    pixels, depths = cameras.project(points)
    inside = visible(pixels, depths, cameras.height, cameras.width)
    to_target = F.normalize(target.center - points, dim=-1)
    to_sources = F.normalize(cameras.center[:, None] - points, dim=-1)
    cosines = (to_sources * to_target).sum(dim=-1)
    scores = inside * cosines.clamp(min=0.0) ** SHARPNESS
    shortlist = scores.sum(dim=1).sort(descending=True, stable=True).indices[: SHORTLIST * count]
    scores, chosen = scores[shortlist], []
    total = torch.zeros(len(points))
    for _ in range(min(count, len(shortlist))):
        gains = torch.log1p(scores / (1.0 + total)).sum(dim=1)
        gains[chosen] = -1.0
        best = int(gains.argmax())
        chosen.append(best)
        total += scores[best]
    return shortlist[chosen]


def _points(target: Camera, near: float, far: float) -> Tensor:
    """Points [P, 3] of the world that the target view may show."""
    columns = (torch.arange(COLUMNS) + 0.5) / COLUMNS * target.width - 0.5
    rows = (torch.arange(ROWS) + 0.5) / ROWS * target.height - 0.5
    rays = Rays.through(torch.cartesian_prod(columns, rows), target, near, far)
    depths = torch.logspace(0.0, 1.0, DEPTHS, base=far / near) * near
    return rays.points(depths.expand(len(rays), DEPTHS)).reshape(-1, 3)
