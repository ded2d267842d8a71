"""Photographs and masks of a sparse model: their files, their sizes, and photographs outside the model."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from gpnerf.datasets.index.file_checks import same_shape
from gpnerf.datasets.places import leads_outside, spellings
from gpnerf.media.formats import PHOTOGRAPH_SUFFIXES
from gpnerf.media.images import image_size
from gpnerf.preparation.colmap.model import Model
from gpnerf.preparation.colmap.transforms import Size
from gpnerf.system.errors import DataError
from gpnerf.system.wording import some

log = logging.getLogger(__name__)

MASKS = "masks"


def with_found_names(model: Model, folder: Path) -> Model:
    """Changes backslashes in image names, which Windows writes, to slashes if `folder` has such files."""

    def found(name: str) -> str:
        return next((path for path in spellings(name) if os.path.isfile(folder / path)), name)

    return replace(model, images=tuple(replace(image, name=found(image.name)) for image in model.images))


def check_photographs(model: Model, folder: Path) -> list[Size]:
    """Reads the sizes of the model's images in `folder`.

    Raises DataError if one is missing or does not have the shape of its camera.
    """
    outside = [image.name for image in model.images if leads_outside(image.name)]
    if outside:
        raise DataError(
            f"The model: expected image names below {folder}, found {some(outside)}; run COLMAP "
            "with that folder as --image_path."
        )
    missing = [image.name for image in model.images if not os.path.isfile(folder / image.name)]
    if missing:
        raise DataError(
            f"{folder}: expected the {len(model.images)} images of the model, found {len(missing)} of them "
            f"missing: {some(missing)}; copy the photographs that COLMAP ran on into this folder, or name "
            "their folder in SCENE with --images."
        )
    sizes = [image_size(folder / image.name) for image in model.images]
    found = list(zip(model.images, sizes, strict=True))
    cut = [(image, size) for image, size in found if not same_shape(size, model.camera_of(image).size)]
    if cut:
        height, width = model.camera_of(cut[0][0]).size
        found_height, found_width = cut[0][1]
        raise DataError(
            f"{folder / cut[0][0].name}: expected {width}x{height} pixels as its camera in the model, or "
            f"the same shape, found {found_width}x{found_height} ({len(cut)} of {len(model.images)} "
            "images differ); restore the photographs that COLMAP ran on, or run COLMAP on these."
        )
    return sizes


def find_masks(model: Model, scene: Path) -> list[str]:
    """Finds the mask of every image, relative to the scene, "" for none; logs which images have none."""
    paths = [(PurePosixPath(MASKS) / f"{image.name}.png").as_posix() for image in model.images]
    masks = [path if os.path.isfile(scene / path) else "" for path in paths]
    lacking = [image.name for image, mask in zip(model.images, masks, strict=True) if not mask]
    if lacking and os.path.isdir(scene / MASKS):
        log.warning(
            f"{scene / MASKS}: {len(lacking)} of {len(masks)} images have no mask there (c.jpg has the "
            f"mask c.jpg.png), and are used whole: {some(lacking)}."
        )
    return masks


def say_what_is_left(model: Model, folder: Path, place: Path, sizes: Sequence[Size]) -> None:
    """Logs photographs that are not in the model, models beside it, and photographs that were resized."""
    named = {image.name for image in model.images}
    photographs = [path for path in folder.rglob("*") if path.suffix.lower() in PHOTOGRAPH_SUFFIXES]
    left = sorted({path.relative_to(folder).as_posix() for path in photographs} - named)
    if left:
        log.warning(
            f"{folder}: {len(left)} of {len(photographs)} photographs are not in the model, as COLMAP did "
            f"not find their poses: {some(left)}."
        )
    others = [path.parent.name for path in sorted(place.resolve().parent.glob("*/images.*"))]
    others = sorted(set(others) - {place.resolve().name})
    if others:
        log.warning(f"{place}: other models lie beside it ({some(others)}), whose images are not read.")
    resized = [
        (size, model.camera_of(image).size)
        for image, size in zip(model.images, sizes, strict=True)
        if size != model.camera_of(image).size
    ]
    if resized:
        (_, width), (_, camera_width) = resized[0]
        log.warning(
            f"{folder}: {len(resized)} photographs are {width / camera_width:.3g} times as large as their "
            "cameras in the model; the intrinsics are scaled."
        )
