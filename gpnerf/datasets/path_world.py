"""Camera paths from the world in which nerfstudio trains to the world of a scene's transforms.json.

nerfstudio turns, moves and scales the poses that it reads, x -> scale (R x + t), and its viewer records paths
in that world. dataparser_transforms.json beside its config.yml holds `transform`, [R | t] as 3x4 numbers, and
`scale`. Where the transforms.json has `applied_transform` A and `applied_scale` a, that file does not start
from the poses of the transforms.json but from those before A and a: it holds [R | t] A and scale * a.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from gpnerf.datasets.files.matrices import check_pose
from gpnerf.datasets.files.records import Record, read_json_object
from gpnerf.datasets.transforms.text import FILE_NAME
from gpnerf.geometry.camera_path import CameraPath

# What nerfstudio takes as applied where a scene with COLMAP's model does not state it.
OF_COLMAP = [[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0]]
COLMAP_MODEL = "colmap/sparse/0"


def into_scene(camera_path: CameraPath, file: Path, folder: Path) -> CameraPath:
    """Moves a path that nerfstudio recorded into the world of the scene in `folder`.

    file: its dataparser_transforms.json. Raises DataError if that is none.
    """
    record = Record(str(file), read_json_object(file))
    applied, applied_scale = _applied(folder)
    turn_and_move = _rigid(record, "transform") @ np.linalg.inv(applied)
    scale = record.positive("scale", 1.0) / applied_scale
    cameras = camera_path.cameras
    poses = cameras.camera_to_world.clone()
    poses[:, :3, 3] /= scale
    poses = torch.from_numpy(np.linalg.inv(turn_and_move)) @ poses
    return replace(camera_path, cameras=replace(cameras, camera_to_world=poses))


def _applied(folder: Path) -> tuple[np.ndarray, float]:
    """A [4, 4] and a of the scene in `folder`; the identity and 1 if nothing was applied."""
    file = folder / FILE_NAME
    record = Record(str(file), read_json_object(file) if file.is_file() else {})
    if "applied_transform" not in record.values and (folder / COLMAP_MODEL).exists():
        record.values["applied_transform"] = OF_COLMAP
    stated = "applied_transform" in record.values
    matrix = _rigid(record, "applied_transform") if stated else np.eye(4)
    return matrix, record.positive("applied_scale", 1.0)


def _rigid(record: Record, key: str) -> np.ndarray:
    """A rotation and translation [4, 4] from 3x4 numbers."""
    try:
        matrix = np.array(record.values.get(key), dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        matrix = np.empty(0)
    if matrix.shape != (3, 4):
        raise record.fault(key, "3x4 numbers", "give nerfstudio's dataparser_transforms.json")
    matrix = np.vstack([matrix, [0.0, 0.0, 0.0, 1.0]])
    check_pose(matrix, f"{record.place}: '{key}'", axes="the same")
    return matrix
