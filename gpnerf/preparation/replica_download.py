"""Files in a download of Replica's renderings, and the place of each in the data set.

Semantic-NeRF released zips with <scene>/Sequence_k/{rgb,depth,semantic_class}/ and traj_w_c.txt; later it
added one zip with semantic_instance/ of every Sequence_1, and one with info_semantic.json. DM-NeRF's copy has
no Sequence folders.
"""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Set
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gpnerf.system.errors import DataError

SCENE = re.compile(r"(office|room)_\d")
SEQUENCE = re.compile(r"Sequence_\d")
KINDS = ("rgb", "depth", "semantic_class", "semantic_instance")
# Excludes the previews vis_sem_class_N.png, which lie in the same folders.
FRAME = re.compile(rf"({'|'.join(KINDS)})_(0|[1-9]\d*)\.png")
TRAJECTORY, CLASS_NAMES = "traj_w_c.txt", "info_semantic.json"
# Exceptions of zipfile for a damaged, encrypted or unsupported archive.
UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, ValueError)


@dataclass(frozen=True)
class Source:
    """A file of the download: a member of a zip, or a file in a folder. size: bytes."""

    path: Path
    size: int
    archive: zipfile.ZipFile | None = None
    member: zipfile.ZipInfo | None = None

    def __str__(self) -> str:
        return f"{self.member.filename} of {self.path}" if self.member else str(self.path)

    def read(self) -> bytes:
        """Reads the whole file. Raises DataError if that fails or the checksum in the zip does not match."""
        try:
            return self.archive.read(self.member) if self.member else self.path.read_bytes()
        except UNREADABLE as error:
            raise DataError(f"{self} cannot be read ({error})") from error

    def differs(self, other: Source) -> bool:
        """Whether the contents differ, by size and checksum."""
        return self.size != other.size or self._checksum() != other._checksum()

    def _checksum(self) -> int:
        return self.member.CRC if self.member else zlib.crc32(self.read())


def choose_files(
    download: Path, out: Path, scenes: Set[str], every: int, opened: ExitStack, faults: list[str]
) -> dict[Path, Source]:
    """Chooses the files of `scenes` (of all if it is empty) and every n-th frame: path in `out` -> file.

    Zips stay open until `opened` closes. Files that cannot be used are added to `faults`. Raises DataError if
    two files for one path differ, and if there are no files.
    """
    chosen: dict[Path, Source] = {}
    conflicts = []
    for place, source in _find_files(download, out, opened, faults):
        target = target_of(place)
        if target is None or not _is_wanted(target, scenes, every):
            continue
        other = chosen.setdefault(target, source)
        # The file of class names also lists objects, which differ between scenes; any copy serves.
        if other is not source and target.name != CLASS_NAMES and source.differs(other):
            conflicts.append(f"{target} from {other} and from {source}")
    if conflicts:
        raise DataError(
            f"{download}: expected one version of each file, found {len(conflicts)} in two that differ, such "
            f"as {conflicts[0]}; remove one of the two from the folder."
        )
    missing = scenes - {target.parts[0] for target in chosen}
    if (missing or not chosen) and not faults:
        wanted = f"the scenes {', '.join(sorted(missing))}" if missing else "zips or folders of Replica"
        raise DataError(
            f"{download}: expected {wanted}, with files such as office_0/Sequence_1/rgb/rgb_0.png, found "
            f"none (files in {out} do not count); correct the folder or the scenes."
        )
    return chosen


def target_of(place: str) -> Path | None:
    """Path of a file in the data set, from its name and the folders around it; None if it is not needed."""
    *folders, name = PurePosixPath(place).parts
    scene = next(filter(SCENE.fullmatch, reversed(folders)), None)
    sequence = next(filter(SEQUENCE.fullmatch, reversed(folders)), "Sequence_1")
    frame = FRAME.fullmatch(name)
    if name == CLASS_NAMES:
        return Path(scene or "", name)
    if scene is None or not (frame or name == TRAJECTORY):
        return None
    return Path(scene, sequence, frame[1] if frame else "", name)


def _is_wanted(target: Path, scenes: Set[str], every: int) -> bool:
    frame = FRAME.fullmatch(target.name)
    if scenes and target.parts[0] not in scenes | {CLASS_NAMES}:
        return False
    return frame is None or int(frame[2]) % every == 0


def _find_files(
    download: Path, out: Path, opened: ExitStack, faults: list[str]
) -> Iterator[tuple[str, Source]]:
    """Finds all files, each with its path from `download` on; a zip counts as a folder with its name."""
    root = PurePosixPath(download.resolve().name)
    files = [download] if download.is_file() else sorted(download.rglob("*"))
    for path in filter(Path.is_file, files):
        place = root / path.relative_to(download).as_posix()
        if path.suffix.lower() == ".zip":
            try:
                archive = opened.enter_context(zipfile.ZipFile(path))
            except UNREADABLE as error:
                faults.append(f"{path} cannot be opened as a zip ({error})")
                continue
            yield from _members(path, place.with_suffix(""), archive, faults)
        elif not _is_output(path, out):
            yield str(place), Source(path, path.stat().st_size)


def _members(
    path: Path, place: PurePosixPath, archive: zipfile.ZipFile, faults: list[str]
) -> Iterator[tuple[str, Source]]:
    for member in archive.infolist():
        name = PurePosixPath(member.filename.replace("\\", "/"))
        source = Source(path, member.file_size, archive, member)
        if name.is_absolute() or ".." in name.parts:
            faults.append(f"{source} points outside of the zip")
        elif name.suffix.lower() == ".zip":
            faults.append(f"{source} is a zip in a zip: unpack the outer one")
        elif not member.is_dir():
            yield str(place / name), source


def _is_output(path: Path, out: Path) -> bool:
    """Whether an earlier run wrote the file, as `out` may lie inside the download."""
    inside = os.path.relpath(path, out).split(os.sep)
    return bool(SCENE.fullmatch(inside[0])) or inside == [CLASS_NAMES]
