"""Matrices in text files, and checks of poses and intrinsics."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gpnerf.system.errors import DataError

RIGID_TOLERANCE = 1e-3
# Metres; farther from the origin, float32 cannot distinguish places a centimetre apart.
FARTHEST = 1e5
WRITE = "write it in the form that data/README.md shows, or copy it again if it is damaged"
# Shares of the image's larger side: fields of view from 169 degrees down to one.
SHORTEST_FOCAL, LONGEST_FOCAL = 0.05, 50.0


def read_numbers(path: Path, columns: int) -> np.ndarray:
    """Reads a text file of rows of numbers as float64 [rows, columns]; DataError for anything else."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = "no such file" if isinstance(error, FileNotFoundError) else "an unreadable one"
        raise DataError(f"{path}: expected a text file, found {problem}; copy it again.") from error
    rows = [line.split() for line in text.splitlines() if line.strip()]
    wrong = next((number for number, row in enumerate(rows) if len(row) != columns), None)
    if not rows or wrong is not None:
        found = "none" if wrong is None else f"{len(rows[wrong])} in row {wrong}"
        raise DataError(f"{path}: expected {columns} numbers per row, found {found}; {WRITE}.")
    try:
        return np.array(rows, dtype=np.float64)
    except ValueError as error:
        raise DataError(f"{path}: expected numbers, found other text ({error}); {WRITE}.") from error


def check_pose(pose: np.ndarray, place: str, axes: str = "OpenCV") -> None:
    """Raises DataError unless pose [4, 4] is a finite rotation and translation.

    axes: convention that the file uses, for the message.
    """
    if not np.isfinite(pose).all():
        raise DataError(
            f"{place}: expected a finite pose, found inf or nan; remove the frame, as its pose is unknown."
        )
    if np.abs(pose).max() > FARTHEST:
        raise DataError(
            f"{place}: expected a camera within {FARTHEST:g} units of the origin, found "
            f"{np.abs(pose).max():g}; move the origin into the scene."
        )
    rotation = pose[:3, :3]
    rotates = np.allclose(rotation.T @ rotation, np.eye(3), rtol=0.0, atol=RIGID_TOLERANCE)
    last_row = np.allclose(pose[3], [0.0, 0.0, 0.0, 1.0], rtol=0.0, atol=RIGID_TOLERANCE)
    if rotates and last_row and np.linalg.det(rotation) > 0.0:
        return
    rows = ", ".join(" ".join(f"{value:.3g}" for value in row) for row in pose)
    raise DataError(
        f"{place}: expected a rotation and a translation (no scale, shear or mirroring, last row 0 0 0 1), "
        f"found the rows {rows} with determinant {np.linalg.det(rotation):.3g}; write camera-to-world "
        f"matrices in {axes} axes and metres."
    )


def check_intrinsics(intrinsics: np.ndarray, height: int, width: int, place: str) -> None:
    """Raises DataError unless intrinsics [3, 3] are plausible for images of this size, in pixels."""
    (fx, skew, cx), (zero, fy, cy), last = intrinsics
    larger = max(height, width)
    if [skew, zero, *last] != [0.0, 0.0, 0.0, 0.0, 1.0]:
        raise DataError(
            f"{place}: expected the intrinsics fx 0 cx, 0 fy cy, 0 0 1, found other values for 0 and 1; "
            "export them again."
        )
    lens = SHORTEST_FOCAL * larger <= min(fx, fy) <= max(fx, fy) <= LONGEST_FOCAL * larger
    if not (lens and abs(cx) <= 2 * width and abs(cy) <= 2 * height):
        raise DataError(
            f"{place}: expected focal lengths and a principal point for {width}x{height} pixels, found "
            f"({fx:g}, {fy:g}) and ({cx:g}, {cy:g}); give them in pixels of the images."
        )
