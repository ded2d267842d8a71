"""Sequences of the TUM RGB-D benchmark (Sturm et al. 2012).

rgb.txt and depth.txt list files by their time in seconds, groundtruth.txt has lines `time tx ty tz qx qy qz
qw`: poses of the colour camera in the world, OpenCV axes, metres. Depth has 5000 stored units per metre, 0 =
unknown, and lies on the pixels of the colour image. Source: the benchmark's page on file formats.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gpnerf.preparation.recordings.recording import Recording, Shot, existing, pinhole, quaternion_pose
from gpnerf.system.errors import ConfigError, DataError

# Seconds between a photograph and its pose or depth map, as in the benchmark's associate.py.
FARTHEST = 0.02
UNITS_PER_METER = 5000.0
# fx, fy, cx, cy (integer pixel centres) and k1 k2 p1 p2 k3 of the colour cameras, by a word of the folder.
CAMERAS = {
    "freiburg1": ((517.3, 516.5, 318.6, 255.3), (0.2624, -0.9531, -0.0054, 0.0026, 1.1633)),
    "freiburg2": ((520.9, 521.0, 325.1, 249.7), (0.2312, -0.7849, -0.0033, -0.0001, 0.9172)),
    "freiburg3": ((535.4, 539.2, 320.1, 247.6), (0.0, 0.0, 0.0, 0.0, 0.0)),
}
LENS = ("k1", "k2", "p1", "p2", "k3")
CENTER = 0.0


def read(source: Path) -> Recording:
    """Reads the folder of a sequence; photographs without a pose at their time are left out.

    Raises DataError if a list is missing or no photograph has a pose, ConfigError for an unknown camera.
    """
    camera = _camera(source)
    times, images = _listed(source, "rgb.txt", 1)
    depth_times, depths = _listed(source, "depth.txt", 1)
    pose_times, rows = _listed(source, "groundtruth.txt", 7)
    shots = []
    for time, (image,) in zip(times, images, strict=True):
        pose, depth = nearest(time, pose_times), nearest(time, depth_times)
        if pose is not None:
            *position, qx, qy, qz, qw = map(float, rows[pose])
            matrix = quaternion_pose((qx, qy, qz, qw), position, f"{source / 'groundtruth.txt'}, {time:f}")
            shots.append(
                Shot(source / image, matrix, {}, None if depth is None else source / depths[depth][0])
            )
    if not shots:
        raise DataError(
            f"{source}: expected poses within {FARTHEST} s of photographs, found none; the lists belong to "
            "different sequences."
        )
    return Recording(shots, {**camera, "depth_unit_scale_factor": 1.0 / UNITS_PER_METER})


def nearest(time: float, times: np.ndarray) -> int | None:
    """Position of the time that is nearest to another, None unless it is nearer than FARTHEST."""
    best = int(np.abs(times - time).argmin())
    return best if abs(times[best] - time) < FARTHEST else None


def _camera(source: Path) -> dict[str, float]:
    word = next((word for word in CAMERAS if word in source.resolve().name), None)
    if word is None:
        raise ConfigError(
            f"{source}: expected the name of a sequence with {', '.join(CAMERAS)}, which tells the camera, "
            "found another; give the folder its original name."
        )
    intrinsics, lens = CAMERAS[word]
    return {**pinhole(*intrinsics, center=CENTER), **dict(zip(LENS, lens, strict=True))}


def _listed(source: Path, name: str, columns: int) -> tuple[np.ndarray, list[Sequence[str]]]:
    """Times [N] and the other words of the lines of a list."""
    path = existing(source / name, "a list of the sequence")
    # Signs that are no text make a line wrong, which is said below.
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    wrong = next((row for row in rows if len(row) != columns + 1), None)
    try:
        times = np.array([float(row[0]) for row in rows])
        if columns > 1:
            np.array(rows, np.float64)
    except ValueError:
        times, wrong = np.empty(0), wrong or rows[0]
    if wrong is not None or not rows:
        raise DataError(
            f"{path}: expected lines of a time and {columns} more, found {' '.join(wrong or ['none'])!r}; "
            "download it again."
        )
    return times, [row[1:] for row in rows]
