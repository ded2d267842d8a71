"""Reading of ScanNet's .sens files: a header, then frames, one at a time."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from gpnerf.system.errors import DataError

VERSION = 4
MATRICES = ("intrinsic_color", "extrinsic_color", "intrinsic_depth", "extrinsic_depth")
COLOR_RAW, COLOR_PNG, COLOR_JPEG = 0, 1, 2
IMAGE_FORMATS = {COLOR_PNG: "PNG", COLOR_JPEG: "JPEG"}
DEPTH_RAW, DEPTH_ZLIB = 0, 1
MILLIMETERS_PER_METER = 1000.0
LARGEST_DEPTH = np.iinfo(np.uint16).max

# Fields after the sensor's name: four 4x4 matrices, codecs of colour and depth, width and height of both,
# depth units per metre, number of frames.
HEADER = struct.Struct("<64f2i4IfQ")
# Fields before a frame's data: camera-to-world pose, time stamps and byte counts of colour and depth.
FRAME = struct.Struct("<16f4Q")
# Bounds that no recording reaches: a larger size is a fault in the file, and no memory is allocated for it.
LONGEST_NAME = 4096
LARGEST_SIDE = 8192
# Bytes by which a compressed image may be larger than its pixels.
SLACK = 65536
# Exceptions of Pillow for broken images.
IMAGE_FAULTS = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
# Markers of a complete jpeg; some encoders add at most PADDING bytes after the end.
JPEG_START, JPEG_END, PADDING = b"\xff\xd8", b"\xff\xd9", 4096


@dataclass(frozen=True)
class SensHeader:
    """Header of a .sens file.

    matrices: float32 [4, 4] for each name of MATRICES, in pixels and metres; color_size, depth_size:
    (height, width); depth_shift: depth units per metre; frames_start: byte offset of the first frame;
    color_bytes, depth_bytes: size of one uncompressed frame.
    """

    path: Path
    matrices: dict[str, np.ndarray]
    color_codec: int
    depth_codec: int
    color_size: tuple[int, int]
    depth_size: tuple[int, int]
    depth_shift: float
    num_frames: int
    frames_start: int

    @property
    def color_bytes(self) -> int:
        return 3 * self.color_size[0] * self.color_size[1]

    @property
    def depth_bytes(self) -> int:
        return 2 * self.depth_size[0] * self.depth_size[1]


@dataclass(frozen=True)
class SensFrame:
    """A frame as stored. camera_to_world: float32 [4, 4] in metres, inf or nan if tracking was lost."""

    header: SensHeader
    number: int
    camera_to_world: np.ndarray
    color_data: bytes
    depth_data: bytes

    def jpeg(self) -> bytes:
        """Returns the stored jpeg without decoding it; only for the colour codec COLOR_JPEG.

        Raises DataError if a marker is missing or the size is wrong.
        """
        self._check_image()
        return self.color_data

    def color(self) -> np.ndarray:
        """Decodes the colour image: uint8 RGB [H, W, 3]. Raises DataError if that fails."""
        header = self.header
        if header.color_codec == COLOR_RAW:
            self._check_length("colour", len(self.color_data), header.color_bytes)
            return np.frombuffer(self.color_data, np.uint8).reshape(*header.color_size, 3)
        self._check_image()
        try:
            with self._open_image() as image:
                return np.array(image.convert("RGB"))
        except IMAGE_FAULTS as error:
            raise self._fault("a colour image", f"one that cannot be decoded ({error})") from error

    def depth(self) -> np.ndarray:
        """Decodes the z-depth: uint16 [h, w] millimetres, 0 = unknown. Raises DataError if that fails."""
        header = self.header
        data = self._inflated() if header.depth_codec == DEPTH_ZLIB else self.depth_data
        self._check_length("depth", len(data), header.depth_bytes)
        units = np.frombuffer(data, "<u2").reshape(header.depth_size)
        if header.depth_shift == MILLIMETERS_PER_METER:
            return units.astype(np.uint16)
        depth = np.rint(units * (MILLIMETERS_PER_METER / header.depth_shift))
        return np.where(depth <= LARGEST_DEPTH, depth, 0.0).astype(np.uint16)

    def _inflated(self) -> bytes:
        """Inflates the depth bytes, at most one more than expected, so that bad data cannot fill memory."""
        inflater = zlib.decompressobj()
        try:
            data = inflater.decompress(self.depth_data, self.header.depth_bytes + 1)
        except zlib.error as error:
            raise self._fault("a depth map packed by zlib", f"a fault in it ({error})") from error
        if len(data) == self.header.depth_bytes and not inflater.eof:
            raise self._fault("a whole depth map packed by zlib", "one without its end")
        return data

    def _open_image(self) -> Image.Image:
        return Image.open(io.BytesIO(self.color_data), formats=[IMAGE_FORMATS[self.header.color_codec]])

    def _check_image(self) -> None:
        """Checks the markers and the size of the image without decoding it."""
        data, kind = self.color_data, IMAGE_FORMATS[self.header.color_codec]
        if kind == "JPEG" and (data[:2] != JPEG_START or JPEG_END not in data[-PADDING:]):
            raise self._fault(
                "a jpeg from marker FFD8 to marker FFD9", f"{len(data)} bytes without one of them"
            )
        try:
            with self._open_image() as image:
                found = (image.height, image.width)
        except IMAGE_FAULTS as error:
            raise self._fault(f"a {kind} image", f"{len(data)} bytes that are none") from error
        if found != self.header.color_size:
            expected = "{}x{}".format(*self.header.color_size)
            raise self._fault(f"a {kind} image of {expected} pixels", "{}x{}".format(*found))

    def _check_length(self, name: str, found: int, expected: int) -> None:
        if found != expected:
            more = "more than that" if found > expected else f"{found} bytes"
            raise self._fault(f"{expected} bytes of {name}", more)

    def _fault(self, expected: str, found: str) -> DataError:
        return _fault(f"{self.header.path}, frame {self.number}", expected, found)


class _Source:
    """A file that is read forwards; raises DataError instead of reading beyond its end."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file, self.path = file, path
        self.size = os.fstat(file.fileno()).st_size

    def read(self, count: int, part: str) -> bytes:
        self._claim(count, part)
        return self.file.read(count)

    def skip(self, count: int, part: str) -> None:
        self._claim(count, part)
        self.file.seek(count, os.SEEK_CUR)

    def _claim(self, count: int, part: str) -> None:
        left = self.size - self.file.tell()
        if count > left:
            raise _fault(f"{self.path}, {part}", f"{count} more bytes", f"the end of the file after {left}")


