"""Reading, writing and resizing image files: OpenCV behind a few functions, in RGB."""

from __future__ import annotations

import io
import math
import warnings
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from gpnerf.errors import DataError
from gpnerf.files import write_whole

# Larger images are refused: a small file can unfold to any size. As many pixels as Pillow trusts.
MOST_PIXELS = 89_478_485
JPEG_START, JPEG_SCAN, JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"


def read_image(path: Path) -> np.ndarray:
    """A file as stored: uint8 or uint16, [H, W] or RGB [H, W, 3] (alpha dropped); DataError for no image."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: expected an image, found {error.strerror}; copy the file again from its source."
        ) from error
    return decode_image(data, str(path))


def decode_image(data: bytes, source: str) -> np.ndarray:
    """The bytes of an image file -> as read_image; `source` names them in the DataError."""
    pixels = None
    _refuse_bombs(data, source)
    if data and not _is_cut_jpeg(data):
        # Raised where a damaged header tells of an image larger than OpenCV decodes.
        with suppress(cv2.error):
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise DataError(
            f"{source}: expected an image, found {len(data)} bytes that cannot be decoded as one; copy the "
            "file again from its source."
        )
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels[..., :3], cv2.COLOR_BGR2RGB)
    return pixels


def _refuse_bombs(data: bytes, source: str) -> None:
    """Raises DataError where the header tells of more than MOST_PIXELS, before anything is decoded."""
    with suppress(OSError, ValueError, SyntaxError), warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(data)) as image:
                pixels = image.width * image.height
        except Image.DecompressionBombError:
            pixels = math.inf
        if pixels > MOST_PIXELS:
            raise DataError(
                f"{source}: expected an image of at most {MOST_PIXELS} pixels, found more; make it smaller."
            )


def _is_cut_jpeg(data: bytes) -> bool:
    """Whether a JPEG has no end after its last scan: some versions of OpenCV fill up what is missing."""
    return data.startswith(JPEG_START) and data.rfind(JPEG_END) < data.rfind(JPEG_SCAN)


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) from the header alone, without decoding; DataError where there is none."""
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: expected an image, found an unreadable file; copy it again.") from error


def write_image(path: Path, pixels: np.ndarray) -> None:
    """Writes uint8 / uint16 [H, W] or uint8 RGB [H, W, 3]; a killed run never leaves half a file."""
    path = Path(path)
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(path.suffix, pixels)
    if not done:
        raise DataError(f"{path}: a {pixels.dtype} array of shape {pixels.shape} has no {path.suffix} form.")
    write_whole(path, encoded.tobytes())


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
