"""Image files as other programs write them, byte by byte where no library at hand writes them."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6


def png(pixels: np.ndarray, bits: int, color: int, **chunks: bytes) -> bytes:
    """A PNG of samples [H, W] or [H, W, C] with this many bits, and chunks such as PLTE before its pixels."""
    height, width = pixels.shape[:2]
    if bits == 16:
        rows = [row.tobytes() for row in pixels.astype(">u2")]
    else:
        samples = pixels.reshape(height, -1).astype(np.uint8)
        lanes = np.unpackbits(samples[..., None], axis=-1)[..., 8 - bits :]
        rows = [row.tobytes() for row in np.packbits(lanes.reshape(height, -1), axis=-1)]
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [("IHDR", header), *chunks.items(), ("IDAT", packed), ("IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name.encode(), data) for name, data in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def encoded(pixels: np.ndarray, form: str, **options: object) -> bytes:
    """As Pillow writes it: form "JPEG", "GIF", ..."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()
