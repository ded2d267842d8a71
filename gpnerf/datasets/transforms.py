"""transforms.json of nerfstudio / instant-ngp -> SceneIndex.

Beyond nerfstudio's keys a frame may name `semantic_path` and `instance_path`, and the top level
`semantic_classes` (names in the order of their ids), `ignore_label` (255), `near` and `far` in metres.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

import numpy as np

from gpnerf.cameras import OPENGL_TO_OPENCV
from gpnerf.datasets.depth_range import maps_to_measure, measured_range
from gpnerf.datasets.index import KINDS, MILLIMETRE, SceneIndex, check_shared, check_sizes, folders_of, probe
from gpnerf.datasets.labels import LARGEST_ID
from gpnerf.datasets.matrices import check_intrinsics, check_pose
from gpnerf.datasets.places import leaves, spellings
from gpnerf.datasets.records import Record, printable, read_json_object
from gpnerf.errors import DataError, Faults
from gpnerf.images import image_size

FILE_NAME = "transforms.json"
DEFAULT_NEAR, DEFAULT_FAR = 0.1, 10.0
DEFAULT_IGNORE_LABEL = 255
# Kind of file -> key of a frame.
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
# nerfstudio puts the centre of the top left pixel at (0.5, 0.5), cameras.py at (0, 0).
PIXEL_CENTER = 0.5
LISTED_FILES = 10
# Pixels; OpenCV decodes nothing larger.
LARGEST_SIDE = 1 << 20


def index_scene(folder: Path, faults: Faults) -> SceneIndex:
    """The scene in `folder`, frames in the order of the numbers in their file names.

    near and far are the file's, or else what some depth maps show, or else 0.1 and 10. Faults of single
    frames go to `faults`, and the frame is left out; raises DataError where there is no scene at all. Of
    the pixels, only those depth maps are looked at.
    """
    top, records = _read_records(folder)
    class_names = _class_names(top, records)
    depth_unit = top.positive("depth_unit_scale_factor", MILLIMETRE)
    rows = []
    missing: list[str] = []
    for record in records:
        with faults.collected():
            rows.append(_frame(folder, record, missing))
    rows = [row for row in rows if row]
    _report_missing(folder, missing, faults)
    if not rows:
        faults.raise_any()
    rows.sort(key=lambda row: _natural(row["image"]))
    files = {kind: tuple(row[kind] for row in rows) for kind in KINDS}
    check_shared(files, str(folder / FILE_NAME), faults)
    columns = {name: np.stack([row[name] for row in rows]) for name in ("intrinsics", "poses", "sizes")}
    check_sizes(folder, files, columns["sizes"], FILE_NAME, faults)
    measured = maps_to_measure([path for path in files["depth"] if path])
    near, far = DEFAULT_NEAR, DEFAULT_FAR
    with faults.collected():
        near, far = _depth_range(folder, top, measured, depth_unit)
    return SceneIndex(
        names=_names(files["image"]),
        files=files,
        distortion=np.stack([row["distortion"] for row in rows]),
        near=near,
        far=far,
        watched=(FILE_NAME, *folders_of(files), *probe(files), *measured),
        depth_unit=depth_unit,
        class_names=class_names,
        ignore_label=top.integer("ignore_label", DEFAULT_IGNORE_LABEL, 0, LARGEST_ID),
        **columns,
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
        place = f"{path}, frame {number} ({printable(frame.get('file_path'))})"
        records.append(Record(place, shared | own))
    return top, records


def _frame(folder: Path, frame: Record, missing: list[str]) -> dict | None:
    """One frame's entry in every column of the index, None for a frame without its image; files that are not
    there go to `missing`."""
    if not frame.text("file_path"):
        raise frame.fault("file_path", "the path of an image")
    fisheye = frame.values.get("is_fisheye")
    if fisheye or (frame.text("camera_model") or CAMERA_MODELS[0]).upper() not in CAMERA_MODELS:
        raise frame.fault(
            "is_fisheye" if fisheye else "camera_model",
            f"a pinhole camera with OpenCV distortion ({', '.join(CAMERA_MODELS)})",
            "undistort the images first with ns-process-data or COLMAP's image_undistorter",
        )
    paths = {kind: _find_file(folder, frame, key) for kind, key in PATH_KEYS.items()}
    missing += [printable(frame.values[PATH_KEYS[kind]]) for kind, path in paths.items() if path is None]
    if not paths["image"]:
        return None
    size = _size(frame, folder / paths["image"])
    return {
        **{kind: path or "" for kind, path in paths.items()},
        "sizes": np.array(size),
        "intrinsics": _intrinsics(frame, *size),
        "poses": _pose(frame),
        "distortion": np.array([frame.number(key, 0.0) for key in DISTORTION_KEYS]),
    }


def _find_file(folder: Path, frame: Record, key: str) -> str | None:
    """The path that a frame names, relative to the folder: "" if it names none, None if it is not there."""
    relative = frame.text(key)
    if relative is None:
        return ""
    if leaves(relative):
        raise frame.fault(key, f"a path inside {folder}", "move the files there and write relative paths")
    candidates = (path + suffix for path in spellings(relative) for suffix in IMAGE_SUFFIXES)
    found = next((path for path in candidates if os.path.isfile(folder / path)), None)
    return None if found is None else Path(found).as_posix()


def _report_missing(folder: Path, missing: list[str], faults: Faults) -> None:
    if missing:
        rest = f" and {len(missing) - LISTED_FILES} more" if len(missing) > LISTED_FILES else ""
        faults.add(
            f"{folder / FILE_NAME}: {len(missing)} of the files it names are missing from {folder}: "
            f"{', '.join(missing[:LISTED_FILES])}{rest}; copy them there or remove their frames."
        )


def _size(frame: Record, image: Path) -> tuple[int, int]:
    """(height, width): as the file says, or else as the image has."""
    height, width = image_size(image)
    return frame.integer("h", height, 1, LARGEST_SIDE), frame.integer("w", width, 1, LARGEST_SIDE)


def _intrinsics(frame: Record, height: int, width: int) -> np.ndarray:
    """[3, 3] in pixels with integer pixel centres."""
    fl_x = _focal(frame, "fl_x", "camera_angle_x", width)
    if fl_x is None:
        raise frame.fault("fl_x", "the focal length in pixels", "add it or 'camera_angle_x' in radians")
    fl_y = _focal(frame, "fl_y", "camera_angle_y", height) or fl_x
    cx = frame.number("cx", width / 2) - PIXEL_CENTER
    cy = frame.number("cy", height / 2) - PIXEL_CENTER
    intrinsics = np.array([[fl_x, 0.0, cx], [0.0, fl_y, cy], [0.0, 0.0, 1.0]])
    check_intrinsics(intrinsics, height, width, frame.place)
    return intrinsics


def _focal(frame: Record, key: str, angle_key: str, size: int) -> float | None:
    """Focal length in pixels, given directly or by the full angle of view in radians."""
    focal = frame.positive(key)
    angle = frame.positive(angle_key)
    if focal is None and angle is not None:
        if angle >= math.pi:
            raise frame.fault(angle_key, "below pi radians")
        focal = 0.5 * size / math.tan(0.5 * angle)
    return focal


def _pose(frame: Record) -> np.ndarray:
    """Camera-to-world [4, 4], OpenCV axes."""
    key = "transform_matrix"
    try:
        pose = np.array(frame.values.get(key), dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        pose = np.empty(0)
    if pose.shape != (4, 4):
        raise frame.fault(key, "a 4x4 matrix of numbers")
    check_pose(pose, f"{frame.place}: '{key}'", axes="OpenGL")
    return pose @ OPENGL_TO_OPENCV.double().numpy()


def _depth_range(folder: Path, top: Record, depths: list[str], unit: float) -> tuple[float, float]:
    near, far = top.positive("near"), top.positive("far")
    if near is None or far is None:
        measured = measured_range([folder / path for path in depths], unit) or (DEFAULT_NEAR, DEFAULT_FAR)
        near = measured[0] if near is None else near
        far = measured[1] if far is None else far
    return near, far


def _class_names(top: Record, frames: list[Record]) -> tuple[str, ...]:
    names = top.values.get("semantic_classes")
    if names is None:
        labelled = [frame for frame in frames if frame.values.get("semantic_path")]
        if labelled:
            raise top.fault(
                "semantic_classes",
                f"the list of class names, as {len(labelled)} frames have a 'semantic_path'",
                "add the names in the order of their ids",
            )
        return ()
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise top.fault("semantic_classes", "a list of class names")
    return tuple(names)


def _names(images: tuple[str, ...]) -> tuple[str, ...]:
    """Frames are named by the stem of their image, or by its path where stems clash."""
    paths = [Path(image).with_suffix("").as_posix() for image in images]
    stems = [Path(image).stem for image in images]
    return tuple(paths if len(set(stems)) < len(stems) else stems)


def _natural(path: str) -> list:
    """Sort key by the stem, then the path, under which frame_2 comes before frame_10."""
    return [_numbered(Path(path).stem), _numbered(Path(path).with_suffix("").as_posix())]


def _numbered(text: str) -> list[str | int]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text)]
