"""Writes the transforms.json of a scene of your own from a COLMAP sparse model.

    python scripts/colmap_to_transforms.py sparse/0 data/myscene

MODEL holds cameras.bin and images.bin, or both as .txt; SCENE/images the photographs that COLMAP ran on.
Cameras may be SIMPLE_PINHOLE, PINHOLE, SIMPLE_RADIAL, RADIAL, OPENCV or FULL_OPENCV. With points3D.bin (or
.txt), near and far are measured on the points that each photograph sees.

A COLMAP model has an arbitrary scale: poses, near, far and rendered depth are in its units instead of
metres, and so must be the depth maps that you add ("depth_unit_scale_factor" is units per stored value).
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gpnerf.cameras import OPENGL_TO_OPENCV  # noqa: E402
from gpnerf.datasets.depth_range import range_of  # noqa: E402
from gpnerf.datasets.places import leaves, spellings  # noqa: E402
from gpnerf.datasets.transforms import FILE_NAME  # noqa: E402
from gpnerf.errors import ConfigError, DataError  # noqa: E402
from gpnerf.files import write_whole  # noqa: E402
from gpnerf.images import image_size  # noqa: E402
from gpnerf.option_types import Parser  # noqa: E402
from gpnerf.preparation.colmap_model import (  # noqa: E402
    LISTED,
    PARAMETERS,
    Model,
    ModelCamera,
    ModelImage,
    read_model,
)
from gpnerf.scripting import run_script  # noqa: E402

log = logging.getLogger("colmap_to_transforms")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="folder of one sparse model, e.g. sparse/0")
    parser.add_argument("scene", type=Path, metavar="SCENE", help=f"folder of the scene; gets {FILE_NAME}")
    parser.add_argument("--images", default="images", help="folder of the photographs in SCENE (images)")
    parser.add_argument("--overwrite", action="store_true", help=f"replace a {FILE_NAME} that is there")
    return parser.parse_args(arguments)


def transforms(model: Model, images: str) -> dict[str, Any]:
    """The contents of transforms.json, frames in the order of their names; `images` is their folder.

    Intrinsics that all frames share stand at the top. Raises DataError for images without a camera.
    """
    cameras = [intrinsics(_camera_of(model, image)) for image in model.images]
    shared = cameras[0] if all(camera == cameras[0] for camera in cameras) else {}
    frames = [
        {
            "file_path": (PurePosixPath(images) / image.name).as_posix(),
            **({} if shared else camera),
            "transform_matrix": transform_matrix(image).tolist(),
        }
        for image, camera in zip(model.images, cameras, strict=True)
    ]
    near_and_far = depth_range(model)
    bounds = dict(zip(("near", "far"), near_and_far, strict=True)) if near_and_far else {}
    return {"camera_model": "OPENCV", **shared, **bounds, "frames": frames}


def _camera_of(model: Model, image: ModelImage) -> ModelCamera:
    if image.camera not in model.cameras:
        raise DataError(
            f"Image {image.name} of the model: expected its camera {image.camera} among the model's cameras, "
            f"found {sorted(model.cameras)}; take the cameras and images files from one model."
        )
    return model.cameras[image.camera]


def intrinsics(camera: ModelCamera) -> dict[str, float]:
    """fl_x, fl_y, cx, cy, w, h and the distortion. COLMAP and transforms.json both count pixels from the
    image's corner, and FULL_OPENCV is the model of OpenCV with all eight coefficients."""
    values = dict(zip(PARAMETERS[camera.model], camera.parameters, strict=True))
    focal = values.pop("fl", None)
    focals = {} if focal is None else {"fl_x": focal, "fl_y": focal}
    return {**focals, **values, "w": camera.width, "h": camera.height}


def world_to_camera(image: ModelImage) -> np.ndarray:
    """[4, 4], OpenCV axes, in units of the model."""
    quaternion = np.array(image.quaternion) / np.abs(image.quaternion).max()
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    matrix[:3, 3] = image.translation
    return matrix


