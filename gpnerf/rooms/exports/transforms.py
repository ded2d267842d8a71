"""Writes a room as transforms.json with images/, depth/ (millimetres), semantic/ and instance/."""

from __future__ import annotations

import json
from pathlib import Path

from gpnerf.geometry.cameras import OPENGL_TO_OPENCV, Camera
from gpnerf.media.images import write_image
from gpnerf.rooms.layout import CLASS_NAMES
from gpnerf.rooms.shots import Job, shots
from gpnerf.rooms.tracer import Picture

FILE_NAME = "transforms.json"
# Key of a frame -> folder of its files.
FOLDERS = {
    "file_path": "images",
    "depth_file_path": "depth",
    "semantic_path": "semantic",
    "instance_path": "instance",
}


def write_transforms(job: Job, folder: Path) -> None:
    """Writes all views of a room and its transforms.json into the empty `folder`."""
    for name in FOLDERS.values():
        (folder / name).mkdir()
    frames = []
    for index, (camera, picture) in enumerate(shots(job)):
        frames.append(_write_frame(folder, index, picture, camera))
    width, height = job.shoot.width, job.shoot.height
    values = {
        "w": width,
        "h": height,
        "fl_x": float(camera.intrinsics[0, 0]),
        "fl_y": float(camera.intrinsics[1, 1]),
        # nerfstudio puts pixel centres at + 0.5.
        "cx": width / 2,
        "cy": height / 2,
        "semantic_classes": list(CLASS_NAMES),
        "frames": frames,
    }
    (folder / FILE_NAME).write_text(json.dumps(values, indent=1))


def _write_frame(folder: Path, index: int, picture: Picture, camera: Camera) -> dict:
    """Writes the four images of a view and returns its record."""
    maps = (picture.color, picture.depth, picture.semantic, picture.instance)
    record: dict = {}
    for (key, name), pixels in zip(FOLDERS.items(), maps, strict=True):
        record[key] = f"{name}/{index:04d}.png"
        write_image(folder / record[key], pixels)
    record["transform_matrix"] = (camera.camera_to_world.double() @ OPENGL_TO_OPENCV).tolist()
    return record
