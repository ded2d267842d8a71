"""A coarse pass on some rows and columns of a view guides the samples of all its pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from gpnerf.geometry.sampling import Guide


class GuideMap(NamedTuple):
    """Guides where some rows and columns of an image cross.

    rows: [h], columns: [w], rising, the first and last of the image among them. depths: [S], of all guides.
    weights: [h, w, S].
    """

    rows: Tensor
    columns: Tensor
    depths: Tensor
    weights: Tensor

    def at(self, pixels: Tensor) -> Guide:
        """Interpolates the guides of pixels [N, 2] (column, row).

        Weights are mixed. Near a depth edge, they thus keep the surfaces of both sides.
        """
        column, right = _between(self.columns, pixels[:, 0])
        row, down = _between(self.rows, pixels[:, 1])
        above = torch.lerp(self.weights[row, column], self.weights[row, column + 1], right)
        below = torch.lerp(self.weights[row + 1, column], self.weights[row + 1, column + 1], right)
        return Guide(self.depths.expand(len(pixels), -1), torch.lerp(above, below, down))


def guide_map(
    height: int, width: int, step: int, device: torch.device, render: Callable[[Tensor], Guide]
) -> GuideMap:
    """Renders every `step`-th row and column, and the last ones.

    render: the coarse pass of the rays of pixels [N, 2], which all have the same depths. Both sides of the
    image have at least two pixels.
    """
    rows, columns = _lines(height, step, device), _lines(width, step, device)
    found = render(torch.cartesian_prod(rows, columns).flip(-1))
    return GuideMap(rows, columns, found.depths[0], found.weights.reshape(len(rows), len(columns), -1))


def _lines(length: int, step: int, device: torch.device) -> Tensor:
    """0, step, 2 step, ... and length - 1."""
    return torch.arange(0, length - 1 + step, step, device=device).clamp(max=length - 1)


def _between(lines: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """The line at or before each of N positions, never the last line, and the share [N, 1] of the next."""
    before = (torch.searchsorted(lines, positions.contiguous(), right=True) - 1).clamp(max=len(lines) - 2)
    start, end = lines[before], lines[before + 1]
    return before, ((positions - start) / (end - start))[:, None]