def read_header(path: Path) -> SensHeader:
    """Reads the header of a .sens file. Raises DataError if it is cut off, implausible or unsupported."""
    with open(path, "rb") as file:
        source = _Source(file, path)
        (version,) = struct.unpack("<I", source.read(4, "header"))
        if version != VERSION:
            raise _fault(f"{path}, header", f"version {VERSION} of the .sens format", str(version))
        (name_length,) = struct.unpack("<Q", source.read(8, "header"))
        if name_length > LONGEST_NAME:
            raise _fault(f"{path}, header", "the name of a sensor", f"one of {name_length} bytes")
        source.skip(name_length, "header")
        fields = HEADER.unpack(source.read(HEADER.size, "header"))
        header = _parse_header(Path(path), fields, file.tell())
        _check_header(header, source.size)
    return header


def read_frames(header: SensHeader, wanted: Container[int]) -> Iterator[SensFrame]:
    """Reads the frames whose numbers are wanted, in order; skips the data of the others.

    It visits every frame to the last, so that a cut-off file is always noticed. Raises DataError if the file
    ends early or a size is implausible.
    """
    with open(header.path, "rb") as file:
        source = _Source(file, header.path)
        source.skip(header.frames_start, "header")
        for number in range(header.num_frames):
            part = f"frame {number}"
            *fields, color_bytes, depth_bytes = FRAME.unpack(source.read(FRAME.size, part))
            _check_blob(header, number, "colour", color_bytes, header.color_bytes)
            _check_blob(header, number, "depth", depth_bytes, header.depth_bytes)
            if number not in wanted:
                source.skip(color_bytes + depth_bytes, part)
                continue
            pose = np.array(fields[:16], np.float32).reshape(4, 4)
            color, depth = source.read(color_bytes, part), source.read(depth_bytes, part)
            yield SensFrame(header, number, pose, color, depth)


def _parse_header(path: Path, fields: tuple[float, ...], frames_start: int) -> SensHeader:
    matrices = dict(zip(MATRICES, np.array(fields[:64], np.float32).reshape(4, 4, 4), strict=True))
    color_codec, depth_codec, *sizes, depth_shift, num_frames = fields[64:]
    color_size, depth_size = (sizes[1], sizes[0]), (sizes[3], sizes[2])
    codecs = (color_codec, depth_codec)
    return SensHeader(path, matrices, *codecs, color_size, depth_size, depth_shift, num_frames, frames_start)


def _check_header(header: SensHeader, file_size: int) -> None:
    """Raises DataError for unsupported codecs and implausible numbers."""
    place = f"{header.path}, header"
    if header.color_codec not in (COLOR_RAW, COLOR_PNG, COLOR_JPEG):
        raise _fault(place, "colour codec 0 (raw), 1 (png) or 2 (jpeg)", str(header.color_codec))
    if header.depth_codec not in (DEPTH_RAW, DEPTH_ZLIB):
        raise _fault(
            place, "depth codec 0 (raw) or 1 (zlib); 2 (OCCI) is unsupported", str(header.depth_codec)
        )
    for name, size in (("colour", header.color_size), ("depth", header.depth_size)):
        if not all(1 <= side <= LARGEST_SIDE for side in size):
            raise _fault(place, f"{name} sides from 1 to {LARGEST_SIDE} pixels", f"{size[0]}x{size[1]}")
    if not 0.0 < header.depth_shift < float("inf"):
        raise _fault(place, "a positive number of depth units per metre", f"{header.depth_shift:g}")
    largest = (file_size - header.frames_start) // FRAME.size
    if not 1 <= header.num_frames <= largest:
        raise _fault(place, f"as many frames as {file_size} bytes can hold", str(header.num_frames))


def _check_blob(header: SensHeader, number: int, name: str, found: int, uncompressed: int) -> None:
    if found > 2 * uncompressed + SLACK:
        raise _fault(
            f"{header.path}, frame {number}",
            f"{name} of about {uncompressed} bytes or less",
            f"{found} bytes",
        )


def _fault(place: str, expected: str, found: str) -> DataError:
    return DataError(f"{place}: expected {expected}, found {found}; download the file again.")
