"""Survey of one scene of the official ScanNet download: which files its folder still lacks."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from gpnerf.preparation.map_archive import MapArchive
from gpnerf.preparation.sens import MATRICES, SensHeader, read_header
from gpnerf.system.errors import DataError

# Kinds of files of a frame -> suffix: from the .sens file, and from a zip for each kind.
SENSOR_FILES = {"color": ".jpg", "depth": ".png", "pose": ".txt"}
MAP_FILES = {"label-filt": ".png", "instance-filt": ".png"}
SUFFIXES = SENSOR_FILES | MAP_FILES
# Places of .sens files: the download may be the folder of a scene, scans/, or the folder that holds scans/.
PLACES = ("*.sens", "*/*.sens", "*/*/*.sens")
# For the estimate of disk space: generous bytes per pixel of resized files, and bytes of a disk block.
COLOR_BYTES, DEPTH_BYTES, MAP_BYTES, BLOCK = 0.6, 0.9, 0.25, 4096
# Factor by which a depth map is larger as png than in the .sens file.
REPACKING = 1.1


@dataclass(frozen=True)
class SceneJob:
    """A scene to export; picklable.

    sens: its file in the download; folder: where it is written; every: each n-th frame is kept; size:
    (height, width) of all images and maps, None to keep their own.
    """

    sens: Path
    folder: Path
    every: int
    size: tuple[int, int] | None

    @property
    def name(self) -> str:
        return self.sens.stem

    @property
    def settings(self) -> dict[str, int | None]:
        """Options that decide the contents of the files, as written to settings_file."""
        height, width = self.size or (None, None)
        return {"every": self.every, "height": height, "width": width}

    @property
    def settings_file(self) -> Path:
        return self.folder / "prepared.json"

    def file(self, kind: str, number: int) -> Path:
        """Path to which a frame's file of SENSOR_FILES or MAP_FILES is written."""
        return self.folder / kind / f"{number}{SUFFIXES[kind]}"

    def matrix_file(self, name: str) -> Path:
        """Path to which one of MATRICES is written."""
        return self.folder / "intrinsic" / f"{name}.txt"

    def archive(self, kind: str) -> Path:
        """Path of the official zip of a kind of MAP_FILES, whether or not it was downloaded."""
        return self.sens.with_name(f"{self.name}_2d-{kind}.zip")

    def open_archive(self, kind: str, header: SensHeader) -> MapArchive:
        return MapArchive(self.archive(kind), kind, header.color_size)

    @property
    def archives(self) -> list[str]:
        """Kinds of MAP_FILES whose zips were downloaded."""
        return [kind for kind in MAP_FILES if self.archive(kind).is_file()]

    def present(self, kind: str) -> set[int]:
        """Frame numbers of the existing files; empty files, which a crash may leave, do not count."""
        folder = self.folder / kind
        if not folder.is_dir():
            return set()
        name = re.compile(r"([0-9]+)" + re.escape(SUFFIXES[kind]))
        found = ((name.fullmatch(entry.name), entry) for entry in os.scandir(folder))
        return {int(match[1]) for match, entry in found if match and entry.stat().st_size}


@dataclass(frozen=True)
class Survey:
    """Files of a scene that are still to be written.

    missing: kind -> numbers of the frames whose file is to be written; matrices: names of the matrices to be
    written; lacking: kind -> number of kept frames that its zip does not hold; needed_bytes: estimated disk
    space.
    """

    header: SensHeader
    missing: dict[str, set[int]]
    matrices: list[str]
    lacking: dict[str, int]
    needed_bytes: int

    @property
    def sensor_frames(self) -> set[int]:
        """Numbers of the frames that must be read from the .sens file."""
        return set().union(*(self.missing[kind] for kind in SENSOR_FILES))

    @property
    def frames(self) -> list[int]:
        """Numbers of the frames with missing files, in order."""
        return sorted(set().union(*self.missing.values()))

    @property
    def complete(self) -> bool:
        return not self.frames and not self.matrices


def find_recordings(download: Path) -> dict[str, Path]:
    """Finds scene name -> .sens file. Raises DataError if there is none."""
    if not download.is_dir():
        raise DataError(f"{download}: expected the folder of the download, found none; correct the path.")
    paths = [path for place in PLACES for path in sorted(download.glob(place))]
    # Reversed, so that of two copies the one nearer to the top replaces the other.
    found = {path.stem: path for path in reversed(paths) if path.parent.resolve().name == path.stem}
    if not found:
        raise DataError(
            f"{download}: expected scans/<scene>/<scene>.sens in it, found none; download scenes with the "
            "official script's --type .sens, or correct the path."
        )
    return found


def survey(job: SceneJob) -> Survey:
    """Compares the download of a scene with its folder.

    Raises DataError if the .sens header or a zip directory is broken, or if the frames in the folder were
    written with other options.
    """
    header = read_header(job.sens)
    _check_settings(job)
    kept = set(range(0, header.num_frames, job.every))
    missing = {kind: kept - job.present(kind) for kind in SENSOR_FILES}
    lacking, stored = {}, 0
    for kind in job.archives:
        with job.open_archive(kind, header) as archive:
            missing[kind] = kept & archive.numbers - job.present(kind)
            lacking[kind] = len(kept - archive.numbers)
            stored += sum(map(archive.size, missing[kind]))
    matrices = [name for name in MATRICES if not job.matrix_file(name).exists()]
    return Survey(header, missing, matrices, lacking, _needed_bytes(job, header, missing, stored))


def _needed_bytes(job: SceneJob, header: SensHeader, missing: dict[str, set[int]], stored: int) -> int:
    """Estimates the disk space of the missing files; stored: bytes of the missing maps in their zips."""
    from_sens = max(len(missing[kind]) for kind in SENSOR_FILES)
    files = sum(map(len, missing.values()))
    if job.size is None:
        payload = header.path.stat().st_size - header.frames_start
        data = REPACKING * payload / header.num_frames * from_sens + stored
    else:
        maps = sum(len(numbers) for kind, numbers in missing.items() if kind in MAP_FILES)
        data = job.size[0] * job.size[1] * ((COLOR_BYTES + DEPTH_BYTES) * from_sens + MAP_BYTES * maps)
    return int(data) + files * BLOCK


def _check_settings(job: SceneJob) -> None:
    """Raises DataError if the folder holds frames of another size, or frames that are not to be kept."""
    path, wanted = job.settings_file, job.settings
    if not path.exists() and not any((job.folder / kind).exists() for kind in SENSOR_FILES):
        return
    try:
        found = json.loads(path.read_text())
        same_size = all(found[side] == wanted[side] for side in ("height", "width"))
        fits = same_size and found["every"] % job.every == 0
    except (OSError, ValueError, KeyError, TypeError):
        found, fits = {}, False
    if not fits:
        raise DataError(
            f"{job.folder}: expected frames written with {_shown(wanted)}, found {_shown(found)}; remove the "
            "folder, repeat the options that it was written with, or choose another output folder."
        )


def _shown(settings: dict[str, int | None]) -> str:
    given = " ".join(f"--{name} {value}" for name, value in settings.items() if value)
    return given or "unknown options"
