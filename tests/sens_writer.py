"""Writes tiny downloads of ScanNet: six frames of 16x12 pixels and 8x6 depth values by default."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import cv2
import numpy as np
from PIL import Image

COLOR_SIZE, DEPTH_SIZE = (12, 16), (6, 8)
INTRINSIC_COLOR = np.array([[12, 0, 7.5, 0], [0, 13, 5.5, 0], [0, 0, 1, 0], [0, 0, 0, 1]], np.float32)
INTRINSIC_DEPTH = np.array([[6, 0, 3.5, 0], [0, 6.5, 2.5, 0], [0, 0, 1, 0], [0, 0, 0, 1]], np.float32)


def picture(number: int) -> np.ndarray:
    """A gradient that differs from frame to frame: uint8 [12, 16, 3]."""
    rows, columns = np.indices(COLOR_SIZE)
    return np.stack([10 * rows, 10 * columns, np.full(COLOR_SIZE, 20 * number)], axis=-1).astype(np.uint8)


def image_bytes(pixels: np.ndarray, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def depth_map(number: int) -> np.ndarray:
    """Depths that differ from pixel to pixel: uint16 [6, 8] millimetres."""
    return (1000 * (number + 1) + np.arange(48).reshape(DEPTH_SIZE)).astype(np.uint16)


def pose(number: int) -> np.ndarray:
    matrix = np.eye(4, dtype=np.float32)
    matrix[0, 3] = 0.25 * number
    return matrix


def label_png(number: int) -> bytes:
    """Raw ids beyond 255, four blocks of 6x8 pixels."""
    ids = np.kron(np.array([[1, 1357], [300 + number, 0]]), np.ones((6, 8)))
    return cv2.imencode(".png", ids.astype(np.uint16))[1].tobytes()


def instance_png(number: int) -> bytes:
    return cv2.imencode(".png", np.full(COLOR_SIZE, number, np.uint8))[1].tobytes()


def write_zip(path: Path, members: dict[str, bytes]) -> None:
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


@dataclass
class SensFile:
    """What goes into the file; `colors`, `depths` and `poses` replace what frame N holds."""

    frames: int = 6
    version: int = 4
    sensor: bytes = b"StructureSensor"
    codecs: Sequence[int] = (2, 1)
    color_size: tuple[int, int] = COLOR_SIZE
    depth_size: tuple[int, int] = DEPTH_SIZE
    depth_shift: float = 1000.0
    colors: dict[int, bytes] = field(default_factory=dict)
    depths: dict[int, bytes] = field(default_factory=dict)
    poses: dict[int, np.ndarray] = field(default_factory=dict)
    announced_frames: int | None = None

    def header(self) -> bytes:
        matrices = np.stack([INTRINSIC_COLOR, np.eye(4), INTRINSIC_DEPTH, np.eye(4)]).astype("<f4")
        sides = (*reversed(self.color_size), *reversed(self.depth_size))
        frames = self.frames if self.announced_frames is None else self.announced_frames
        parts = [
            struct.pack("<IQ", self.version, len(self.sensor)) + self.sensor,
            matrices.tobytes(),
            struct.pack("<2i4I", *self.codecs, *sides),
            struct.pack("<fQ", self.depth_shift, frames),
        ]
        return b"".join(parts)

    def color(self, number: int) -> bytes:
        return self.colors.get(number, image_bytes(picture(number)))

    def frame(self, number: int) -> bytes:
        color = self.color(number)
        depth = self.depths.get(number, zlib.compress(depth_map(number).astype("<u2").tobytes()))
        matrix = self.poses.get(number, pose(number)).astype("<f4").tobytes()
        return matrix + struct.pack("<4Q", 7, 8, len(color), len(depth)) + color + depth

    def data(self) -> bytes:
        # Readings of a motion sensor follow the frames: none.
        return self.header() + b"".join(map(self.frame, range(self.frames))) + struct.pack("<Q", 0)
