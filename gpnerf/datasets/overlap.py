"""Source views by overlap: those that see what the target view may see, from similar directions.

No depth is needed: pixels of the target on a coarse grid are lifted to several depths of the scene's range.
A source scores at every such point that lies in its image. All is computed in float64 in the frame of the
target, and rounded before it is compared: neither the world nor the machine then decides between equal views.
NumPy's single thread is faster here than the threads of torch, which wait for one another.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gpnerf.geometry.cameras import Camera

# Points of the target: rows and columns of its pixels, and depths, even in the logarithm.
GRID = (4, 6, 6)
# The few points by which all candidates are compared first.
FIRST_GRID = (2, 3, 3)
# So many candidates per wanted view stay after the first comparison, and so many at least.
SHORTLIST, LEAST = 2, 64
# Power of the cosine between the rays of target and source: 0.5 at 33 degrees.
SHARPNESS = 4
# Digits of scores that count, and how far outside an image a point may lie through rounding, in pixels.
DIGITS = 9
ROUNDING = 1e-6


def rank_by_overlap(target: Camera, cameras: Camera, near: float, far: float, count: int) -> Tensor:
    """Chooses up to `count` of N candidates one after the other: indices, best first.

    Each one adds most to the sum over the points of log(1 + scores of the chosen at the point), so that
    a part of the view that few see counts more than one that many see. The first of equal ones is taken.
    """
    views = _Views.of(target, cameras, far)
    sums = views.scores(_points(target, near / far, FIRST_GRID)).sum(axis=1).round(DIGITS)
    shortlist = np.argsort(-sums, kind="stable")[: max(LEAST, SHORTLIST * count)]
    scores = views[shortlist].scores(_points(target, near / far, GRID))
    return torch.from_numpy(shortlist[_greedy(scores, count)])


def coverage(target: Camera, cameras: Camera, near: float, far: float) -> float:
    """What rank_by_overlap maximises: the sum over the points of log(1 + scores of the cameras)."""
    scores = _Views.of(target, cameras, far).scores(_points(target, near / far, GRID))
    return float(np.log1p(scores.sum(axis=0)).sum().round(DIGITS))


def share_seen(target: Camera, cameras: Camera, near: float, far: float) -> float:
    """Share of the target's pixels that one of the cameras sees at some depth, from the same side."""
    points = _points(target, near / far, GRID)
    seen = (_Views.of(target, cameras, far).scores(points) > 0).any(axis=0)
    return float(seen.reshape(GRID[-1], -1).any(axis=0).mean())


def seen_by_each(target: Camera, cameras: Camera, near: float, far: float) -> Tensor:
    """How much of the target's view each of N cameras sees, at all depths and from like directions: [N]."""
    scores = _Views.of(target, cameras, far).scores(_points(target, near / far, GRID))
    return torch.from_numpy(scores.mean(axis=1).round(DIGITS))


def _greedy(scores: np.ndarray, count: int) -> list[int]:
    """Chooses up to `count` of N candidates by their scores [N, P] at the points."""
    total, chosen, factors = np.ones(scores.shape[1]), [], np.empty_like(scores)
    for _ in range(min(count, len(scores))):
        # The logarithm of the product is the sum of the logarithms, which would take far longer.
        np.multiply(scores, 1.0 / total, out=factors)
        factors += 1.0
        gains = np.log(factors.prod(axis=1)).round(DIGITS)
        gains[chosen] = -1.0
        chosen.append(int(gains.argmax()))
        total += scores[chosen[-1]]
    return chosen


class _Views(NamedTuple):
    """N cameras in the frame of the target, in units of far.

    projections: [N, 3, 4], from points to pixels times their depth; centers: [N, 3]; size: height, width.
    """

    projections: np.ndarray
    centers: np.ndarray
    size: tuple[int, int]

    @staticmethod
    def of(target: Camera, cameras: Camera, far: float) -> _Views:
        poses, pose = (one.camera_to_world.double().numpy() for one in (cameras, target))
        rotations = poses[:, :3, :3].transpose(0, 2, 1) @ pose[:3, :3]
        centers = (poses[:, :3, 3] - pose[:3, 3]) @ pose[:3, :3] / far
        to_cameras = np.concatenate([rotations, -rotations @ centers[..., None]], axis=-1)
        return _Views(
            cameras.intrinsics.double().numpy() @ to_cameras, centers, (cameras.height, cameras.width)
        )

    def __getitem__(self, chosen: np.ndarray) -> _Views:
        return _Views(self.projections[chosen], self.centers[chosen], self.size)

    def scores(self, points: np.ndarray) -> np.ndarray:
        """Scores [N, P] in [0, 1] at points [P, 3]: 0 outside the image, else by the angle of the rays."""
        along = (points**2).sum(axis=1) - self.centers @ points.T
        lengths = (points**2).sum(axis=1) * self._squared_distances(points)
        # Squares, as a square root and a power of 4 would take longer than all the rest.
        cosines = along**2 / lengths.clip(min=ROUNDING**4)
        return (self._inside(points) & (along > 0)) * cosines ** (SHARPNESS // 2)

    def _squared_distances(self, points: np.ndarray) -> np.ndarray:
        """From the cameras to points [P, 3]: [N, P]."""
        squares = (self.centers**2).sum(axis=1)[:, None] + (points**2).sum(axis=1)
        return squares - 2.0 * self.centers @ points.T

    def _inside(self, points: np.ndarray) -> np.ndarray:
        """Whether points [P, 3] lie before the cameras and in their images, borders included: [N, P]."""
        places = (axis[:, :3] @ points.T + axis[:, 3:] for axis in self.projections.transpose(1, 0, 2))
        column, row, depth = places
        height, width = self.size
        inside, slack = depth > 0, ROUNDING * depth
        for place, last in ((column, width - 1), (row, height - 1)):
            inside &= (place >= -slack) & (place <= last * depth + slack)
        return inside


def _points(target: Camera, near: float, grid: tuple[int, int, int]) -> np.ndarray:
    """Points [P, 3] in the frame of the target that its view may show, at depths from `near` to 1."""
    rows, columns, depths = grid
    across = (np.arange(columns) + 0.5) / columns * target.width - 0.5
    down = (np.arange(rows) + 0.5) / rows * target.height - 0.5
    pixels = np.stack([*np.meshgrid(across, down), np.ones((rows, columns))], axis=-1).reshape(-1, 3)
    directions = pixels @ np.linalg.inv(target.intrinsics.double().numpy()).T
    return (near ** np.linspace(1.0, 0.0, depths)[:, None, None] * directions).reshape(-1, 3)
