"""Which rendered pixels other views confirm."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gpnerf.export.views import FusedViews


class Rule(NamedTuple):
    """How views must agree.

    least: so many views, the pixel's own among them. tolerance: largest difference of two depths of one
    point, as a share of the depth.
    """

    least: int
    tolerance: float

    def confirmed(self, views: FusedViews, number: int) -> Tensor:
        """Marks the pixels of a view that enough views agree on: bool [H, W]."""
        view = views[number].surfaces
        pixels = view.known()
        points = view.points(pixels, torch.zeros(1))[:, 0]
        count = torch.ones(len(points), dtype=torch.int64)
        for other in views.neighbours(number):
            count += views[other].surfaces.locate(points).agrees(self.tolerance)
        kept = pixels[count >= self.least]
        marks = torch.zeros(view.depth.shape, dtype=torch.bool)
        marks[kept[:, 1], kept[:, 0]] = True
        return marks
