"""Camera paths on disk: nerfstudio's camera_path.json, and frames in the form of transforms.json.

A camera_path.json has render_height, render_width, fps or seconds, camera_type and, per frame in the list
`camera_path`, camera_to_world (16 numbers, row by row, OpenGL axes) and fov (vertical, in degrees). Its
keyframes, from which nerfstudio made the frames, are not read. In a transforms.json, frames need no images.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from gpnerf.datasets.files.records import Record, printable, read_json_object
from gpnerf.datasets.transforms import camera
from gpnerf.datasets.transforms.keys import PINHOLE, is_refused
from gpnerf.datasets.transforms.text import FrameRecord, frame_records
from gpnerf.geometry.camera_path import FPS, CameraPath
from gpnerf.geometry.cameras import OPENGL_TO_OPENCV, Camera
from gpnerf.media.video import LARGEST_SIDE
from gpnerf.system.errors import DataError
from gpnerf.system.files import write_whole

log = logging.getLogger(__name__)

PERSPECTIVE = "perspective"
# Poses of camera_path.json: the key, the shape of the list, and what it is called.
MATRIX = "camera_to_world", (16,), "a list of 16 numbers"
HALF_TURN = 180.0
# Pixels by which a camera may differ from one with square pixels and a centred principal point.
ROUNDING = 1e-3


def read_camera_path(path: Path) -> CameraPath:
    """Reads a camera path; raises DataError for a file that is damaged, empty or of another kind."""
    top = Record(str(path), read_json_object(path))
    if "camera_path" in top.values:
        return _read_nerfstudio(top)
    if "frames" in top.values:
        return _read_transforms(top)
    keys = ", ".join(map(printable, top.values)) or "none"
    raise DataError(
        f"{path}: expected the key 'camera_path' (nerfstudio) or 'frames' (transforms.json), found {keys}; "
        "export the path as nerfstudio's camera_path.json."
    )


def write_camera_path(path: Path, camera_path: CameraPath) -> None:
    """Writes a camera_path.json; raises DataError for cameras that it cannot hold.

    It holds square pixels and principal points in the centre of the image.
    """
    cameras, fov = camera_path.cameras, camera_path.fov
    plain = CameraPath.of(cameras.camera_to_world, fov, cameras.height, cameras.width).cameras
    if not torch.allclose(cameras.intrinsics.double(), plain.intrinsics, rtol=0.0, atol=ROUNDING):
        raise DataError(
            f"{path}: expected cameras with square pixels and a centred principal point, found others; write "
            "their frames as transforms.json."
        )
    aspect = cameras.width / cameras.height
    poses = (cameras.camera_to_world.double() @ OPENGL_TO_OPENCV).flatten(1).tolist()
    values = {
        "camera_type": PERSPECTIVE,
        "render_height": cameras.height,
        "render_width": cameras.width,
        "fps": camera_path.fps,
        "seconds": len(camera_path) / camera_path.fps,
        "camera_path": [
            {"camera_to_world": pose, "fov": angle, "aspect": aspect}
            for pose, angle in zip(poses, fov.tolist(), strict=True)
        ],
    }
    write_whole(path, json.dumps(values, indent=1))


def _read_nerfstudio(top: Record) -> CameraPath:
    if str(top.values.get("camera_type") or PERSPECTIVE).lower() != PERSPECTIVE:
        raise top.fault("camera_type", f"'{PERSPECTIVE}'", "record the path with a perspective camera")
    if top.values.get("crop"):
        log.warning(f"Warning: {top.place}: 'crop' is not used: the whole scene is rendered.")
    height, width = (top.integer(f"render_{side}", 0, 1, LARGEST_SIDE) for side in ("height", "width"))
    frames = _frames(top)
    poses = torch.from_numpy(np.stack([camera.pose(frame, *MATRIX) for frame in frames]))
    fov = torch.tensor([_fov(frame) for frame in frames], dtype=torch.float64)
    return CameraPath.of(poses, fov, height, width, _fps(top, len(frames)))


def _frames(top: Record) -> list[Record]:
    frames = top.values["camera_path"]
    if not isinstance(frames, list) or not frames:
        remedy = "generate the path, then save it again"
        raise top.fault("camera_path", "a list of at least one frame", remedy)
    if not all(isinstance(frame, dict) for frame in frames):
        raise top.fault("camera_path", "a list of objects")
    return [Record(f"{top.place}, frame {number}", frame) for number, frame in enumerate(frames)]


def _fov(frame: Record) -> float:
    angle = frame.positive("fov")
    if angle is None or angle >= HALF_TURN:
        raise frame.fault("fov", "the vertical field of view, above 0 and below 180 degrees")
    return angle


def _fps(top: Record, frames: int) -> float:
    seconds = top.positive("seconds")
    return top.positive("fps", FPS if seconds is None else frames / seconds)


def _read_transforms(top: Record) -> CameraPath:
    frames = frame_records(top)
    cameras = Camera.stack([_camera(frame) for frame in frames])
    _check_one_size(frames)
    return CameraPath(cameras, top.positive("fps", FPS))


def _camera(frame: FrameRecord) -> Camera:
    """The camera of a frame, as if its lens did not distort."""
    if is_refused(frame):
        raise DataError(
            f"{frame.record.place}: expected {PINHOLE}, found another; give the path as pinhole cameras."
        )
    height, width = _size(frame)
    intrinsics = camera.intrinsics(frame.record, height, width)
    matrices = (torch.from_numpy(matrix) for matrix in (intrinsics, camera.pose(frame.record)))
    return Camera(*matrices, height, width)


def _size(frame: FrameRecord) -> tuple[int, int]:
    return frame.record.integer("h", 0, 1, LARGEST_SIDE), frame.record.integer("w", 0, 1, LARGEST_SIDE)


def _check_one_size(frames: Sequence[FrameRecord]) -> None:
    first = _size(frames[0])
    for frame in frames:
        height, width = _size(frame)
        if (height, width) != first:
            raise DataError(
                f"{frame.record.place}: expected {first[0]}x{first[1]} pixels as in the first frame, found "
                f"{height}x{width}; give all frames of a path one size."
            )
