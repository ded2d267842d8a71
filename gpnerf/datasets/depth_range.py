"""How near and far the content of a scene is, from the first of its sources that says or shows it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gpnerf.datasets.pixels.maps import read_depth
from gpnerf.system.errors import DataError

MAPS_READ = 8
# Photographs, spread over the scene, into which sparse points are projected.
FRAMES_USED = 256
# Fewer points than these show no range; of the points of a scene, most fall into some photograph.
LEAST_POINTS, LEAST_SEEN = 10, 0.5
# Share of readings left out at either end; and how much wider the range is made for what they miss.
OUTLIERS = 0.01
MARGIN = 1.25


class DepthRange(NamedTuple):
    """near, far: z-depths in the units of the poses, None where nothing shows them; source: what does, or
    why nothing does."""

    near: float | None
    far: float | None
    source: str


def spread(items: Sequence, most: int) -> list:
    """Up to `most` of the items, evenly over all of them."""
    chosen = {int(index) for index in np.linspace(0, len(items) - 1, min(most, len(items)))}
    return [items[index] for index in sorted(chosen)]


def maps_to_measure(files: Sequence[str]) -> list[str]:
    """Up to eight of the depth maps of a scene, spread over all of it."""
    return spread(files, MAPS_READ)


def measured_range(files: Sequence[Path], unit: float | None) -> tuple[float, float] | None:
    """(near, far) in metres of depth maps; None if they hold no reading.

    unit: as in maps.read_depth.
    """
    maps = [read_depth(file, unit) for file in files]
    depths = np.concatenate([depth[depth > 0.0] for depth in maps]) if maps else np.empty(0)
    if not depths.size:
        return None
    return range_of(depths)


def range_of(depths: np.ndarray) -> tuple[float, float]:
    """(near, far) of z-depths [N] above 0: all but the outliers, with a margin."""
    near, far = np.quantile(depths, (OUTLIERS, 1.0 - OUTLIERS))
    return float(near / MARGIN), float(far * MARGIN)


def depths_of_points(
    points: np.ndarray, intrinsics: np.ndarray, poses: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """z-depths [K] of points [N, 3] in every photograph into which they fall, and bool [N], which fall into
    any: points that belong to the scene do.

    intrinsics: [M, 3, 3]; poses: [M, 4, 4] camera-to-world, OpenCV axes; sizes: [M, 2] height and width.
    """
    depths, seen = [], np.zeros(len(points), bool)
    for frame in spread(range(len(poses)), FRAMES_USED):
        in_camera = (points - poses[frame, :3, 3]) @ poses[frame, :3, :3]
        front = in_camera[:, 2] > 0.0
        pixels = in_camera[front] @ intrinsics[frame].T
        pixels = pixels[:, :2] / pixels[:, 2:]
        inside = ((pixels >= -0.5) & (pixels <= sizes[frame, ::-1] - 0.5)).all(axis=1)
        falls = np.flatnonzero(front)[inside]
        seen[falls] = True
        depths.append(in_camera[falls, 2])
    return np.concatenate(depths), seen


def from_maps(folder: Path, files: Sequence[str], unit: float | None) -> DepthRange:
    """The range that depth maps show. Raises DataError for one that cannot be read."""
    if not files:
        return DepthRange(None, None, "no depth maps")
    measured = measured_range([folder / file for file in files], unit)
    if measured is None:
        return DepthRange(None, None, f"no reading in {len(files)} depth maps")
    return DepthRange(*measured, f"{len(files)} depth maps")


def from_points(
    name: str, points: np.ndarray, intrinsics: np.ndarray, poses: np.ndarray, sizes: np.ndarray
) -> DepthRange:
    """The range of the sparse points in the file `name`; arrays as in depths_of_points. Raises DataError
    where hardly any of them falls into a photograph, however often."""
    depths, seen = depths_of_points(points, intrinsics, poses, sizes)
    different = len(np.unique(points[seen], axis=0))
    if seen.mean() < LEAST_SEEN or different < LEAST_POINTS:
        raise DataError(
            f"{name}: expected {LEAST_POINTS} points or more in the world of the poses, found "
            f"{seen.mean():.0%} of {len(points):,} in any photograph, {different} in different places; write "
            "points and poses from one model."
        )
    return DepthRange(*range_of(depths), f"{len(points):,} points of {name}")
