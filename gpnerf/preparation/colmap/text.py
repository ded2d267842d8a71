"""COLMAP's text files -> records of a model (https://colmap.github.io/format.html)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from gpnerf.preparation.colmap.model import (
    REMEDY,
    ModelCamera,
    ModelImage,
    check_finite,
    checked_camera,
    checked_image,
    read_bytes,
)
from gpnerf.system.errors import DataError


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Reads (place, line) of all lines; names that are not UTF-8 are kept byte for byte."""
    lines = read_bytes(path).decode("utf-8-sig", "surrogateescape").split("\n")
    return ((f"{path}, line {number}", line.strip()) for number, line in enumerate(lines, start=1))


def _records(lines: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((place, line) for place, line in lines if line and not line.startswith("#"))


@contextmanager
def _expecting(what: str, place: str, line: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, OverflowError) as error:
        raise DataError(f"{place}: expected {what}, found {line[:80]!r} ({error}); {REMEDY}.") from error


def read_cameras(path: Path) -> Iterator[tuple[int, ModelCamera]]:
    for place, line in _records(_lines(path)):
        with _expecting("id, model, width, height and parameters of a camera", place, line):
            identifier, model, width, height, *parameters = line.split()
            size = int(width), int(height)
            camera = checked_camera(place, model, size, [float(value) for value in parameters])
            identifier = int(identifier)
        yield identifier, camera


def read_images(path: Path) -> Iterator[ModelImage]:
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
        yield checked_image(place, pose, camera, name, points)


def read_points(path: Path) -> Iterator[tuple[int, Sequence[float]]]:
    for place, line in _records(_lines(path)):
        with _expecting("id, x, y and z of a point", place, line):
            identifier, *position = line.split(maxsplit=4)[:4]
            identifier, (x, y, z) = int(identifier), map(float, position)
        check_finite(place, (x, y, z))
        yield identifier, (x, y, z)
