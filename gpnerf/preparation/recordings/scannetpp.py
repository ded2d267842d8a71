"""Scenes of ScanNet++ (Yeshwanth et al. 2023): the iPhone's frames, or the DSLR's undistorted photographs.

iphone/pose_intrinsic_imu.json has, for each rgb/frame_000000.jpg, aligned_pose (camera-to-world in the world
of the mesh, OpenCV axes, metres) and intrinsic [3, 3]; depth/frame_000000.png has 16 bits, millimetres. The
dataset's toolbox takes images and depth from the videos. dslr/nerfstudio/transforms_undistorted.json has
OpenGL axes, test_frames besides frames, and is_bad for blurred ones; its images are in
resized_undistorted_images. Source: the documentation and the toolbox of the dataset.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gpnerf.datasets.files.records import Record, read_json_object
from gpnerf.datasets.splits import TEST, TRAIN
from gpnerf.preparation.recordings.recording import (
    Recording,
    Shot,
    existing,
    files_in,
    from_opengl,
    pinhole,
)
from gpnerf.system.errors import DataError

POSES, TRANSFORMS = "pose_intrinsic_imu.json", "nerfstudio/transforms_undistorted.json"
IMAGES = ("resized_undistorted_images", "undistorted_images")
MASKS = ("resized_undistorted_masks", "undistorted_anon_masks")
SHARED = ("fl_x", "fl_y", "cx", "cy", "w", "h")
CENTER = 0.0


def read_iphone(source: Path) -> Recording:
    """Reads the frames of the iPhone in the folder of a scene, or in its folder iphone.

    Frames of the video that the toolbox did not extract are left out. Raises DataError for faults.
    """
    folder = source if source.name == "iphone" else source / "iphone"
    file = existing(folder / POSES, "the poses of the iPhone")
    entries = Record(str(file), read_json_object(file))
    shots = []
    for image in files_in(folder / "rgb", (".jpg",)):
        record = entries.inner(image.stem)
        depth = folder / "depth" / f"{image.stem}.png"
        matrix = _matrix(record, "intrinsic", 3)
        intrinsics = pinhole(matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2], center=CENTER)
        pose = _matrix(record, "aligned_pose", 4)
        shots.append(Shot(image, pose, intrinsics, depth if depth.is_file() else None))
    return Recording(shots)


def read_dslr(source: Path) -> Recording:
    """Reads the DSLR's undistorted photographs in the folder of a scene, or in its folder dslr.

    Photographs that are marked as bad are left out. Raises DataError for faults.
    """
    folder = source if source.name == "dslr" else source / "dslr"
    file = existing(folder / TRANSFORMS, "the cameras of the undistorted photographs")
    top = Record(str(file), read_json_object(file))
    places = [
        next((folder / n for n in names if (folder / n).is_dir()), folder / names[0])
        for names in (IMAGES, MASKS)
    ]
    shots = []
    for key, split in (("frames", TRAIN), ("test_frames", TEST)):
        for frame in top.inner_list(key):
            if not frame.values.get("is_bad"):
                shots.append(_dslr_shot(frame, places, split))
    camera = {name: top.number(name) for name in SHARED}
    if None in camera.values():
        raise DataError(
            f"{file}: expected {', '.join(SHARED)}, found some missing; undistort the scene again."
        )
    return Recording(shots, camera)


def _dslr_shot(frame: Record, places: list[Path], split: str) -> Shot:
    pose = from_opengl(_matrix(frame, "transform_matrix", 4))
    name, mask = frame.text("file_path"), frame.text("mask_path")
    if name is None:
        raise frame.fault("file_path", "the name of a photograph")
    mask = places[1] / mask if mask and (places[1] / mask).is_file() else None
    return Shot(places[0] / name, pose, {}, mask=mask, split=split)


def _matrix(record: Record, key: str, size: int) -> np.ndarray:
    matrix: Any = record.values.get(key)
    try:
        matrix = np.array(matrix, np.float64)
    except (TypeError, ValueError):
        matrix = np.empty(0)
    if matrix.shape != (size, size):
        raise record.fault(
            key, f"a {size}x{size} matrix of numbers", "remove the photograph, or copy the file again"
        )
    return matrix
