"""Reading, writing and resizing image files: OpenCV behind a few functions, in RGB."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from gpnerf.errors import DataError


def read_image(path: Path) -> np.ndarray:
    """A file as stored: uint8 or uint16, [H, W] or RGB [H, W, 3] (alpha dropped)."""
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        problem = "cannot be decoded as an image" if Path(path).exists() else "does not exist"
        raise DataError(f"{path} {problem}; copy the file again from its source.")
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels[..., :3], cv2.COLOR_BGR2RGB)
    return pixels


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) from the header alone, without decoding; DataError where there is none."""
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except OSError as error:
        raise DataError(f"{path}: expected an image, found an unreadable file; copy it again.") from error


def write_image(path: Path, pixels: np.ndarray) -> None:
    """Writes uint8 / uint16 [H, W] or uint8 RGB [H, W, 3]; a killed run never leaves half a file."""
    path = Path(path)
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(path.suffix, pixels)
    if not done:
        raise DataError(f"{path}: a {pixels.dtype} array of shape {pixels.shape} has no {path.suffix} form.")
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(encoded.tobytes())
    os.replace(partial, path)


def resize_colors(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Averages over areas when shrinking, interpolates when enlarging: [H, W, 3] -> [height, width, 3]."""
    if pixels.shape[:2] == (height, width):
        return pixels
    shrinks = height < pixels.shape[0]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(pixels, (width, height), interpolation=interpolation)


def resize_values(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Nearest pixel, for maps that must not be mixed (labels, depths): [H, W] -> [height, width]."""
    if pixels.shape[:2] == (height, width):
        return pixels
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
