"""Sparse model of COLMAP, and checks of its records, which are the same for binary and text files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpnerf.system.errors import DataError

_ONE_FOCAL, _TWO_FOCALS = ("fl", "cx", "cy"), ("fl_x", "fl_y", "cx", "cy")
# Camera models with OpenCV's distortion -> their parameters; all others are refused.
PARAMETERS = {
    "SIMPLE_PINHOLE": _ONE_FOCAL,
    "PINHOLE": _TWO_FOCALS,
    "SIMPLE_RADIAL": (*_ONE_FOCAL, "k1"),
    "RADIAL": (*_ONE_FOCAL, "k1", "k2"),
    "OPENCV": (*_TWO_FOCALS, "k1", "k2", "p1", "p2"),
    "FULL_OPENCV": (*_TWO_FOCALS, "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"),
}
REMEDY = "copy the file again, or export the model anew with COLMAP's model_converter"


@dataclass(frozen=True)
class ModelCamera:
    """A camera. parameters: as named in PARAMETERS, in pixels; the origin is the corner of the image."""

    model: str
    width: int
    height: int
    parameters: tuple[float, ...]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.height, self.width


@dataclass(frozen=True)
class ModelImage:
    """An image and its pose.

    quaternion (w, x, y, z, of any length but 0), translation: world-to-camera, OpenCV axes; camera: id of its
    camera; points: ids [N] of the points that it sees.
    """

    name: str
    camera: int
    quaternion: tuple[float, ...]
    translation: tuple[float, ...]
    points: np.ndarray


@dataclass(frozen=True)
class Model:
    """A sparse model. cameras: by id; points: positions by id, empty without a points3D file."""

    cameras: dict[int, ModelCamera]
    images: tuple[ModelImage, ...]
    points: dict[int, Sequence[float]]

    def camera_of(self, image: ModelImage) -> ModelCamera:
        """The camera of an image. Raises DataError if the model does not have it."""
        if image.camera not in self.cameras:
            raise DataError(
                f"Image {image.name} of the model: expected its camera {image.camera} among the model's "
                f"cameras, found {sorted(self.cameras)}; take the cameras and images files from one model."
            )
        return self.cameras[image.camera]


def check_finite(place: str, values: Sequence[float]) -> None:
    """Raises DataError if a value is inf or nan."""
    if not all(map(math.isfinite, values)):
        raise DataError(f"{place}: expected finite numbers, found {' '.join(map(str, values))}; {REMEDY}.")


def parameter_names(place: str, model: str) -> tuple[str, ...]:
    """Names the parameters of a camera model. Raises DataError if its distortion is not OpenCV's."""
    if model not in PARAMETERS:
        raise DataError(
            f"{place}: expected one of the camera models {', '.join(PARAMETERS)}, found {model}; run "
            "COLMAP's image_undistorter, and use the model and the images that it writes."
        )
    return PARAMETERS[model]


def checked_camera(place: str, model: str, size: Sequence[int], parameters: Sequence[float]) -> ModelCamera:
    """Makes the camera of the record at `place`. Raises DataError if its numbers are implausible."""
    names = parameter_names(place, model)
    check_finite(place, parameters)
    focals = [value for name, value in zip(names, parameters, strict=False) if name.startswith("fl")]
    if len(parameters) != len(names) or min(*size, *focals) <= 0:
        raise DataError(
            f"{place}: expected a positive width, height and focal length, and the parameters "
            f"{', '.join(names)} of {model}, found {' '.join(map(str, (*size, *parameters)))}; {REMEDY}."
        )
    return ModelCamera(model, *size, tuple(parameters))


def checked_image(
    place: str, pose: Sequence[float], camera: int, name: str, points: np.ndarray
) -> ModelImage:
    """Makes the image of the record at `place`. Raises DataError if it is malformed."""
    check_finite(place, pose)
    if not name or not any(pose[:4]):
        raise DataError(f"{place}: expected a name and a rotation, found {name!r} and {pose[:4]}; {REMEDY}.")
    # Features without a point have the id -1.
    return ModelImage(name, camera, tuple(pose[:4]), tuple(pose[4:]), points[points >= 0])


def read_bytes(path: Path) -> bytes:
    """Reads a whole file; DataError if that fails."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: expected a readable file, found {error.strerror}; {REMEDY}.") from error
