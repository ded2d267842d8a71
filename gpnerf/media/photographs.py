"""Photographs as their readers need them: 8-bit colour, and upright if they are copied."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from gpnerf.media.images import UPRIGHT, orientation, read_image
from gpnerf.system.errors import DataError
from gpnerf.system.files import write_whole

# Of a JPEG that is turned, and so compressed again; artefacts are far below the noise of a camera.
JPEG_QUALITY = 95


def read_photograph(path: Path) -> np.ndarray:
    """Reads a photograph: uint8 RGB [H, W, 3]. Raises DataError for any other kind of image."""
    pixels = read_image(path)
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise DataError(
            f"{path}: expected an 8-bit colour image, found {pixels.dtype} of shape {pixels.shape}; convert "
            "it to an RGB png or jpg."
        )
    return pixels


def copy_upright(source: Path, target: Path) -> bool:
    """Copies a photograph; returns whether its pixels had to be turned by its EXIF orientation.

    An upright photograph is copied byte for byte. A turned one keeps the rest of its EXIF data, such as the
    focal length. Raises DataError if it cannot be read as a photograph.
    """
    read_photograph(source)
    turned = orientation(source) != UPRIGHT
    write_whole(target, _upright(source) if turned else source.read_bytes())
    return turned


def _upright(path: Path) -> bytes:
    """The file of a photograph with its pixels turned as its EXIF orientation says."""
    file = io.BytesIO()
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
        upright.save(file, image.format, quality=JPEG_QUALITY, exif=upright.getexif())
    return file.getvalue()
