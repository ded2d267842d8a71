"""Plausibility of a scene: depth range against poses and depth, principal points, black strips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpnerf.datasets.scene import Scene
from gpnerf.media.images import read_image
from gpnerf.system.wording import some

# Number of frames that a warning names.
NAMED = 3
# Largest extent of the cameras in units of far; if it is larger, they hardly see the same things.
MOST_SPREAD = 2.0
# Smallest extent of the cameras in units of near; if it is smaller, they see everything from one side.
LEAST_SPREAD = 1 / 50
# Largest offset of a principal point from the middle of the photograph, as a share of the side.
FARTHEST_CENTER = 0.2
# Colour values (of 255) below this are black, allowing for JPEG noise.
BLACK = 16
# Largest width of a strip, as a share of the shorter side.
WIDEST_STRIP = 0.05


def unit_of(scene: Scene) -> str:
    """The unit to write after lengths: " m" if the scene has depth maps, else "", as the scale is unknown."""
    return " m" if scene.index.count("depth") else ""


def range_warnings(scene: Scene) -> list[str]:
    """Writes a sentence if near and far contradict the known depth, or else the poses."""
    return _cut_warning(scene) or _spread_warning(scene)


def _cut_warning(scene: Scene) -> list[str]:
    near, far, source, cut = scene.range
    if not (cut and cut.worst):
        return []
    median = np.median([one.median for one in cut.worst])
    return [
        f"{scene.name}: near {near:.3g} to far {far:.3g} ({source}) leave out {cut.share:.0%} of the depth "
        f"in {cut.source}, most in the frames {some((one.frame for one in cut.worst), NAMED)} (median depth "
        f"{median:.3g}); check the units of depth and poses, or give another --depth_range."
    ]


def _spread_warning(scene: Scene) -> list[str]:
    near, far, index = scene.near, scene.far, scene.index
    extent = camera_extent(index.poses)
    if 0.0 < extent < LEAST_SPREAD * near:
        return [
            f"{scene.name}: the cameras are spread over only {extent:.3g} units, though near is {near:.3g} "
            f"({scene.range.source}); check that near and far are in the units of the poses."
        ]
    if extent <= MOST_SPREAD * far:
        return []
    return [
        f"{scene.name}: the cameras are spread over {extent:.3g} units, though far is only {far:.3g} "
        f"({scene.range.source}); check that near and far are in the units of the poses."
    ]


def center_warnings(scene: Scene) -> list[str]:
    """Writes a sentence if principal points seem to belong to photographs of another size."""
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
        "check that the intrinsics are in pixels of the photographs as stored."
    ]


def camera_extent(poses: np.ndarray) -> float:
    """The longest side of the axis-aligned box around the camera centres of poses [N, 4, 4]."""
    return float(np.ptp(poses[:, :3, 3], axis=0).max())


def black_strip(scene: Scene, frames: Sequence[int]) -> int:
    """Width in pixels of the widest strip at a side that is black in all these photographs as stored.

    0 if it is wider than strips that lens correction leaves, as it is then part of the photograph. Raises
    DataError for a photograph that cannot be read.
    """
    photographs = [read_image(scene.view(frame).image) for frame in frames]
    strips = np.array([_strips(pixels) for pixels in photographs])
    strip = int(strips.min(axis=0).max())
    return strip if strip <= WIDEST_STRIP * min(photographs[0].shape[:2]) else 0


def strip_warning(scene: Scene, strip: int) -> list[str]:
    """Writes a sentence if the border of the scene does not cut off strips of `strip` pixels."""
    if scene.border >= strip:
        return []
    return [
        f"{scene.name}: the photographs have black strips of up to {strip} pixels at their sides, which "
        f"would be learnt and scored; cut them off with --border {strip}."
    ]


def _strips(pixels: np.ndarray) -> list[int]:
    """Counts black rows at the top and bottom, black columns at the left and right of [H, W] or [H, W, C]."""
    lit = np.atleast_3d(pixels)[..., :3].max(axis=2) >= BLACK
    sides = [lit.any(axis=1), lit.any(axis=0)]
    return [int(np.argmax(one)) if one.any() else len(one) for side in sides for one in (side, side[::-1])]
