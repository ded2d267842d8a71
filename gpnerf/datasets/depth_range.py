"""Depth range of a scene, measured in its depth maps or its sparse points."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gpnerf.datasets.pixels.maps import read_depth
from gpnerf.system.errors import DataError

MAPS_READ = 8
# Sparse points are projected into at most this many photographs, spread over the scene.
FRAMES_USED = 256
# Smallest number of different points, and smallest share of the points that project into some photograph.
LEAST_POINTS, LEAST_SEEN = 10, 0.5
# Share of the depths that is left out at either end.
OUTLIERS = 0.01
# Factor by which the range is then widened, as a few maps or points do not show the nearest and farthest.
MARGIN = 1.25


class DepthRange(NamedTuple):
    """A depth range and where it comes from.

    near, far: z-depths in the units of the poses, None where they are unknown. source: what gives them, or
    why they are unknown.
    """

    near: float | None
    far: float | None
    source: str


def spread(items: Sequence, most: int) -> list:
    """Chooses at most `most` items, evenly spaced, the first and the last among them."""
    chosen = {int(index) for index in np.linspace(0, len(items) - 1, min(most, len(items)))}
    return [items[index] for index in sorted(chosen)]


def maps_to_measure(files: Sequence[str]) -> list[str]:
    """Chooses at most MAPS_READ of the depth maps of a scene, evenly spaced."""
    return spread(files, MAPS_READ)


def measured_range(files: Sequence[Path], unit: float | None) -> tuple[float, float] | None:
    """Measures (near, far) in metres in depth maps; None if they hold no known depth.

    unit: as in maps.read_depth.
    """
    maps = [read_depth(file, unit) for file in files]
    depths = np.concatenate([depth[depth > 0.0] for depth in maps]) if maps else np.empty(0)
    if not depths.size:
        return None
    return range_of(depths)


def range_of(depths: np.ndarray) -> tuple[float, float]:
    """(near, far) of z-depths [N] above 0: the quantiles without the outliers, widened by the margin."""
    near, far = np.quantile(depths, (OUTLIERS, 1.0 - OUTLIERS))
    return float(near / MARGIN), float(far * MARGIN)


def depths_of_points(
    points: np.ndarray, intrinsics: np.ndarray, poses: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Projects points [N, 3] into photographs.

    Returns their z-depths [K], one for each pair of a point and a photograph that contains it, and bool [N],
    whether any photograph contains the point.

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
    """Measures the range in depth maps. Raises DataError for a map that cannot be read."""
    if not files:
        return DepthRange(None, None, "no depth maps")
    measured = measured_range([folder / file for file in files], unit)
    if measured is None:
        return DepthRange(None, None, f"no known depth in {len(files)} depth maps")
    return DepthRange(*measured, f"{len(files)} depth maps")


def from_points(
    name: str, points: np.ndarray, intrinsics: np.ndarray, poses: np.ndarray, sizes: np.ndarray
) -> DepthRange:
    """Measures the range in the sparse points of the file `name`; arrays as in depths_of_points.

    Raises DataError where too few points project into photographs, or too few of these differ.
    """
    depths, seen = depths_of_points(points, intrinsics, poses, sizes)
    different = len(np.unique(points[seen], axis=0))
    if seen.mean() < LEAST_SEEN or different < LEAST_POINTS:
        raise DataError(
            f"{name}: expected {LEAST_POINTS} points or more in the coordinates of the poses, found "
            f"{seen.mean():.0%} of {len(points):,} points in a photograph, at {different} different places; "
            "write points and poses from one model."
        )
    return DepthRange(*range_of(depths), f"{len(points):,} points of {name}")
