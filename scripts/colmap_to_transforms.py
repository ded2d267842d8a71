"""Writes the transforms.json of a scene of your own from a COLMAP sparse model.

    python scripts/colmap_to_transforms.py sparse/0 data/myscene

MODEL holds cameras.bin and images.bin, or both as .txt; SCENE/images the photographs that COLMAP ran on, or
smaller copies of all of them (--images images_4): intrinsics follow their size.
Cameras may be SIMPLE_PINHOLE, PINHOLE, SIMPLE_RADIAL, RADIAL, OPENCV or FULL_OPENCV. With points3D.bin (or
.txt), near and far are measured on the points that each photograph sees. The masks that COLMAP ran with
are named where they are SCENE/masks/NAME.png (a.jpg.png is that of a.jpg; 0 = leave out).

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

from gpnerf.config.types import Parser  # noqa: E402
from gpnerf.datasets.depth_range import range_of  # noqa: E402
from gpnerf.datasets.index.scene_index import same_shape  # noqa: E402
from gpnerf.datasets.places import leaves, spellings  # noqa: E402
from gpnerf.datasets.transforms.text import FILE_NAME  # noqa: E402
from gpnerf.geometry.cameras import OPENGL_TO_OPENCV  # noqa: E402
from gpnerf.media.images import image_size  # noqa: E402
from gpnerf.preparation.colmap_model import (  # noqa: E402
    LISTED,
    PARAMETERS,
    Model,
    ModelCamera,
    ModelImage,
    read_model,
)
from gpnerf.system.errors import ConfigError, DataError  # noqa: E402
from gpnerf.system.files import write_whole  # noqa: E402
from gpnerf.system.scripting import run_script  # noqa: E402

log = logging.getLogger("colmap_to_transforms")

# (height, width)
Size = tuple[int, int]
MASKS = "masks"
PHOTOGRAPHS = (".png", ".jpg", ".jpeg")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="folder of one sparse model, e.g. sparse/0")
    parser.add_argument("scene", type=Path, metavar="SCENE", help=f"folder of the scene; gets {FILE_NAME}")
    parser.add_argument("--images", default="images", help="folder of the photographs in SCENE (images)")
    parser.add_argument("--overwrite", action="store_true", help=f"replace a {FILE_NAME} that is there")
    return parser.parse_args(arguments)


def transforms(model: Model, images: str, sizes: Sequence[Size], masks: Sequence[str]) -> dict[str, Any]:
    """The contents of transforms.json, frames in the order of their names; `images` is their folder, `sizes`
    what the photographs have, `masks` their masks, "" for none.

    Intrinsics that all frames share stand at the top. Raises DataError for images without a camera.
    """
    cameras = [
        intrinsics(_camera_of(model, image), size) for image, size in zip(model.images, sizes, strict=True)
    ]
    shared = cameras[0] if all(camera == cameras[0] for camera in cameras) else {}
    frames = [
        {
            "file_path": (PurePosixPath(images) / image.name).as_posix(),
            **({} if shared else camera),
            **({"mask_path": mask} if mask else {}),
            "transform_matrix": transform_matrix(image).tolist(),
        }
        for image, camera, mask in zip(model.images, cameras, masks, strict=True)
    ]
    near_and_far = depth_range(model)
    bounds = dict(zip(("near", "far"), near_and_far, strict=True)) if near_and_far else {}
    rational = any(_camera_of(model, image).model == "FULL_OPENCV" for image in model.images)
    return {"camera_model": "FULL_OPENCV" if rational else "OPENCV", **shared, **bounds, "frames": frames}


def _camera_of(model: Model, image: ModelImage) -> ModelCamera:
    if image.camera not in model.cameras:
        raise DataError(
            f"Image {image.name} of the model: expected its camera {image.camera} among the model's cameras, "
            f"found {sorted(model.cameras)}; take the cameras and images files from one model."
        )
    return model.cameras[image.camera]


def intrinsics(camera: ModelCamera, size: Size) -> dict[str, float]:
    """fl_x, fl_y, cx, cy, w, h and the distortion, for photographs of this size. COLMAP and transforms.json
    both count pixels from the image's corner, and FULL_OPENCV is the model of OpenCV with all eight
    coefficients."""
    values = dict(zip(PARAMETERS[camera.model], camera.parameters, strict=True))
    focal = values.pop("fl", None)
    focals = {} if focal is None else {"fl_x": focal, "fl_y": focal}
    values = {**focals, **values}
    height, width = size
    for ratio, keys in ((width / camera.width, ("fl_x", "cx")), (height / camera.height, ("fl_y", "cy"))):
        values |= {key: values[key] * ratio for key in keys}
    return {**values, "w": width, "h": height}


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


def check_photographs(model: Model, folder: Path) -> list[Size]:
    """The size of every image of the model in `folder`. Raises DataError where one is missing or not of the
    shape of its camera."""
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
    sizes = [image_size(folder / image.name) for image in model.images]
    found = list(zip(model.images, sizes, strict=True))
    cut = [(image, size) for image, size in found if not same_shape(size, _size(model, image))]
    if cut:
        height, width = _size(model, cut[0][0])
        found_height, found_width = cut[0][1]
        raise DataError(
            f"{folder / cut[0][0].name}: expected {width}x{height} pixels as its camera in the model, or "
            f"their shape, found {found_width}x{found_height} ({len(cut)} of {len(model.images)} "
            "images differ); restore the photographs that COLMAP ran on, or run COLMAP on these."
        )
    return sizes


def find_masks(model: Model, scene: Path) -> list[str]:
    """The mask of every image, relative to the scene, "" for those that have none, which is said."""
    paths = [(PurePosixPath(MASKS) / f"{image.name}.png").as_posix() for image in model.images]
    masks = [path if os.path.isfile(scene / path) else "" for path in paths]
    lacking = [image.name for image, mask in zip(model.images, masks, strict=True) if not mask]
    if lacking and os.path.isdir(scene / MASKS):
        log.warning(
            f"{scene / MASKS}: {len(lacking)} of {len(masks)} images have no mask there, named as they are "
            f"with .png behind it, and are used whole: {_some(lacking)}."
        )
    return masks


def say_what_is_left(model: Model, folder: Path, place: Path, sizes: Sequence[Size]) -> None:
    """Logs what is not as COLMAP ran on it: photographs that it did not place, other models, other sizes."""
    named = {image.name for image in model.images}
    photographs = [path for path in folder.rglob("*") if path.suffix.lower() in PHOTOGRAPHS]
    left = sorted({path.relative_to(folder).as_posix() for path in photographs} - named)
    if left:
        log.warning(
            f"{folder}: {len(left)} of {len(photographs)} photographs are not in the model, as COLMAP did "
            f"not place them: {_some(left)}."
        )
    others = [path.parent.name for path in sorted(place.resolve().parent.glob("*/images.*"))]
    others = sorted(set(others) - {place.resolve().name})
    if others:
        log.warning(f"{place}: other models lie beside it ({_some(others)}), whose images are not read.")
    resized = [
        (size, _size(model, image))
        for image, size in zip(model.images, sizes, strict=True)
        if size != _size(model, image)
    ]
    if resized:
        (_, width), (_, camera_width) = resized[0]
        log.warning(
            f"{folder}: {len(resized)} photographs are {width / camera_width:.3g} times as large as their "
            "cameras in the model; the intrinsics are scaled."
        )


def _size(model: Model, image: ModelImage) -> Size:
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
    folder = options.scene / options.images
    model = with_found_names(model, folder)
    sizes = check_photographs(model, folder)
    say_what_is_left(model, folder, options.model, sizes)
    values = transforms(model, options.images, sizes, find_masks(model, options.scene))
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
