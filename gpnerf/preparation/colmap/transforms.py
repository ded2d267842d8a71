"""Conversion of a sparse model to the contents of transforms.json, in units of the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from gpnerf.datasets.ranges import range_of
from gpnerf.geometry.cameras import OPENGL_TO_OPENCV
from gpnerf.preparation.colmap.model import PARAMETERS, Model, ModelCamera, ModelImage
from gpnerf.system.errors import DataError

# (height, width)
Size = tuple[int, int]


def transforms(model: Model, images: str, sizes: Sequence[Size], masks: Sequence[str]) -> dict[str, Any]:
    """Makes the contents of transforms.json, frames in the order of the model's images.

    images: folder of the photographs, relative to the scene; sizes: of the photographs; masks: paths relative
    to the scene, "" for none. Intrinsics that all frames share stand at the top level. Raises DataError for
    images without a camera.
    """
    cameras = [
        intrinsics(model.camera_of(image), size) for image, size in zip(model.images, sizes, strict=True)
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
    rational = any(model.camera_of(image).model == "FULL_OPENCV" for image in model.images)
    return {"camera_model": "FULL_OPENCV" if rational else "OPENCV", **shared, **bounds, "frames": frames}


def intrinsics(camera: ModelCamera, size: Size) -> dict[str, float]:
    """Makes fl_x, fl_y, cx, cy, w, h and the distortion for photographs of this size.

    COLMAP and transforms.json both have the pixel origin at the image's corner.
    """
    values = dict(zip(PARAMETERS[camera.model], camera.parameters, strict=True))
    focal = values.pop("fl", None)
    focals = {} if focal is None else {"fl_x": focal, "fl_y": focal}
    values = {**focals, **values}
    height, width = size
    for ratio, keys in ((width / camera.width, ("fl_x", "cx")), (height / camera.height, ("fl_y", "cy"))):
        values |= {key: values[key] * ratio for key in keys}
    return {**values, "w": width, "h": height}


def world_to_camera(image: ModelImage) -> np.ndarray:
    """World-to-camera [4, 4], OpenCV axes, in units of the model."""
    # The largest entry first, as the square of a huge one overflows.
    w, x, y, z = np.array(image.quaternion) / np.abs(image.quaternion).max()
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat((x, y, z, w)).as_matrix()
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
    return pose @ OPENGL_TO_OPENCV.numpy()


def depth_range(model: Model) -> tuple[float, float] | None:
    """Measures (near, far) in the z-depths of the points in the images that see them; None without points.

    Outliers and margin are those of ranges.range_of.
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
