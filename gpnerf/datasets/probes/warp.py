"""Warping of one frame into another by depth and poses: its errors, and which pixels show the same point."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gpnerf.datasets.scene import Frame
from gpnerf.geometry.cameras import Camera, pixel_grid
from gpnerf.geometry.projection import interpolate, visible
from gpnerf.system.errors import DataError

# A point is hidden if its depth in the source differs from the source's depth map by more than this share.
# It is above the noise of depth sensors (1 to 3 %), below the gap between a chair and the wall behind it.
OCCLUSION_TOLERANCE = 0.1


class Warp(NamedTuple):
    """A source photograph seen from the target.

    color: [3, H, W] in [0, 1], 0 where not visible. visible: [H, W] bool. error: median of the mean absolute
    colour difference (0..1) over the visible pixels. depth_error: median relative difference between the
    depth of a point in the source and the source's depth map, hidden points included. An error is None if
    there is no pixel to compare.
    """

    color: Tensor
    visible: Tensor
    error: float | None
    depth_error: float | None


def reproject(target: Camera, source: Camera, pixels: Tensor, depth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Projects target pixels [N, 2] (column, row) at z-depths [N] into the source.

    Returns their pixels [N, 2] and z-depths [N] in the source, and whether they are inside, bool [N]: of
    known depth (above 0), in front of the source camera and within its image.
    """
    origins, directions = target.rays(pixels)
    points = origins + depth[:, None] * directions
    source_pixels, source_depth = (one[0] for one in Camera.stack([source]).project(points))
    inside = visible(source_pixels, source_depth, source.height, source.width) & (depth > 0)
    return source_pixels, source_depth, inside


def warp(target: Frame, source: Frame) -> Warp:
    """Finds the colour of every target pixel of known depth in the source, which may have another size.

    Raises DataError for a target without a depth map.
    """
    if target.depth is None:
        raise DataError(
            f"{target.scene}, frame {target.name}: expected a depth map to look up its pixels in another "
            "view, found none; choose a frame with depth."
        )
    height, width = target.depth.shape
    grid = pixel_grid(height, width)
    pixels, depth, inside = reproject(target.camera, source.camera, grid, target.depth.flatten())
    difference = _depth_difference(source.depth, pixels, depth)
    seen = inside & ~(difference > OCCLUSION_TOLERANCE)
    images = source.image.movedim(0, -1)[None]
    samples = interpolate(images, pixels[:, None], source.camera.height, source.camera.width)
    color = (samples[:, 0] * seen[:, None]).T.reshape(3, height, width)
    seen = seen.reshape(height, width)
    error = (color - target.image).abs().mean(0)[seen]
    compared = difference[inside & difference.isfinite()]
    return Warp(color, seen, _median(error), _median(compared))


def correspondence(target: Camera, depth: Tensor, source: Camera, source_depth: Tensor) -> Tensor:
    """The pixel of the source that shows the same point as each target pixel: int64 [H, W], row by row.

    depth, source_depth: z-depths [H, W] of the two images, 0 where unknown. -1 where the source does not show
    the point, or where a depth is unknown, so that it could be hidden.
    """
    grid = pixel_grid(*depth.shape)
    pixels, depths, inside = reproject(target, source, grid, depth.flatten())
    shown = inside & (_depth_difference(source_depth, pixels, depths) <= OCCLUSION_TOLERANCE)
    rows, columns = _nearest_pixels(pixels, source.height, source.width)
    return torch.where(shown, rows * source.width + columns, -1).reshape(depth.shape)


def _depth_difference(source_depth: Tensor | None, pixels: Tensor, depth: Tensor) -> Tensor:
    """|depth / depth of the source at the nearest pixel - 1| [N]; NaN where the source has none."""
    if source_depth is None:
        return torch.full_like(depth, torch.nan)
    measured = source_depth[_nearest_pixels(pixels, *source_depth.shape)]
    return torch.where(measured > 0, (depth / measured - 1.0).abs(), torch.nan)


def _nearest_pixels(pixels: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Rows and columns, int64 [N] each, of the pixels of an image that are nearest to pixels [N, 2]."""
    last = torch.tensor([width - 1, height - 1])
    columns, rows = pixels.round().long().clamp(min=torch.zeros_like(last), max=last).unbind(-1)
    return rows, columns


def _median(values: Tensor) -> float | None:
    return values.median().item() if len(values) else None