def transform_matrix(image: ModelImage) -> np.ndarray:
    """Camera-to-world [4, 4] with OpenGL axes. Raises DataError where it overflows."""
    inverse, pose = world_to_camera(image), np.eye(4)
    pose[:3, :3] = inverse[:3, :3].T
    with np.errstate(all="ignore"):
        pose[:3, 3] = -pose[:3, :3] @ inverse[:3, 3]
    if not np.isfinite(pose).all():
        raise DataError(
            f"Image {image.name} of the model: expected a finite pose, found one that overflows; "
            "run COLMAP's mapper again."
        )
    return pose @ OPENGL_TO_OPENCV.double().numpy()


def depth_range(model: Model) -> tuple[float, float] | None:
    """(near, far): z-depths of the points in the images that see them; None where no image sees one.

    Points of 1 % at either end are left out, then the range is widened by a quarter.
    """
    depths = np.concatenate([_depths(model, image) for image in model.images])
    depths = depths[np.isfinite(depths) & (depths > 0.0)]
    if not depths.size:
        return None
    return range_of(depths)


def _depths(model: Model, image: ModelImage) -> np.ndarray:
    seen = [model.points[number] for number in image.points.tolist() if number in model.points]
    row = world_to_camera(image)[2]
    with np.errstate(all="ignore"):
        return np.reshape(seen, (-1, 3)) @ row[:3] + row[3]


def with_found_names(model: Model, folder: Path) -> Model:
    """The model with the names that its images have in `folder`: Windows writes them with backslashes."""

    def found(name: str) -> str:
        return next((path for path in spellings(name) if os.path.isfile(folder / path)), name)

    return replace(model, images=tuple(replace(image, name=found(image.name)) for image in model.images))


def check_photographs(model: Model, folder: Path) -> None:
    """Raises DataError unless every image of the model is in `folder` with the size of its camera."""
    outside = [image.name for image in model.images if leaves(image.name)]
    if outside:
        raise DataError(
            f"The model: expected image names below {folder}, found {_some(outside)}; run COLMAP "
            "with that folder as --image_path."
        )
    missing = [image.name for image in model.images if not os.path.isfile(folder / image.name)]
    if missing:
        raise DataError(
            f"{folder}: expected the {len(model.images)} images of the model, found {len(missing)} of them "
            f"missing: {_some(missing)}; copy the photographs that COLMAP ran on there, or name their "
            "folder in SCENE with --images."
        )
    resized = [image for image in model.images if _size(model, image) != image_size(folder / image.name)]
    if resized:
        height, width = _size(model, resized[0])
        found_height, found_width = image_size(folder / resized[0].name)
        raise DataError(
            f"{folder / resized[0].name}: expected {width}x{height} pixels as its camera in the model, found "
            f"{found_width}x{found_height} ({len(resized)} of {len(model.images)} images differ); restore "
            "the photographs that COLMAP ran on, or run COLMAP on these."
        )


def _size(model: Model, image: ModelImage) -> tuple[int, int]:
    camera = _camera_of(model, image)
    return camera.height, camera.width


def _some(names: Sequence[str]) -> str:
    rest = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + rest


def write(path: Path, values: dict[str, Any]) -> None:
    """Writes JSON. Raises ConfigError where it cannot be written."""
    try:
        write_whole(path, json.dumps(values, indent=1) + "\n")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}); choose another SCENE.") from error


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    path = options.scene / FILE_NAME
    if path.exists() and not options.overwrite:
        raise ConfigError(
            f"{path} exists; keep it, or replace it (and all that was added to it) with --overwrite."
        )
    if leaves(options.images):
        raise ConfigError(
            f"--images: expected a folder in SCENE such as images, found {options.images}; move it there."
        )
    model = read_model(options.model)
    if not model.images:
        raise DataError(f"{options.model}: expected registered images, found none; run COLMAP's mapper.")
    model = with_found_names(model, options.scene / options.images)
    check_photographs(model, options.scene / options.images)
    values = transforms(model, options.images)
    write(path, values)
    bounds = ""
    if "near" in values:
        bounds = f", near {values['near']:.4g}, far {values['far']:.4g} units of the model"
    else:
        log.warning("No image sees a point: add near and far to the file, or give --near and --far.")
    sys.stdout.write(f"{path}: {len(values['frames'])} frames{bounds}\n")
    return 0


if __name__ == "__main__":
    run_script(main)
