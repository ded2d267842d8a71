"""Reading, writing and resizing image files: OpenCV behind a few functions, in RGB."""

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

# Larger images are refused: a small file can unfold to any size. As many pixels as Pillow trusts.
MOST_PIXELS = 89_478_485
PNG_START = b"\x89PNG"
# Where a PNG says how many bits a sample has.
PNG_BITS = 24
HEADER_FAULTS = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
ORIENTATION_TAG, UPRIGHT = 0x0112, 1
# What EXIF asks of those who show the pixels.
ORIENTATIONS = {
    2: "to be mirrored left to right",
    3: "to be turned by 180 degrees",
    4: "to be mirrored top to bottom",
    5: "to be mirrored left to right, then turned by 90 degrees anticlockwise",
    6: "to be turned by 90 degrees clockwise",
    7: "to be mirrored left to right, then turned by 90 degrees clockwise",
    8: "to be turned by 90 degrees anticlockwise",
}
# Of these, the ones that swap the sides.
SIDEWAYS = (5, 6, 7, 8)


def read_image(path: Path) -> np.ndarray:
    """A picture: uint8 or uint16, [H, W] or RGB [H, W, 3]; transparent pixels are laid on white.

    Raises DataError for no image.
    """
    return decode_image(_read(path), str(path))


def decode_image(data: bytes, source: str) -> np.ndarray:
    """The bytes of an image file -> as read_image; `source` names them in the DataError."""
    pixels = _decode(data, source, "image")
    if pixels.ndim == 2:
        return pixels
    colors = cv2.cvtColor(pixels[..., :3], cv2.COLOR_BGR2RGB)
    return _on_white(colors, pixels[..., 3:]) if _has_alpha(pixels) else colors


def read_values(path: Path, kind: str) -> np.ndarray:
    """The numbers that a map holds, as stored: [H, W], or [H, W, C] where they are a picture's.

    Pixels of a palette are their indices, those of 1, 2 or 4 bits are not stretched to 255. kind: as in
    formats.FORMS, for the DataError where there is no image.
    """
    return decode_values(_read(path), str(path), kind)


def decode_values(data: bytes, source: str, kind: str) -> np.ndarray:
    """The bytes of an image file -> as read_values."""
    if _mode(data, source) == "P" and not is_never_read(source, data):
        return _palette_indices(data, source, kind)
    pixels = _decode(data, source, kind)
    if data.startswith(PNG_START) and data[PNG_BITS] < 8 and pixels.ndim == 2:
        pixels //= 255 // (2 ** data[PNG_BITS] - 1)
    return pixels


def read_mask(path: Path) -> np.ndarray:
    """Where a picture is neither black nor transparent: bool [H, W], the pixels that a mask leaves."""
    pixels = _decode(_read(path), str(path), "mask")
    if pixels.ndim == 2:
        return pixels > 0
    visible = pixels[..., :3].max(axis=2) > 0
    return visible if pixels.shape[2] == 3 else visible & (pixels[..., 3] > 0)


def transparency(path: Path) -> float:
    """The share of a picture's pixels that are not opaque; 0 by the header alone where it has no alpha."""
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
    """Pixels as OpenCV gives them, [H, W], BGR or BGRA, uint8 or uint16 or what a TIFF holds."""
    pixels, whole = None, data
    _mode(data, source)
    if data.startswith(jpeg.START):
        # Some versions of OpenCV fill up what a cut file lacks.
        whole = jpeg.photograph(data)
    if whole and not is_never_read(source, data):
        # Raised where a damaged header tells of an image larger than OpenCV decodes.
        with suppress(cv2.error):
            pixels = cv2.imdecode(np.frombuffer(whole, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise unreadable(source, kind, data[:FIRST_BYTES], len(data))
    return pixels


def _has_alpha(pixels: np.ndarray) -> bool:
    return pixels.ndim == 3 and pixels.shape[2] == 4 and pixels.dtype.kind == "u"


def _on_white(colors: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colors [H, W, 3] over white by their alpha [H, W, 1], on the stored scale as other programs do."""
    white = np.iinfo(colors.dtype).max
    opacity = alpha.astype(np.float32) / white
    return (colors * opacity + white * (1.0 - opacity)).round().astype(colors.dtype)


def _palette_indices(data: bytes, source: str, kind: str) -> np.ndarray:
    """Of the pixels of a file with a palette: uint8 [H, W]."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            # The check sums, which loading passes over.
            image.verify()
        with Image.open(io.BytesIO(data)) as image:
            return np.array(image)
    except HEADER_FAULTS as error:
        raise unreadable(source, kind, data[:FIRST_BYTES], len(data)) from error


def _mode(data: bytes, source: str) -> str:
    """Pillow's name of the form of the pixels, "" where it knows none, by the header alone.

    Raises DataError where that tells of more than MOST_PIXELS, before anything is decoded.
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
    """(height, width) from the header alone, without decoding; DataError where there is none.

    kind: what the file is to hold, as in read_values.
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
    """A key of ORIENTATIONS, or UPRIGHT, by the header alone; no function here turns pixels by it."""
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
