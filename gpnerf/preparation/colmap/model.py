"""A sparse model of COLMAP, and what its records must be whichever file they come from."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
REMEDY = "copy the file again, or export the model anew with COLMAP's model_converter"


@dataclass(frozen=True)
class ModelCamera:
    """parameters: those that PARAMETERS names for `model`, in pixels from the image's corner."""

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

    def camera_of(self, image: ModelImage) -> ModelCamera:
        """Raises DataError for an image without one."""
        if image.camera not in self.cameras:
            raise DataError(
                f"Image {image.name} of the model: expected its camera {image.camera} among the model's "
                f"cameras, found {sorted(self.cameras)}; take the cameras and images files from one model."
            )
        return self.cameras[image.camera]


def check_finite(place: str, values: Sequence[float]) -> None:
    """Raises DataError for inf and nan."""
    if not all(map(math.isfinite, values)):
        raise DataError(f"{place}: expected finite numbers, found {' '.join(map(str, values))}; {REMEDY}.")


def parameter_names(place: str, model: str) -> tuple[str, ...]:
    """Of a camera model; DataError for one that OpenCV's distortion does not cover."""
    if model not in PARAMETERS:
        raise DataError(
            f"{place}: expected one of the camera models {', '.join(PARAMETERS)}, found {model}; run "
            "COLMAP's image_undistorter, and take the model and the images that it writes."
        )
    return PARAMETERS[model]


def checked_camera(place: str, model: str, size: Sequence[int], parameters: Sequence[float]) -> ModelCamera:
    """The camera of a record at `place`; DataError unless it can be one."""
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
    """The image of a record at `place`; DataError unless it can be one."""
    check_finite(place, pose)
    if not name or not any(pose[:4]):
        raise DataError(f"{place}: expected a name and a rotation, found {name!r} and {pose[:4]}; {REMEDY}.")
    # Features of no point have the id -1.
    return ModelImage(name, camera, tuple(pose[:4]), tuple(pose[4:]), points[points >= 0])


def read_bytes(path: Path) -> bytes:
    """The whole file; DataError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: expected a readable file, found {error.strerror}; {REMEDY}.") from error
