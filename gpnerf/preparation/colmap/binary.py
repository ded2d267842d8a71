"""COLMAP's binary files -> records of a model (https://colmap.github.io/format.html)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from gpnerf.preparation.colmap.model import (
    REMEDY,
    ModelCamera,
    ModelImage,
    check_finite,
    checked_camera,
    checked_image,
    parameter_names,
    read_bytes,
)
from gpnerf.system.errors import DataError

NAMES = (
    "SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "OPENCV_FISHEYE", "FULL_OPENCV", "FOV",
    "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE", "THIN_PRISM_FISHEYE", "RAD_TAN_THIN_PRISM_FISHEYE",
    "SIMPLE_DIVISION", "DIVISION", "SIMPLE_FISHEYE", "FISHEYE", "EUCM", "EQUIRECTANGULAR",
)  # fmt: skip
NUMBERS = dict(enumerate(NAMES))
# Bytes of the shortest record of each kind, to refuse counts that are too large for the file.
CAMERA_BYTES, IMAGE_BYTES, POINT_BYTES, FEATURE_BYTES, TRACK_BYTES = 48, 73, 51, 24, 8


class _Records:
    """A little-endian file that is read forwards; raises DataError instead of reading beyond its end."""

    def __init__(self, path: Path) -> None:
        self.path, self.data, self.position = path, read_bytes(path), 0

    def take(self, layout: str) -> tuple:
        """Reads values of a struct layout."""
        return struct.unpack_from("<" + layout, self.data, self.skip(struct.calcsize("<" + layout)))

    def skip(self, size: int) -> int:
        """Skips `size` bytes; returns their position."""
        start, self.position = self.position, self.position + size
        if self.position > len(self.data):
            raise DataError(
                f"{self.path}: expected at least {self.position} bytes, found {len(self.data)}: cut short "
                f"or no COLMAP file; {REMEDY}."
            )
        return start

    def count(self, smallest: int) -> int:
        """Reads the number of records that follow, of at least `smallest` bytes each.

        Raises DataError if the rest of the file is too short for them.
        """
        (number,) = self.take("Q")
        self.position = self.skip(number * smallest)
        return number

    def records(self, smallest: int) -> Iterator[int]:
        """Counts the records while the caller reads them. Raises DataError if data remains after the last."""
        yield from range(self.count(smallest))
        if self.position != len(self.data):
            found = f"expected {self.position} bytes by its own counts, found {len(self.data)}"
            raise DataError(f"{self.path}: {found}; {REMEDY}.")

    def text(self) -> str:
        """Reads a zero-terminated text; bytes that are not UTF-8 are kept."""
        end = self.data.find(b"\0", self.position)
        end = len(self.data) if end < 0 else end
        return self.data[self.skip(end + 1 - self.position) : end].decode("utf-8", "surrogateescape")

    def points(self) -> np.ndarray:
        """Reads the point ids [N] of N features; a feature is x, y and a point id of 8 bytes each."""
        number = self.count(FEATURE_BYTES)
        return np.frombuffer(self.data, "<i8", 3 * number, self.skip(number * FEATURE_BYTES))[2::3]


def read_cameras(path: Path) -> Iterator[tuple[int, ModelCamera]]:
    file = _Records(path)
    for _ in file.records(CAMERA_BYTES):
        identifier, number, *size = file.take("iiQQ")
        place = f"{path}, camera {identifier}"
        model = NUMBERS.get(number, f"number {number}")
        parameters = file.take(f"{len(parameter_names(place, model))}d")
        yield identifier, checked_camera(place, model, size, parameters)


def read_images(path: Path) -> Iterator[ModelImage]:
    file = _Records(path)
    for _ in file.records(IMAGE_BYTES):
        identifier, *pose, camera = file.take("I7dI")
        yield checked_image(f"{path}, image {identifier}", pose, camera, file.text(), file.points())


def read_points(path: Path) -> Iterator[tuple[int, Sequence[float]]]:
    file = _Records(path)
    for _ in file.records(POINT_BYTES):
        identifier, *position, _, _, _, _ = file.take("q3d3Bd")
        check_finite(f"{path}, point {identifier}", position)
        file.skip(file.count(TRACK_BYTES) * TRACK_BYTES)
        yield identifier, position
