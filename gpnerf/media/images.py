"""Reads, writes and resizes images: OpenCV behind a few functions, in RGB."""

from __future__ import annotations

import io
import math
import os
import struct
import warnings
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from gpnerf.media import jpeg
from gpnerf.media.formats import COPY, FIRST_BYTES, is_never_read, unreadable
from gpnerf.system.errors import DataError
from gpnerf.system.files import write_whole

# Larger images are refused, since a small file can unpack to any size. The limit is Pillow's.
MOST_PIXELS = 89_478_485
PNG_START = b"\x89PNG"
# Position of the byte of a PNG that holds the bits per sample.
PNG_BITS = 24
HEADER_FAULTS = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
ORIENTATION_TAG, UPRIGHT = 0x0112, 1
# EXIF orientation -> how the stored pixels have to be turned for display.
ORIENTATIONS = {
    2: "to be mirrored left to right",
    3: "to be turned by 180 degrees",
    4: "to be mirrored top to bottom",
    5: "to be mirrored left to right, then turned by 90 degrees anticlockwise",
    6: "to be turned by 90 degrees clockwise",
    7: "to be mirrored left to right, then turned by 90 degrees clockwise",
    8: "to be turned by 90 degrees anticlockwise",
}
# Orientations that swap height and width.
SIDEWAYS = (5, 6, 7, 8)


def read_image(path: Path) -> np.ndarray:
    """Reads an image: uint8 or uint16, [H, W] or RGB [H, W, 3]; transparent pixels are blended with white.

    Raises DataError if the file is missing or holds no image.
    """
    return decode_image(_read(path), str(path))


def decode_image(data: bytes, source: str) -> np.ndarray:
    """Decodes the bytes of an image file like read_image; `source` names them in the DataError."""
    pixels = _decode(data, source, "image")
    if pixels.ndim == 2:
        return pixels
    colors = cv2.cvtColor(pixels[..., :3], cv2.COLOR_BGR2RGB)
    return _on_white(colors, pixels[..., 3:]) if _has_alpha(pixels) else colors


def read_values(path: Path, kind: str) -> np.ndarray:
    """Reads the values of a map as stored: [H, W], or [H, W, C] if the file has colour channels.

    A file with a palette gives its indices; values of 1, 2 or 4 bits are not stretched to 255. kind: a key of
    formats.FORMS, for the DataError if the file holds no image.
    """
    return decode_values(_read(path), str(path), kind)


def decode_values(data: bytes, source: str, kind: str) -> np.ndarray:
    """Decodes the bytes of an image file like read_values."""
    if _mode(data, source) == "P" and not is_never_read(source, data):
        return _palette_indices(data, source, kind)
    pixels = _decode(data, source, kind)
    if data.startswith(PNG_START) and data[PNG_BITS] < 8 and pixels.ndim == 2:
        pixels //= 255 // (2 ** data[PNG_BITS] - 1)
    return pixels


def read_mask(path: Path) -> np.ndarray:
    """Reads a mask: bool [H, W], true where the image is neither black nor transparent."""
    pixels = _decode(_read(path), str(path), "mask")
    if pixels.ndim == 2:
        return pixels > 0
    visible = pixels[..., :3].max(axis=2) > 0
    return visible if pixels.shape[2] == 3 else visible & (pixels[..., 3] > 0)


def transparency(path: Path) -> float:
    """Share of an image's pixels that are not opaque; without alpha it is 0, and nothing is decoded."""
    data = _read(path)
    with suppress(*HEADER_FAULTS), Image.open(io.BytesIO(data)) as image:
        if "A" not in image.getbands() and "transparency" not in image.info:
            return 0.0
    pixels = _decode(data, str(path), "image")
    if not _has_alpha(pixels):
        return 0.0
    return float((pixels[..., 3] < np.iinfo(pixels.dtype).max).mean())


