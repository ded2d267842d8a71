"""The grid of a volume: planes of depth in the frustum of the first source view, and a margin around it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gpnerf.geometry.cameras import Camera, pixel_grid
from gpnerf.geometry.sampling import LINEAR, coarse_depths
from gpnerf.methods.mvsnerf.networks import STEP, STRIDE


class Frustum(NamedTuple):
    """The grid of the volume over photographs of height x width pixels.

    Its cells lie on `planes` depths, even in z from near to far in metres, `margin` cells beyond the left and
    upper side of the photograph, and at least as many beyond the right and lower side: the photographs stay
    as they are, and the margin grows until the network over the volume can halve its sides.
    """

    height: int
    width: int
    planes: int
    margin: int
    near: float
    far: float

    @property
    def shape(self) -> tuple[int, int, int]:
        """Planes, rows and columns of the volume."""
        return self.planes, self._cells(self.height), self._cells(self.width)

    def _cells(self, side: int) -> int:
        least = -(-side // STRIDE) + 2 * self.margin
        return -(-least // STEP) * STEP

    def points(self, camera: Camera) -> Tensor:
        """The cells as points in the world of the view's camera: [D, h, w, 3]."""
        planes, rows, columns = self.shape
        pixels = STRIDE * (pixel_grid(rows, columns) - self.margin)
        origins, directions = camera.rays(pixels.to(camera.intrinsics.device))
        depths = coarse_depths(self.near, self.far, 1, planes, LINEAR)[0].to(directions.device)
        points = origins + depths[:, None, None] * directions
        return points.reshape(planes, rows, columns, 3)

    def coordinates(self, pixels: Tensor, depths: Tensor) -> Tensor:
        """Pixels [..., 2] of the view and z-depths [...] -> coordinates [..., 3], in [0, 1] in the volume.

        As released, the outermost pixels stand for the edges of the outermost features, so that a point is
        found up to a cell beside the one that was made for it.
        """
        _, rows, columns = self.shape
        size = pixels.new_tensor([self.width, self.height])
        places = pixels / (size - 1.0) * (size / STRIDE) + self.margin
        across = places / pixels.new_tensor([columns, rows])
        along = (depths - self.near) / (self.far - self.near)
        return torch.cat([across, along[..., None]], dim=-1)
