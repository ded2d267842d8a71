"""Can the depth range and the photographs of a scene be meant as they are? Of the pixels, a few tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gpnerf.datasets.index.scene_index import SceneIndex
from gpnerf.datasets.scene import Scene
from gpnerf.media.images import read_image

# Share of the depth readings that may lie outside near and far.
OUTSIDE_RANGE = 0.02
# Cameras that are spread over more than so many times far hardly see the same things.
MOST_SPREAD = 2.0
# Cameras that are so many times nearer to each other than to anything hardly see it from two sides.
LEAST_SPREAD = 1 / 50
# Share of a side by which a lens is at most off the middle of its photographs.
FARTHEST_CENTER = 0.2
# Of 255; what JPEG leaves of black. Share of the shorter side.
BLACK, WIDEST_STRIP = 16, 0.05


def unit_of(scene: Scene) -> str:
    """What to write behind lengths: " m" where depth maps tell the scale, "" where it may be any."""
    return " m" if scene.index.count("depth") else ""


def range_warnings(scene: Scene) -> list[str]:
    """A sentence if near and far cannot fit the poses, or what the scene itself shows."""
    near, far, index = scene.near, scene.far, scene.index
    shown = index.near is not None and index.far is not None and (far < index.near or near > index.far)
    if shown:
        return [
            f"{scene.name}: near {near:g} and far {far:g} ({scene.range_source}) have nothing in common with "
            f"{index.near:.3g} to {index.far:.3g} ({index.range_source}); correct --near and --far."
        ]
    extent = camera_extent(index.poses)
    if 0.0 < extent < LEAST_SPREAD * near:
        return [
            f"{scene.name}: the cameras are spread over {extent:.3g} units only, and nothing nearer than "
            f"{near:.3g} is looked at ({scene.range_source}); check that near and far are in the units of "
            "the poses."
        ]
    if extent <= MOST_SPREAD * far:
        return []
    return [
        f"{scene.name}: the cameras are spread over {extent:.3g} units, and nothing farther than {far:.3g} "
        f"is looked at ({scene.range_source}); check that near and far are in the units of the poses."
    ]


def center_warnings(scene: Scene) -> list[str]:
    """A sentence if principal points lie where those of photographs of another size would."""
    index = scene.index
    centers, sides = index.intrinsics[:, :2, 2], index.sizes[:, ::-1]
    off = (np.abs(centers - (sides - 1) / 2) / sides).max(axis=1)
    if off.max() <= FARTHEST_CENTER:
        return []
    worst = off.argmax()
    (x, y), (width, height) = centers[worst], sides[worst]
    return [
        f"{scene.name}: the principal point ({x:g}, {y:g}) is far from the middle of {width}x{height} pixels "
        f"({index.files['image'][worst]}, {np.sum(off > FARTHEST_CENTER)} of {len(index)} photographs); "
        "check that the intrinsics are those of the photographs as stored, and of no other size."
    ]


def camera_extent(poses: np.ndarray) -> float:
    """The longest side of the box around the camera centres of poses [N, 4, 4]."""
    return float(np.ptp(poses[:, :3, 3], axis=0).max())


def outside_warning(name: str, depths: Sequence[Tensor | None], index: SceneIndex) -> list[str]:
    """A sentence if depth maps disagree with the range that the data set gives."""
    valid = [depth[depth > 0] for depth in depths if depth is not None]
    readings = torch.cat(valid) if valid else torch.empty(0)
    if index.near is None or index.far is None or not len(readings):
        return []
    outside = ((readings < index.near) | (readings > index.far)).float().mean().item()
    if outside <= OUTSIDE_RANGE:
        return []
    return [
        f"{name}: {outside:.0%} of the depth that was looked at lies outside {index.near:.3g} to "
        f"{index.far:.3g} ({index.range_source}), its middle is {readings.median().item():.3g}; check the "
        "unit of depth, or give --near and --far."
    ]


def black_strip(scene: Scene, frames: Sequence[int]) -> int:
    """The widest strip at a side that is black in all these photographs as they are stored, in pixels.

    0 where it is wider than what the correction of a lens leaves: then it belongs to the picture. Raises
    DataError for a photograph that cannot be read.
    """
    photographs = [read_image(scene.view(frame).image) for frame in frames]
    strips = np.array([_strips(pixels) for pixels in photographs])
    strip = int(strips.min(axis=0).max())
    return strip if strip <= WIDEST_STRIP * min(photographs[0].shape[:2]) else 0


def strip_warning(scene: Scene, strip: int) -> list[str]:
    """A sentence if strips of so many pixels are not cut off."""
    if scene.border >= strip:
        return []
    return [
        f"{scene.name}: the photographs have black strips of up to {strip} pixels at their sides, which "
        f"would be learnt and scored; cut them off with --border {strip}."
    ]


def _strips(pixels: np.ndarray) -> list[int]:
    """Black rows at top and bottom, black columns left and right of [H, W] or [H, W, C]."""
    lit = np.atleast_3d(pixels)[..., :3].max(axis=2) >= BLACK
    sides = [lit.any(axis=1), lit.any(axis=0)]
    return [int(np.argmax(one)) if one.any() else len(one) for side in sides for one in (side, side[::-1])]