def _read(path: Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _no_file(path, error) from error


def _no_file(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: expected an image, found {error.strerror}; {COPY}.")


def _decode(data: bytes, source: str, kind: str) -> np.ndarray:
    """Decodes pixels as OpenCV does: [H, W], BGR or BGRA; uint8, uint16, or the type of a TIFF."""
    pixels, whole = None, data
    # Called for its check of the size, which must come before decoding.
    _mode(data, source)
    if data.startswith(jpeg.START):
        # Some versions of OpenCV fill in the missing part of a cut file instead of refusing it.
        whole = jpeg.photograph(data)
    if whole and not is_never_read(source, data):
        # OpenCV raises this if a damaged header claims an image larger than it decodes.
        with suppress(cv2.error):
            pixels = cv2.imdecode(np.frombuffer(whole, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise unreadable(source, kind, data[:FIRST_BYTES], len(data))
    return pixels


def _has_alpha(pixels: np.ndarray) -> bool:
    return pixels.ndim == 3 and pixels.shape[2] == 4 and pixels.dtype.kind == "u"


def _on_white(colors: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Blends colors [H, W, 3] with white by their alpha [H, W, 1].

    The blend is of gamma-encoded values, as in other programs.
    """
    white = np.iinfo(colors.dtype).max
    opacity = alpha.astype(np.float32) / white
    return (colors * opacity + white * (1.0 - opacity)).round().astype(colors.dtype)


def _palette_indices(data: bytes, source: str, kind: str) -> np.ndarray:
    """Palette indices of the pixels of an image file: uint8 [H, W]."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            # Tests the checksums, which loading ignores.
            image.verify()
        with Image.open(io.BytesIO(data)) as image:
            return np.array(image)
    except HEADER_FAULTS as error:
        raise unreadable(source, kind, data[:FIRST_BYTES], len(data)) from error


def _mode(data: bytes, source: str) -> str:
    """Reads Pillow's mode of an image from the header alone; "" if Pillow does not recognise the file.

    Raises DataError if the header claims more than MOST_PIXELS, before anything is decoded.
    """
    mode, pixels = "", 0.0
    with suppress(OSError, ValueError, SyntaxError), warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(data)) as image:
                mode, pixels = image.mode, image.width * image.height
        except Image.DecompressionBombError:
            pixels = math.inf
    if pixels > MOST_PIXELS:
        raise DataError(
            f"{source}: expected an image of at most {MOST_PIXELS} pixels, found more; make it smaller."
        )
    return mode


def image_size(path: Path, kind: str = "image") -> tuple[int, int]:
    """Reads (height, width) from the header alone. Raises DataError if the file holds no image.

    kind: as in read_values.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(FIRST_BYTES)
            if not is_never_read(str(path), head):
                with suppress(*HEADER_FAULTS), Image.open(file) as image:
                    return image.height, image.width
            raise unreadable(str(path), kind, head, os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise _no_file(path, error) from error


def orientation(path: Path) -> int:
    """Reads the EXIF orientation from the header: a key of ORIENTATIONS, or UPRIGHT.

    No function of this module turns pixels by it; photographs.copy_upright does.
    """
    found = UPRIGHT
    with suppress(*HEADER_FAULTS, struct.error), warnings.catch_warnings(), Image.open(path) as image:
        warnings.simplefilter("ignore")
        if "exif" in image.info:
            found = image.getexif().get(ORIENTATION_TAG, UPRIGHT)
    return found if found in ORIENTATIONS else UPRIGHT


def write_image(path: Path, pixels: np.ndarray) -> None:
    """Writes uint8 / uint16 [H, W] or uint8 RGB [H, W, 3]; a killed run never leaves half a file."""
    path = Path(path)
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(path.suffix, pixels)
    if not done:
        raise DataError(
            f"{path}: expected an array that {path.suffix} can hold, found {pixels.dtype} of shape "
            f"{pixels.shape}; choose another suffix."
        )
    write_whole(path, encoded.tobytes())


def through_jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    """Compresses an image as JPEG and decodes it: uint8 RGB [H, W, 3]. quality: 0 to 100."""
    _, encoded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1])


def resize_colors(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Averages over areas when shrinking, interpolates when enlarging: [H, W, 3] -> [height, width, 3]."""
    if pixels.shape[:2] == (height, width):
        return pixels
    shrinks = height < pixels.shape[0]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(pixels, (width, height), interpolation=interpolation)


def resize_values(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Takes the nearest pixel: values such as labels and depths must not mix. [H, W] -> [height, width]."""
    if pixels.shape[:2] == (height, width):
        return pixels
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
