"""Lens distortion: how it is removed, and the pinhole camera that is then left.

Where a lens bends the picture inwards, a pinhole image of the same focal length would show places that the
photograph does not. So the camera that is left sees a little less: all its pixels lie in the photograph.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

# OpenCV takes the first 4, 5 or 8 coefficients.
DISTORTION_LENGTHS = (4, 5, 8)
# Pixels; a place so little outside the photograph is on its edge.
ON_THE_EDGE = 1e-2


class Lens:
    """A camera's intrinsics [3, 3] and distortion [8] (OpenCV's k1 k2 p1 p2 k3 k4 k5 k6), for photographs of
    height x width pixels.

    pinhole: float64 [3, 3], intrinsics of its pictures without distortion, which have the same size.
    """

    def __init__(self, intrinsics: np.ndarray, distortion: np.ndarray, height: int, width: int) -> None:
        self.height, self.width, self.distorts = height, width, bool(distortion.any())
        self.pinhole = intrinsics
        if self.distorts:
            self._key = intrinsics.tobytes(), coefficients(distortion), height, width
            self.pinhole = np.frombuffer(_pinhole(*self._key)).reshape(3, 3)

    def removed(self, pixels: np.ndarray, interpolation: int, outside: float = 0) -> np.ndarray:
        """Pixels [H, W] or [H, W, 3] of a photograph without its distortion; `outside` where it ends."""
        if not self.distorts:
            return pixels
        return cv2.remap(pixels, *_places(*self._key), interpolation, borderValue=outside)

    def covered(self) -> np.ndarray:
        """Which pixels without distortion the photograph shows, bool [H, W]: all, but for odd lenses."""
        return _covered(*self._key) if self.distorts else np.ones((self.height, self.width), bool)


def coefficients(stored: np.ndarray) -> tuple[float, ...]:
    """Eight distortion coefficients -> as few as OpenCV accepts; () for none."""
    used = int(np.flatnonzero(stored).max(initial=-1)) + 1
    if not used:
        return ()
    return tuple(stored[: next(length for length in DISTORTION_LENGTHS if length >= used)].tolist())


@lru_cache(maxsize=2)
def _places(
    intrinsics: bytes, distortion: tuple[float, ...], height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Where in the photograph each pixel without distortion is found: columns and rows, float32 [H, W]."""
    lens = np.frombuffer(intrinsics).reshape(3, 3)
    pinhole = np.frombuffer(_pinhole(intrinsics, distortion, height, width)).reshape(3, 3)
    maps = cv2.initUndistortRectifyMap(
        lens, np.array(distortion), None, pinhole, (width, height), cv2.CV_32FC1
    )
    # What is found on the edge is inside, but for rounding.
    for places, last in zip(maps, (width - 1, height - 1), strict=True):
        places[(places < 0) & (places >= -ON_THE_EDGE)] = 0
        places[(places > last) & (places <= last + ON_THE_EDGE)] = last
    return maps


@lru_cache(maxsize=2)
def _covered(intrinsics: bytes, distortion: tuple[float, ...], height: int, width: int) -> np.ndarray:
    """Pixels that are found in the photograph, up to the radius at which the polynomials of the distortion
    turn back: beyond it they would mirror what lies inside."""
    columns, rows = _places(intrinsics, distortion, height, width)
    inside = (columns >= 0) & (columns <= width - 1) & (rows >= 0) & (rows <= height - 1)
    pinhole = np.frombuffer(_pinhole(intrinsics, distortion, height, width)).reshape(3, 3)
    lens = np.frombuffer(intrinsics).reshape(3, 3)
    x = (np.arange(width) - pinhole[0, 2]) / pinhole[0, 0]
    y = ((np.arange(height) - pinhole[1, 2]) / pinhole[1, 1])[:, None]
    outwards = x * (columns - lens[0, 2]) / lens[0, 0] + y * (rows - lens[1, 2]) / lens[1, 1]
    (columns_down, columns_across), (rows_down, rows_across) = np.gradient(columns), np.gradient(rows)
    turned = (columns_across * rows_down - columns_down * rows_across <= 0) | (outwards < 0)
    radius = np.hypot(x, y)
    return inside & (radius < radius[turned].min(initial=np.inf))


@lru_cache(maxsize=1024)
def _pinhole(intrinsics: bytes, distortion: tuple[float, ...], height: int, width: int) -> bytes:
    """The intrinsics of the largest upright rectangle within both the photograph and its camera's own frame,
    float64 [3, 3] as bytes."""
    lens = np.frombuffer(intrinsics).reshape(3, 3)
    across, down = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)
    last_column, last_row = width - 1.0, height - 1.0

    def seen_at(columns: np.ndarray, rows: np.ndarray, axis: int) -> np.ndarray:
        """x or y at distance 1 in front of the camera of pixels of the photograph."""
        pixels = np.stack(np.broadcast_arrays(columns, rows), axis=-1)[:, None]
        return cv2.undistortPoints(pixels, lens, np.array(distortion))[:, 0, axis]

    # Each side of the photograph, bent; and where the camera without distortion has it.
    left = max(seen_at(np.zeros(1), down, 0).max(), -lens[0, 2] / lens[0, 0])
    right = min(seen_at(np.array([last_column]), down, 0).min(), (last_column - lens[0, 2]) / lens[0, 0])
    top = max(seen_at(across, np.zeros(1), 1).max(), -lens[1, 2] / lens[1, 1])
    bottom = min(seen_at(across, np.array([last_row]), 1).min(), (last_row - lens[1, 2]) / lens[1, 1])
    pinhole = lens.copy()
    if left < right and top < bottom:
        pinhole[0, 0], pinhole[1, 1] = last_column / (right - left), last_row / (bottom - top)
        pinhole[0, 2], pinhole[1, 2] = -left * pinhole[0, 0], -top * pinhole[1, 1]
    return pinhole.tobytes()
