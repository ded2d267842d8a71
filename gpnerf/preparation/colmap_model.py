"""Reads COLMAP's sparse models, binary and text (https://colmap.github.io/format.html)."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpnerf.system.errors import DataError

_ONE_FOCAL, _TWO_FOCALS = ("fl", "cx", "cy"), ("fl_x", "fl_y", "cx", "cy")
# Those whose distortion is OpenCV's, with their parameters; all others are refused.
PARAMETERS = {
    "SIMPLE_PINHOLE": _ONE_FOCAL,
    "PINHOLE": _TWO_FOCALS,
    "SIMPLE_RADIAL": (*_ONE_FOCAL, "k1"),
    "RADIAL": (*_ONE_FOCAL, "k1", "k2"),
    "OPENCV": (*_TWO_FOCALS, "k1", "k2", "p1", "p2"),
    "FULL_OPENCV": (*_TWO_FOCALS, "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"),
}
NAMES = (
    "SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "OPENCV_FISHEYE", "FULL_OPENCV", "FOV",
    "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE", "THIN_PRISM_FISHEYE", "RAD_TAN_THIN_PRISM_FISHEYE",
    "SIMPLE_DIVISION", "DIVISION", "SIMPLE_FISHEYE", "FISHEYE", "EUCM", "EQUIRECTANGULAR",
)  # fmt: skip
NUMBERS = dict(enumerate(NAMES))
# Bytes of the shortest record of each kind: no count may promise more records than the file can hold.
CAMERA_BYTES, IMAGE_BYTES, POINT_BYTES, FEATURE_BYTES, TRACK_BYTES = 48, 73, 51, 24, 8
LISTED = 10
REMEDY = "copy the file again, or export the model anew with COLMAP's model_converter"


@dataclass(frozen=True)
class ModelCamera:
    """parameters: those that PARAMETERS names for `model`, in pixels from the image's corner."""

    model: str
    width: int
    height: int
    parameters: tuple[float, ...]


@dataclass(frozen=True)
class ModelImage:
    """World-to-camera in OpenCV axes: quaternion w, x, y, z of any length but 0; points: ids [N] seen."""

    name: str
    camera: int
    quaternion: tuple[float, ...]
    translation: tuple[float, ...]
    points: np.ndarray


@dataclass(frozen=True)
class Model:
    """points: position by id; empty without a points3D file."""

    cameras: dict[int, ModelCamera]
    images: tuple[ModelImage, ...]
    points: dict[int, Sequence[float]]


def read_model(folder: Path) -> Model:
    """The model in `folder`, images in the order of their names; binary files go before text.

    Of the rigs and frames of COLMAP 3.12 nothing is needed: images hold their own poses as before. Raises
    DataError for files that are missing, cut short or malformed, and for a camera model that OpenCV's
    distortion does not cover.
    """
    complete = [end for end in READERS if all(path.is_file() for path in _files(folder, end)[:2])]
    if not complete:
        listed = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else ["no such folder"]
        raise DataError(
            f"{folder}: expected cameras.bin and images.bin (or both as .txt), found "
            f"{', '.join(listed[:LISTED]) or 'an empty folder'}; name the folder of one model, e.g. sparse/0."
        )
    cameras, images, points = _files(folder, complete[0])
    read_cameras, read_images, read_points = READERS[complete[0]]
    return Model(
        dict(read_cameras(cameras)),
        tuple(sorted(read_images(images), key=lambda image: image.name)),
        dict(read_points(points)) if points.is_file() else {},
    )


def _files(folder: Path, suffix: str) -> list[Path]:
    return [folder / f"{name}{suffix}" for name in ("cameras", "images", "points3D")]


def _check_finite(place: str, values: Sequence[float]) -> None:
    if not all(map(math.isfinite, values)):
        raise DataError(f"{place}: expected finite numbers, found {' '.join(map(str, values))}; {REMEDY}.")


def _parameter_names(place: str, model: str) -> tuple[str, ...]:
    if model not in PARAMETERS:
        raise DataError(
            f"{place}: expected one of the camera models {', '.join(PARAMETERS)}, found {model}; run "
            "COLMAP's image_undistorter, and take the model and the images that it writes."
        )
    return PARAMETERS[model]


def _camera(place: str, model: str, size: Sequence[int], parameters: Sequence[float]) -> ModelCamera:
    names = _parameter_names(place, model)
    _check_finite(place, parameters)
    focals = [value for name, value in zip(names, parameters, strict=False) if name.startswith("fl")]
    if len(parameters) != len(names) or min(*size, *focals) <= 0:
        raise DataError(
            f"{place}: expected a positive width, height and focal length, and the parameters "
            f"{', '.join(names)} of {model}, found {' '.join(map(str, (*size, *parameters)))}; {REMEDY}."
        )
    return ModelCamera(model, *size, tuple(parameters))


def _image(place: str, pose: Sequence[float], camera: int, name: str, points: np.ndarray) -> ModelImage:
    _check_finite(place, pose)
    if not name or not any(pose[:4]):
        raise DataError(f"{place}: expected a name and a rotation, found {name!r} and {pose[:4]}; {REMEDY}.")
    # Features of no point have the id -1.
    return ModelImage(name, camera, tuple(pose[:4]), tuple(pose[4:]), points[points >= 0])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: expected a readable file, found {error.strerror}; {REMEDY}.") from error


