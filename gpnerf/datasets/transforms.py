"""transforms.json of nerfstudio / instant-ngp -> Scene.

Beyond nerfstudio's keys a frame may name `semantic_path` and `instance_path`, and the top level
`semantic_classes` (names in the order of their ids), `ignore_label` (255), `near` and `far` in metres.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gpnerf.cameras import OPENGL_TO_OPENCV, Camera
from gpnerf.datasets.depth_range import measured_range
from gpnerf.datasets.labels import LabelSpace
from gpnerf.datasets.records import Record, read_json_object
from gpnerf.datasets.scene import Scene, View
from gpnerf.errors import DataError
from gpnerf.images import image_size

FILE_NAME = "transforms.json"
DEFAULT_NEAR, DEFAULT_FAR = 0.1, 10.0
DEFAULT_IGNORE_LABEL = 255
MILLIMETRE = 0.001
# Field of View -> key of a frame.
PATH_KEYS = {
    "image": "file_path",
    "depth": "depth_file_path",
    "semantic": "semantic_path",
    "instance": "instance_path",
}
# instant-ngp leaves the extension out.
IMAGE_SUFFIXES = ("", ".png", ".jpg", ".jpeg")
CAMERA_MODELS = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL")
DISTORTION_KEYS = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
# OpenCV takes the first 4, 5 or 8 coefficients.
DISTORTION_LENGTHS = (4, 5, 8)
# nerfstudio puts the centre of the top left pixel at (0.5, 0.5), cameras.py at (0, 0).
PIXEL_CENTER = 0.5
RIGID_TOLERANCE = 1e-3
LISTED_FILES = 10


def load_transforms(folder: Path, near: float | None = None, far: float | None = None) -> Scene:
    """The scene in `folder`, frames in the order of the numbers in their file names.

    near, far: z-depth range in metres; they go before the file's, which go before what some depth maps
    show, which goes before 0.1 and 10. Raises DataError for anything missing, wrong or unsupported; of the
    pixels, only those depth maps are looked at.
    """
    folder = Path(folder)
    top, frames = _read_records(folder)
    depth_unit = top.positive("depth_unit_scale_factor", MILLIMETRE)
    labels = _labels(top, frames)
    files = _find_files(folder, frames)
    views = [_view(frame, paths) for frame, paths in zip(frames, files, strict=True)]
    near, far = _depth_range(
        top, near, far, [paths["depth"] for paths in files if "depth" in paths], depth_unit
    )
    return Scene(
        name=folder.resolve().name,
        views=_ordered(views, folder),
        near=near,
        far=far,
        labels=labels,
        depth_unit=depth_unit,
    )


def _read_records(folder: Path) -> tuple[Record, list[Record]]:
    """The top level and the frames, to which keys of the top level (shared intrinsics) are passed down."""
    path = folder / FILE_NAME
    if not path.is_file():
        found = "none in it" if folder.is_dir() else "no such folder"
        raise DataError(
            f"{folder}: expected a folder with a {FILE_NAME}, found {found}; correct the path or write the "
            "file with ns-process-data."
        )
    values = read_json_object(path)
    top = Record(str(path), values)
    frames = values.get("frames")
    if not isinstance(frames, list) or not frames:
        raise top.fault("frames", "a list of at least one frame")
    shared = {key: value for key, value in values.items() if key != "frames"}
    records = []
    for number, frame in enumerate(frames):
        if not isinstance(frame, dict):
            raise Record(str(path), {f"frames[{number}]": frame}).fault(f"frames[{number}]", "an object")
        own = {key: value for key, value in frame.items() if value is not None}
        records.append(Record(f"{path}, frame {number} ({frame.get('file_path')})", shared | own))
    return top, records


def _depth_range(
    top: Record, near: float | None, far: float | None, depths: list[Path], unit: float
) -> tuple[float, float]:
    near = top.positive("near") if near is None else near
    far = top.positive("far") if far is None else far
    if near is None or far is None:
        measured = measured_range(depths, unit) or (DEFAULT_NEAR, DEFAULT_FAR)
        near = measured[0] if near is None else near
        far = measured[1] if far is None else far
    if not 0.0 < near < far < math.inf:
        raise DataError(
            f"{top.place}: expected 0 < near < far in metres, found near {near:g} and far {far:g}; "
            "correct 'near' and 'far' in the file or in the options."
        )
    return near, far


def _labels(top: Record, frames: list[Record]) -> LabelSpace | None:
    names = top.values.get("semantic_classes")
    if names is None:
        labelled = [frame for frame in frames if frame.text("semantic_path")]
        if labelled:
            raise top.fault(
                "semantic_classes",
                f"the list of class names, as {len(labelled)} frames have a 'semantic_path'",
                "add the names in the order of their ids",
            )
        return None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise top.fault("semantic_classes", "a list of class names")
    return LabelSpace(tuple(names), top.integer("ignore_label", DEFAULT_IGNORE_LABEL))


def _find_files(folder: Path, frames: list[Record]) -> list[dict[str, Path]]:
    """The files of every frame by View field; all that are missing are reported together."""
    found: list[dict[str, Path]] = []
    missing: list[str] = []
    for frame in frames:
        found.append({})
        if not frame.text("file_path"):
            raise frame.fault("file_path", "the path of an image")
        for field, key in PATH_KEYS.items():
            text = frame.text(key)
            path = None if text is None else _find_file(folder, frame, key)
            if path is not None:
                found[-1][field] = path
            elif text is not None:
                missing.append(text)
    if missing:
        rest = f" and {len(missing) - LISTED_FILES} more" if len(missing) > LISTED_FILES else ""
        raise DataError(
            f"{folder / FILE_NAME}: {len(missing)} of the files it names are missing from {folder}: "
            f"{', '.join(missing[:LISTED_FILES])}{rest}; copy them there or remove their frames."
        )
    return found


def _find_file(folder: Path, frame: Record, key: str) -> Path | None:
    relative = frame.values[key]
    if Path(relative).is_absolute() or ".." in Path(relative).parts:
        raise frame.fault(key, f"a path inside {folder}", "move the files there and write relative paths")
    candidates = (folder / (relative + suffix) for suffix in IMAGE_SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)


def _view(frame: Record, paths: dict[str, Path]) -> View:
    """One view, named by `_ordered` later; only the headers of its files are read."""
    fisheye = frame.values.get("is_fisheye")
    if fisheye or (frame.text("camera_model") or CAMERA_MODELS[0]).upper() not in CAMERA_MODELS:
        raise frame.fault(
            "is_fisheye" if fisheye else "camera_model",
            f"a pinhole camera with OpenCV distortion ({', '.join(CAMERA_MODELS)})",
            "undistort the images first with ns-process-data or COLMAP's image_undistorter",
        )
    camera = _camera(frame, paths["image"])
    for path in paths.values():
        height, width = image_size(path)
        if (height, width) != (camera.height, camera.width):
            raise DataError(
                f"{path}: expected {camera.width}x{camera.height} pixels as {FILE_NAME} says, "
                f"found {width}x{height}; resize the file, or correct w, h and the intrinsics together."
            )
    return View(name="", camera=camera, distortion=_distortion(frame), **paths)


def _camera(frame: Record, image: Path) -> Camera:
    stored_height, stored_width = image_size(image)
    width, height = frame.integer("w", stored_width), frame.integer("h", stored_height)
    fl_x = _focal(frame, "fl_x", "camera_angle_x", width)
    if fl_x is None:
        raise frame.fault("fl_x", "the focal length in pixels", "add it or 'camera_angle_x' in radians")
    fl_y = _focal(frame, "fl_y", "camera_angle_y", height) or fl_x
    cx = frame.number("cx", width / 2) - PIXEL_CENTER
    cy = frame.number("cy", height / 2) - PIXEL_CENTER
    return Camera.from_focal(fl_x, fl_y, cx, cy, _pose(frame) @ OPENGL_TO_OPENCV.double(), height, width)


def _focal(frame: Record, key: str, angle_key: str, size: int) -> float | None:
    """Focal length in pixels, given directly or by the full angle of view in radians."""
    focal = frame.positive(key)
    angle = frame.positive(angle_key)
    if focal is None and angle is not None:
        if angle >= math.pi:
            raise frame.fault(angle_key, "below pi radians")
        focal = 0.5 * size / math.tan(0.5 * angle)
    return focal


def _pose(frame: Record) -> Tensor:
    """Camera-to-world [4, 4], OpenGL axes, float64."""
    key = "transform_matrix"
    try:
        pose = np.array(frame.values.get(key), dtype=np.float64)
    except (TypeError, ValueError):
        pose = np.empty(0)
    if pose.shape != (4, 4):
        raise frame.fault(key, "a 4x4 matrix of numbers")
    if not np.isfinite(pose).all():
        raise frame.fault(key, "finite", "remove the frame, its pose was not found")
    rotation = pose[:3, :3]
    rotates = np.allclose(rotation.T @ rotation, np.eye(3), rtol=0.0, atol=RIGID_TOLERANCE)
    last_row = np.allclose(pose[3], [0.0, 0.0, 0.0, 1.0], rtol=0.0, atol=RIGID_TOLERANCE)
    if not (rotates and last_row) or np.linalg.det(rotation) < 0.0:
        raise frame.fault(
            key,
            "a rotation and a translation (no scale, no mirroring, last row 0 0 0 1)",
            "write camera-to-world matrices in OpenGL axes and metres",
        )
    return torch.from_numpy(pose)


def _distortion(frame: Record) -> tuple[float, ...]:
    """Coefficients in OpenCV's order, as few as OpenCV accepts; () for none."""
    coefficients = [frame.number(key, 0.0) for key in DISTORTION_KEYS]
    used = max((index + 1 for index, value in enumerate(coefficients) if value), default=0)
    if not used:
        return ()
    return tuple(coefficients[: next(length for length in DISTORTION_LENGTHS if length >= used)])


def _ordered(views: list[View], folder: Path) -> tuple[View, ...]:
    """Sorted by the numbers in the file names, and named by the stem, or the path where stems clash."""
    paths = [view.image.relative_to(folder).with_suffix("").as_posix() for view in views]
    repeated = [path for path, count in Counter(paths).items() if count > 1]
    if repeated:
        raise DataError(
            f"{folder / FILE_NAME}: expected every frame to name its own image, found {repeated[0]} in more "
            "than one; remove the copies."
        )
    stems = [view.image.stem for view in views]
    names = paths if len(set(stems)) < len(stems) else stems
    named = [replace(view, name=name) for view, name in zip(views, names, strict=True)]
    return tuple(sorted(named, key=lambda view: (_natural(view.image.stem), _natural(view.name))))


def _natural(text: str) -> list[str | int]:
    """Sort key under which frame_2 comes before frame_10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text)]
