"""Zips of label or instance maps as ScanNet releases them, with members label-filt/0.png, 1.png, ..."""

from __future__ import annotations

import io
import re
import struct
import zlib
from pathlib import Path
from types import TracebackType
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

import cv2
import numpy as np
from PIL import Image

from gpnerf.system.errors import DataError

# Exceptions of zipfile and its decompressors for damaged files, and of Pillow for damaged images.
ZIP_FAULTS = (BadZipFile, EOFError, OSError, RuntimeError, ValueError, struct.error, zlib.error)
IMAGE_FAULTS = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
# Bytes by which a png may be larger than its pixels.
SLACK = 65536


class MapArchive:
    """Maps of one kind (`label-filt`, `instance-filt`) in a zip, by frame number; a context manager.

    largest: (height, width) that no map may exceed. Raises DataError if the zip is damaged or holds no map
    of this kind.
    """

    def __init__(self, path: Path, kind: str, largest: tuple[int, int]) -> None:
        self.path, self.largest = path, largest
        try:
            self._zip = ZipFile(path)
        except ZIP_FAULTS as error:
            raise self._fault("a zip file", f"a damaged one ({error})") from error
        pattern = re.compile(rf"(?:.*/)?{re.escape(kind)}/([0-9]{{1,9}})\.png")
        matches = [(pattern.fullmatch(info.filename), info) for info in self._zip.infolist()]
        self._members = {
            int(match[1]): info
            for match, info in matches
            if match and not {"..", "__MACOSX"} & set(info.filename.split("/"))
        }
        if not self._members:
            self._zip.close()
            names = ", ".join(info.filename for _, info in matches[:2]) or "nothing"
            raise self._fault(f"members {kind}/N.png", names)

    def __enter__(self) -> MapArchive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    @property
    def numbers(self) -> set[int]:
        """Frame numbers of the maps."""
        return set(self._members)

    def size(self, number: int) -> int:
        """Size of the png in bytes."""
        return self._members[number].file_size

    def png(self, number: int) -> bytes:
        """Reads the png of a frame without decoding it. Raises DataError if it is damaged or too large."""
        member = self._members[number]
        most = 4 * self.largest[0] * self.largest[1] + SLACK
        if member.file_size > most:
            raise self._fault(f"{member.filename} of at most {most} bytes", str(member.file_size))
        if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise self._fault(f"{member.filename} stored or deflated", f"method {member.compress_type}")
        try:
            # The limit keeps a member that inflates to more than its stated size from filling the memory.
            with self._zip.open(member) as file:
                data = file.read(member.file_size)
        except ZIP_FAULTS as error:
            raise self._fault(f"{member.filename} in it", f"a damaged member ({error})") from error
        self._check_size(member.filename, data)
        return data

    def pixels(self, number: int) -> np.ndarray:
        """Reads the ids of a frame: uint8 or uint16 [H, W], as stored. Raises DataError if it cannot."""
        data = np.frombuffer(self.png(number), np.uint8)
        ids = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        if ids is None or ids.ndim != 2:
            found = "one that cannot be decoded" if ids is None else "a colour image"
            raise self._fault(f"a map of ids in {self._members[number].filename}", found)
        return ids

    def _check_size(self, name: str, data: bytes) -> None:
        try:
            with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
                found = (image.height, image.width)
        except IMAGE_FAULTS as error:
            raise self._fault(f"a png image in {name}", f"{len(data)} bytes that are none") from error
        if found[0] > self.largest[0] or found[1] > self.largest[1]:
            raise self._fault(
                "{} of at most {}x{} pixels".format(name, *self.largest), "{}x{}".format(*found)
            )

    def _fault(self, expected: str, found: str) -> DataError:
        return DataError(f"{self.path}: expected {expected}, found {found}; download the file again.")