class _Binary:
    """A little-endian binary file, read from front to back and never beyond its end."""

    def __init__(self, path: Path) -> None:
        self.path, self.data, self.position = path, _read(path), 0

    def take(self, layout: str) -> tuple:
        return struct.unpack_from("<" + layout, self.data, self.skip(struct.calcsize("<" + layout)))

    def skip(self, size: int) -> int:
        """Passes over `size` bytes; returns where they begin."""
        start, self.position = self.position, self.position + size
        if self.position > len(self.data):
            raise DataError(
                f"{self.path}: expected at least {self.position} bytes, found {len(self.data)}: cut short "
                f"or no COLMAP file; {REMEDY}."
            )
        return start

    def count(self, smallest: int) -> int:
        """The number of records that follow, of at least `smallest` bytes each."""
        (number,) = self.take("Q")
        self.position = self.skip(number * smallest)
        return number

    def records(self, smallest: int) -> Iterator[int]:
        """Counts through the records of the file, each of which the caller reads; then the file must end."""
        yield from range(self.count(smallest))
        if self.position != len(self.data):
            found = f"expected {self.position} bytes by its own counts, found {len(self.data)}"
            raise DataError(f"{self.path}: {found}; {REMEDY}.")

    def text(self) -> str:
        end = self.data.find(b"\0", self.position)
        end = len(self.data) if end < 0 else end
        return self.data[self.skip(end + 1 - self.position) : end].decode("utf-8", "surrogateescape")

    def points(self) -> np.ndarray:
        """The point ids [N] of N features, each of which is x, y and an id in 8 bytes."""
        number = self.count(FEATURE_BYTES)
        return np.frombuffer(self.data, "<i8", 3 * number, self.skip(number * FEATURE_BYTES))[2::3]


def _binary_cameras(path: Path) -> Iterator[tuple[int, ModelCamera]]:
    file = _Binary(path)
    for _ in file.records(CAMERA_BYTES):
        identifier, number, *size = file.take("iiQQ")
        place = f"{path}, camera {identifier}"
        model = NUMBERS.get(number, f"number {number}")
        yield identifier, _camera(place, model, size, file.take(f"{len(_parameter_names(place, model))}d"))


def _binary_images(path: Path) -> Iterator[ModelImage]:
    file = _Binary(path)
    for _ in file.records(IMAGE_BYTES):
        identifier, *pose, camera = file.take("I7dI")
        yield _image(f"{path}, image {identifier}", pose, camera, file.text(), file.points())


def _binary_points(path: Path) -> Iterator[tuple[int, Sequence[float]]]:
    file = _Binary(path)
    for _ in file.records(POINT_BYTES):
        identifier, *position, _, _, _, _ = file.take("q3d3Bd")
        _check_finite(f"{path}, point {identifier}", position)
        file.skip(file.count(TRACK_BYTES) * TRACK_BYTES)
        yield identifier, position


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """(place, line) for all lines; names that are not UTF-8 are kept byte for byte."""
    lines = _read(path).decode("utf-8-sig", "surrogateescape").split("\n")
    return ((f"{path}, line {number}", line.strip()) for number, line in enumerate(lines, start=1))


def _records(lines: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((place, line) for place, line in lines if line and not line.startswith("#"))


@contextmanager
def _expecting(what: str, place: str, line: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, OverflowError) as error:
        raise DataError(f"{place}: expected {what}, found {line[:80]!r} ({error}); {REMEDY}.") from error


def _text_cameras(path: Path) -> Iterator[tuple[int, ModelCamera]]:
    for place, line in _records(_lines(path)):
        with _expecting("id, model, width, height and parameters of a camera", place, line):
            identifier, model, width, height, *parameters = line.split()
            camera = _camera(place, model, (int(width), int(height)), [float(value) for value in parameters])
            identifier = int(identifier)
        yield identifier, camera


def _text_images(path: Path) -> Iterator[ModelImage]:
    lines = _lines(path)
    for place, line in _records(lines):
        with _expecting("id, quaternion, translation, camera and name of an image", place, line):
            _, qw, qx, qy, qz, tx, ty, tz, camera, name = line.split(maxsplit=9)
            pose, camera = [float(value) for value in (qw, qx, qy, qz, tx, ty, tz)], int(camera)
        # The very next line is this image's, even where it is empty or looks like a comment.
        place_of_points, features = next(lines, (place, ""))
        what = f"x, y and point id of each feature of image {name} (every image has two lines)"
        with _expecting(what, place_of_points, features):
            points = np.array([int(value) for value in features.split()[2::3]], dtype=np.int64)
            if 3 * len(points) != len(features.split()):
                raise ValueError("not in threes")
        yield _image(place, pose, camera, name, points)


def _text_points(path: Path) -> Iterator[tuple[int, Sequence[float]]]:
    for place, line in _records(_lines(path)):
        with _expecting("id, x, y and z of a point", place, line):
            identifier, *position = line.split(maxsplit=4)[:4]
            identifier, (x, y, z) = int(identifier), map(float, position)
        _check_finite(place, (x, y, z))
        yield identifier, (x, y, z)


READERS = {
    ".bin": (_binary_cameras, _binary_images, _binary_points),
    ".txt": (_text_cameras, _text_images, _text_points),
}
