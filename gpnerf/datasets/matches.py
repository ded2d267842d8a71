"""Matches between photographs, and the z-depths that they show when the poses are known."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

# Features per photograph: the strongest ones.
FEATURES = 2000
# Largest ratio of the distances to the best and the second best descriptor (Lowe's test).
LARGEST_RATIO = 0.8
# Pixels between a feature and the projection of its triangulated point.
LARGEST_ERROR = 2.0
# Degrees between the two rays to a point; with less, noise of a pixel decides the depth.
LEAST_PARALLAX = 1.5
# Photographs that each one is matched with, and the largest angle in degrees between viewing directions.
NEIGHBORS, LARGEST_TURN = 4, 45.0
# Smallest distance of two cameras that are matched, as a share of the extent of all cameras.
LEAST_BASELINE = 0.02


class Features(NamedTuple):
    """N features of a photograph. pixels: [N, 2] as (column, row); descriptors: [N, D]."""

    pixels: np.ndarray
    descriptors: np.ndarray


NONE = Features(np.zeros((0, 2)), np.zeros((0, 128), np.float32))


class Pinhole(NamedTuple):
    """A camera. intrinsics: [3, 3] pixels; pose: [4, 4] camera-to-world, OpenCV axes; both float64."""

    intrinsics: np.ndarray
    pose: np.ndarray

    def directions(self, pixels: np.ndarray) -> np.ndarray:
        """Rays through pixels [N, 2] in the world, with z = 1 in the camera: [N, 3]."""
        homogeneous = np.column_stack([pixels, np.ones(len(pixels))])
        return homogeneous @ np.linalg.inv(self.intrinsics).T @ self.pose[:3, :3].T

    @np.errstate(divide="ignore", invalid="ignore")
    def project(self, points: np.ndarray) -> np.ndarray:
        """Projects points [N, 3] in the world to pixels [N, 2]; inf or nan in the plane of the camera."""
        image = (points - self.pose[:3, 3]) @ self.pose[:3, :3] @ self.intrinsics.T
        return image[:, :2] / image[:, 2:]


class Triangulated(NamedTuple):
    """N points seen from two cameras.

    depths: [N, 2] z-depths in the two cameras; errors: [N] pixels, the larger distance of the two between a
    feature and the projection of the point; parallax: [N] degrees between the rays.
    """

    depths: np.ndarray
    errors: np.ndarray
    parallax: np.ndarray

    @property
    def agree(self) -> np.ndarray:
        """Whether the two features can be one point in front of both cameras: bool [N]."""
        return (self.errors < LARGEST_ERROR) & (self.depths > 0.0).all(axis=1)

    @property
    def usable(self) -> np.ndarray:
        """Whether a point agrees and its parallax says how far away it is: bool [N]."""
        return self.agree & (self.parallax >= LEAST_PARALLAX)


def find_features(image: np.ndarray, mask: np.ndarray | None) -> Features:
    """Finds SIFT features of an 8-bit colour image [H, W, 3]; mask: bool [H, W], False where none may lie."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    allowed = None if mask is None else mask.astype(np.uint8)
    found, descriptors = cv2.SIFT_create(nfeatures=FEATURES).detectAndCompute(gray, allowed)
    if not found:
        return NONE
    return Features(np.array([one.pt for one in found]), descriptors)


def mutual_matches(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Matches descriptors [N, D] and [M, D]: rows [K, 2] of either.

    Each is the nearest of the other, and in both directions clearly nearer than the second nearest.
    """
    if min(len(one), len(other)) < 2:
        return np.zeros((0, 2), int)
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2.0 * one @ other.T
    there, back = squares.argmin(axis=1), squares.argmin(axis=0)
    rows = np.arange(len(one))
    kept = (back[there] == rows) & _distinct(squares) & _distinct(squares.T)[there]
    return np.column_stack([rows, there])[kept]


def _distinct(squares: np.ndarray) -> np.ndarray:
    """Whether the smallest squared distance of each row passes the ratio test: bool [N]."""
    nearest = np.partition(squares, 1, axis=1)[:, :2]
    return nearest[:, 0] < LARGEST_RATIO**2 * nearest[:, 1]


@np.errstate(divide="ignore", invalid="ignore")
def triangulate(first: Pinhole, second: Pinhole, pixels: np.ndarray, others: np.ndarray) -> Triangulated:
    """Finds the points that are nearest to the rays through pixels [N, 2] of two cameras.

    Parallel rays have no such point: their depths and errors are not finite.
    """
    rays, other_rays = first.directions(pixels), second.directions(others)
    baseline = second.pose[:3, 3] - first.pose[:3, 3]
    square, other_square = (rays**2).sum(axis=1), (other_rays**2).sum(axis=1)
    product = (rays * other_rays).sum(axis=1)
    along, other_along = rays @ baseline, other_rays @ baseline
    # The shortest line between two rays is normal to both: two equations for the two z-depths.
    determinant = square * other_square - product**2
    depth = (other_square * along - product * other_along) / determinant
    other_depth = (product * along - square * other_along) / determinant
    end, other_end = depth[:, None] * rays, baseline + other_depth[:, None] * other_rays
    points = first.pose[:3, 3] + (end + other_end) / 2.0
    errors = [
        np.linalg.norm(camera.project(points) - seen, axis=1)
        for camera, seen in ((first, pixels), (second, others))
    ]
    cosines = product / np.sqrt(square * other_square)
    depths = np.column_stack([depth, other_depth])
    return Triangulated(depths, np.maximum(*errors), np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0))))


def pairs_to_match(poses: np.ndarray) -> list[tuple[int, int]]:
    """Chooses pairs (i, j), i < j, of the cameras [N, 4, 4] that look the same way from different places.

    Each camera is paired with the nearest ones whose distance is not too small for parallax.
    """
    centers, gazes = poses[:, :3, 3], poses[:, :3, 2]
    distances = np.linalg.norm(centers[:, None] - centers, axis=-1)
    least = LEAST_BASELINE * np.ptp(centers, axis=0).max()
    alike = gazes @ gazes.T > np.cos(np.radians(LARGEST_TURN))
    ranked = np.where(alike & (distances > least), distances, np.inf)
    chosen = set()
    for camera, row in enumerate(ranked):
        for other in np.argsort(row, kind="stable")[:NEIGHBORS].tolist():
            if np.isfinite(row[other]):
                chosen.add((min(camera, other), max(camera, other)))
    return sorted(chosen)
