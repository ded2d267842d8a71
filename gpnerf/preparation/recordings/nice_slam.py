"""Replica as NICE-SLAM's authors rendered it: one folder per scene, cam_params.json beside the folders.

traj.txt has a camera-to-world matrix per line, 16 numbers, OpenCV axes, metres; results/ has frame000000.jpg
and depth000000.png, 16 bits, `scale` stored units per metre. Source: the release of NICE-SLAM (Zhu et al.
2022) and its loader, which turns the axes of these poses to OpenGL's.
"""

from __future__ import annotations

from pathlib import Path

from gpnerf.datasets.files.matrices import read_numbers
from gpnerf.datasets.files.records import Record, read_json_object
from gpnerf.preparation.recordings.recording import (
    Recording,
    Shot,
    check_count,
    existing,
    files_in,
    pinhole,
)
from gpnerf.system.errors import DataError

CAMERA, TRAJECTORY, RESULTS = "cam_params.json", "traj.txt", "results"
# Pixel centres are integers.
CENTER = 0.0


def read(source: Path) -> Recording:
    """Reads the folder of a scene. Raises DataError if files are missing or their numbers differ."""
    beside = (folder / CAMERA for folder in (source, source.parent))
    file = existing(next(filter(Path.is_file, beside), source.parent / CAMERA), "the camera of the scenes")
    camera = Record(str(file), read_json_object(file)).inner("camera")
    numbers = [camera.number(key) for key in ("fx", "fy", "cx", "cy")]
    scale = camera.positive("scale")
    if None in (*numbers, scale):
        raise DataError(
            f"{camera.place}: expected fx, fy, cx, cy and scale, found some missing; download the file again."
        )
    images = files_in(source / RESULTS, (".jpg",))
    depths = files_in(source / RESULTS, (".png",))
    poses = read_numbers(existing(source / TRAJECTORY, "a pose per line"), 16).reshape(-1, 4, 4)
    check_count(source / TRAJECTORY, "pose", len(poses), len(images))
    check_count(source / RESULTS, "depth map", len(depths), len(images))
    shared = pinhole(*numbers, center=CENTER)
    shots = [Shot(image, pose, {}, depth) for image, pose, depth in zip(images, poses, depths, strict=True)]
    return Recording(shots, {**shared, "depth_unit_scale_factor": 1.0 / scale})
