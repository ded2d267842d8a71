"""Image size, intrinsics, lens distortion and pose of a frame of transforms.json."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from gpnerf.datasets.files.matrices import check_intrinsics, check_pose
from gpnerf.datasets.files.records import Record
from gpnerf.datasets.transforms.text import LENS_KEYS
from gpnerf.geometry.cameras import OPENGL_TO_OPENCV
from gpnerf.media.images import image_size

# nerfstudio puts the centre of the top left pixel at (0.5, 0.5), cameras.py at (0, 0).
PIXEL_CENTER = 0.5
# Pixels; OpenCV cannot decode larger images.
LARGEST_SIDE = 1 << 20
# Order of nerfstudio's list `distortion_params`.
LISTED_LENS_KEYS = ("k1", "k2", "k3", "k4", "p1", "p2")


def size(frame: Record, image: Path) -> tuple[int, int]:
    """(height, width) that the file states, or else those of the image."""
    height, width = image_size(image)
    return frame.integer("h", height, 1, LARGEST_SIDE), frame.integer("w", width, 1, LARGEST_SIDE)


def intrinsics(frame: Record, height: int, width: int) -> np.ndarray:
    """Intrinsics [3, 3] in pixels, with pixel centres at integers."""
    focals = _focal(frame, "x", width), _focal(frame, "y", height)
    fl_x, fl_y = focals[0] or focals[1], focals[1] or focals[0]
    if fl_x is None:
        raise frame.fault("fl_x", "the focal length in pixels", "add it or 'camera_angle_x' in radians")
    cx = frame.number("cx", width / 2) - PIXEL_CENTER
    cy = frame.number("cy", height / 2) - PIXEL_CENTER
    matrix = np.array([[fl_x, 0.0, cx], [0.0, fl_y, cy], [0.0, 0.0, 1.0]])
    check_intrinsics(matrix, height, width, frame.place)
    return matrix


def _focal(frame: Record, axis: str, size: int) -> float | None:
    """Focal length in pixels, stated directly or as the full angle of view in radians or degrees (x_fov)."""
    focal = frame.positive(f"fl_{axis}")
    for key, half_turn, unit in (
        (f"camera_angle_{axis}", math.pi, "pi radians"),
        (f"{axis}_fov", 180.0, "180 degrees"),
    ):
        angle = frame.positive(key)
        if focal is None and angle is not None:
            if angle >= half_turn:
                raise frame.fault(key, f"below {unit}")
            focal = 0.5 * size / math.tan(0.5 * math.pi * angle / half_turn)
    return focal


def distortion(frame: Record) -> np.ndarray:
    """Distortion [8], OpenCV's k1 k2 p1 p2 k3 k4 k5 k6, from single keys or nerfstudio's list."""
    values = {key: frame.number(key, 0.0) for key in LENS_KEYS}
    if frame.values.get("distortion_params") is not None:
        values |= _listed_distortion(frame)
    rational = (frame.text("camera_model") or "").upper() == "FULL_OPENCV" or "k5" in frame.values
    if values["k4"] and not rational:
        raise frame.fault(
            "camera_model",
            f"FULL_OPENCV with k4 = {values['k4']:g} (OpenCV divides by k4, nerfstudio multiplies)",
            "write FULL_OPENCV if OpenCV's k4 is meant, or undistort the images first",
        )
    return np.array([values[key] for key in LENS_KEYS])


def _listed_distortion(frame: Record) -> dict[str, float]:
    listed = frame.values["distortion_params"]
    count = len(LISTED_LENS_KEYS)
    if not isinstance(listed, list) or len(listed) != count:
        raise frame.fault("distortion_params", f"the {count} numbers {', '.join(LISTED_LENS_KEYS)}")
    record = Record(f"{frame.place}: 'distortion_params'", dict(zip(LISTED_LENS_KEYS, listed, strict=True)))
    values = {key: record.number(key, 0.0) for key in LISTED_LENS_KEYS}
    other = [key for key, value in values.items() if frame.number(key, value) != value]
    if other:
        raise frame.fault("distortion_params", f"equal to '{other[0]}'", "keep one of the two")
    return values


def pose(
    frame: Record,
    key: str = "transform_matrix",
    shape: tuple[int, ...] = (4, 4),
    expected: str = "a 4x4 matrix of numbers",
) -> np.ndarray:
    """Camera-to-world [4, 4], OpenCV axes, from OpenGL axes. shape: of the list in the file."""
    try:
        matrix = np.array(frame.values.get(key), dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        matrix = np.empty(0)
    if matrix.shape != shape:
        raise frame.fault(key, expected)
    matrix = matrix.reshape(4, 4)
    check_pose(matrix, f"{frame.place}: '{key}'", axes="OpenGL")
    return matrix @ OPENGL_TO_OPENCV.numpy()
