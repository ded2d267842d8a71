"""What a rendered view says about points: where they lie in it, and how far before its surface."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gpnerf.geometry.cameras import Camera, pixel_grid
from gpnerf.geometry.projection import corners, visible

# Relative difference of neighbouring depths from which they belong to two surfaces.
EDGE = 0.1


@dataclass(frozen=True)
class Surfaces:
    """The surfaces that one view sees.

    camera: of the view. depth: [H, W], z in the units of the poses, 0 where unknown. weight: [H, W], how much
    each depth counts.
    """

    camera: Camera
    depth: Tensor
    weight: Tensor

    def known(self) -> Tensor:
        """The pixels of known depth, (column, row) [N, 2]."""
        return pixel_grid(*self.depth.shape)[self.depth.flatten() > 0]

    def points(self, pixels: Tensor, reach: Tensor) -> Tensor:
        """Points [N, P, 3] in the world, by each of `reach` [P] in z behind the surface at N pixels."""
        origins, directions = self.camera.rays(pixels)
        depths = at(self.depth, pixels)[:, None] + reach
        return origins[:, None] + depths[..., None] * directions[:, None]

    def locate(self, points: Tensor) -> Sight:
        """Finds points [..., 3] in the view."""
        pixels, depths = (one[0] for one in Camera.stack([self.camera]).project(points))
        surface = depth_at(self.depth, pixels)
        seen = visible(pixels, depths, *self.depth.shape) & (surface > 0)
        return Sight(pixels, depths, surface, seen)

    def onto_surface(self, points: Tensor, sight: Sight) -> Tensor:
        """Points [..., 3] moved along the rays of the view to its surface; sight: of these points."""
        center = self.camera.center
        return center + (points - center) * (sight.surface / sight.depths)[..., None]


@dataclass(frozen=True)
class Sight:
    """Points [...] in a view: pixels [..., 2] (column, row), z-depths of the points and of the surface there.

    seen: whether the point lies in the image, before the camera, where the depth of the surface is known.
    """

    pixels: Tensor
    depths: Tensor
    surface: Tensor
    seen: Tensor

    @property
    def before(self) -> Tensor:
        """How far each point lies before the surface, along z; below 0 behind it."""
        return self.surface - self.depths

    def agrees(self, tolerance: float) -> Tensor:
        """Whether the point is seen, and its depth differs by at most this share from that of the surface."""
        return self.seen & (self.before.abs() <= tolerance * self.depths)


def at(values: Tensor, pixels: Tensor) -> Tensor:
    """The values [H, W] or [H, W, C] at the nearest pixels to (column, row) [..., 2]."""
    last = pixels.new_tensor([values.shape[1] - 1, values.shape[0] - 1])
    cells = pixels.clamp(min=0).minimum(last).round().long()
    return values[cells[..., 1], cells[..., 0]]


def depth_at(depth: Tensor, pixels: Tensor) -> Tensor:
    """The depth of a map [H, W] at (column, row) [..., 2], 0 where unknown.

    Inverse depths are interpolated, since those of a plane are linear in the image. At an edge, and beside
    unknown pixels, the nearest pixel counts alone.
    """
    height, width = depth.shape
    last = pixels.new_tensor([width - 1, height - 1])
    around = corners(pixels.clamp(min=0.0).minimum(last), height, width, height, width)
    values = depth.flatten()[around.indices.long()]
    least, most = values.amin(dim=-1), values.amax(dim=-1)
    smooth = (least > 0) & (most <= (1.0 + EDGE) * least)
    between = 1.0 / (around.weights / values).sum(dim=-1)
    return torch.where(smooth, between, at(depth, pixels))
