"""Removal of lens distortion, and the pinhole camera of the undistorted photograph.

Where a lens bends a photograph inwards, a pinhole image of the same focal length would show places that are
not in the photograph. So the pinhole camera sees a little less, and all its pixels lie in the photograph.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

# Numbers of coefficients that OpenCV accepts.
DISTORTION_LENGTHS = (4, 5, 8)
# Pixels; a place less than this outside the photograph counts as on its edge.
ON_THE_EDGE = 1e-2


class Lens:
    """A lens: intrinsics [3, 3], distortion [8] (OpenCV's k1 k2 p1 p2 k3 k4 k5 k6), photographs of one size.

    pinhole: float64 [3, 3], intrinsics of the undistorted photographs, which keep their size.
    """

    def __init__(self, intrinsics: np.ndarray, distortion: np.ndarray, height: int, width: int) -> None:
        self.height, self.width, self.distorts = height, width, bool(distortion.any())
        self.pinhole = intrinsics
        if self.distorts:
            self._key = intrinsics.tobytes(), coefficients(distortion), height, width
            self.pinhole = np.frombuffer(_pinhole(*self._key)).reshape(3, 3)

    def removed(self, pixels: np.ndarray, interpolation: int, outside: float = 0) -> np.ndarray:
        """Undistorts pixels [H, W] or [H, W, 3]; the result is `outside` where the photograph has nothing."""
        if not self.distorts:
            return pixels
        return cv2.remap(pixels, *_places(*self._key), interpolation, borderValue=outside)

    def covered(self) -> np.ndarray:
        """Undistorted pixels that lie in the photograph, bool [H, W]: all of them, but for extreme lenses."""
        return _covered(*self._key) if self.distorts else np.ones((self.height, self.width), bool)


def coefficients(stored: np.ndarray) -> tuple[float, ...]:
    """Drops as many trailing zeros of the eight coefficients as OpenCV allows; () for no distortion."""
    used = int(np.flatnonzero(stored).max(initial=-1)) + 1
    if not used:
        return ()
    return tuple(stored[: next(length for length in DISTORTION_LENGTHS if length >= used)].tolist())


@lru_cache(maxsize=2)
def _places(
    intrinsics: bytes, distortion: tuple[float, ...], height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Where each undistorted pixel lies in the photograph: columns and rows, float32 [H, W]."""
    lens = np.frombuffer(intrinsics).reshape(3, 3)
    pinhole = np.frombuffer(_pinhole(intrinsics, distortion, height, width)).reshape(3, 3)
    maps = cv2.initUndistortRectifyMap(
        lens, np.array(distortion), None, pinhole, (width, height), cv2.CV_32FC1
    )
    # The pinhole camera touches the edges: rounding must not put its outermost pixels outside.
    for places, last in zip(maps, (width - 1, height - 1), strict=True):
        places[(places < 0) & (places >= -ON_THE_EDGE)] = 0
        places[(places > last) & (places <= last + ON_THE_EDGE)] = last
    return maps


@lru_cache(maxsize=2)
def _covered(intrinsics: bytes, distortion: tuple[float, ...], height: int, width: int) -> np.ndarray:
    """Undistorted pixels that lie in the photograph, bool [H, W].

    They end at the radius at which the distortion's polynomials turn back: beyond it they would repeat the
    inner part mirrored.
    """
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
    """Intrinsics of the pinhole camera, float64 [3, 3] as bytes, which lru_cache can hash.

    It sees the largest upright rectangle that lies both in the undistorted photograph and in the image of the
    camera without distortion.
    """
    lens = np.frombuffer(intrinsics).reshape(3, 3)
    across, down = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)
    last_column, last_row = width - 1.0, height - 1.0

    def seen_at(columns: np.ndarray, rows: np.ndarray, axis: int) -> np.ndarray:
        """x (axis 0) or y (axis 1) at z-depth 1 of pixels of the photograph, undistorted."""
        pixels = np.stack(np.broadcast_arrays(columns, rows), axis=-1)[:, None]
        return cv2.undistortPoints(pixels, lens, np.array(distortion))[:, 0, axis]

    # A side of the rectangle is the inner one of the photograph's bent side and the undistorted camera's.
    left = max(seen_at(np.zeros(1), down, 0).max(), -lens[0, 2] / lens[0, 0])
    right = min(seen_at(np.array([last_column]), down, 0).min(), (last_column - lens[0, 2]) / lens[0, 0])
    top = max(seen_at(across, np.zeros(1), 1).max(), -lens[1, 2] / lens[1, 1])
    bottom = min(seen_at(across, np.array([last_row]), 1).min(), (last_row - lens[1, 2]) / lens[1, 1])
    pinhole = lens.copy()
    if left < right and top < bottom:
        pinhole[0, 0], pinhole[1, 1] = last_column / (right - left), last_row / (bottom - top)
        pinhole[0, 2], pinhole[1, 2] = -left * pinhole[0, 0], -top * pinhole[1, 1]
    return pinhole.tobytes()
