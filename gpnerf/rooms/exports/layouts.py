"""Writes rooms in the disk layouts of data sets, so that one test can compare all loaders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from gpnerf.rooms.exports import replica, scannet
from gpnerf.rooms.exports.transforms import write_transforms
from gpnerf.rooms.making import make_all, write_folder
from gpnerf.rooms.shots import VERSION, Job, Shoot, names
from gpnerf.system.errors import ConfigError
from gpnerf.system.files import write_whole

# File beside the rooms that holds the options they were made with.
RECORD = "made_with.txt"


@dataclass(frozen=True)
class Layout:
    """A disk layout.

    write: fills the empty folder of a room; parent: where the rooms lie below the root; shared: text of the
    files that all rooms have in common, by name; field_of_view: degrees, None if any will do.
    """

    write: Callable[[Job, Path], None]
    parent: str = ""
    shared: Mapping[str, str] = field(default_factory=dict)
    field_of_view: float | None = None


REPLICA_SHARED = {replica.CLASS_FILE: replica.class_table()}
SCANNET_SHARED = {scannet.LABEL_FILE: scannet.label_table()}
LAYOUTS = {
    "transforms": Layout(write_transforms),
    "replica": Layout(replica.write_sequence, shared=REPLICA_SHARED, field_of_view=90.0),
    "scannet": Layout(scannet.write_folders, shared=SCANNET_SHARED),
    "scannet_download": Layout(scannet.write_download, parent="scans", shared=SCANNET_SHARED),
}


def export(root: Path, layout: str, seeds: Sequence[int], shoot: Shoot, workers: int = 2) -> None:
    """Writes the missing rooms in a layout of LAYOUTS, `workers` at a time.

    Raises ConfigError where `root` holds rooms made with other options, or another data set.
    """
    form = LAYOUTS[layout]
    root.mkdir(parents=True, exist_ok=True)
    _write_shared(root, {RECORD: _made_with(layout, shoot), **form.shared})
    folders = [root / form.parent / name for name in names(seeds)]
    jobs = [Job(folder, seed, shoot) for folder, seed in zip(folders, seeds, strict=True)]
    make_all(partial(_make, layout), [job for job in jobs if not job.folder.is_dir()], workers)


def _made_with(layout: str, shoot: Shoot) -> str:
    return (
        f"--layout {layout} --views {shoot.num_views} --height {shoot.height} --width {shoot.width} "
        f"--field_of_view {shoot.field_of_view:g} (rooms of version {VERSION})\n"
    )


def _make(layout: str, job: Job) -> None:
    write_folder(job.folder, partial(LAYOUTS[layout].write, job), job.folder.is_dir)


def _write_shared(root: Path, texts: Mapping[str, str]) -> None:
    """Writes the files that all rooms have in common. Raises ConfigError if one has another content."""
    present = [name for name in texts if (root / name).exists()]
    for name in present:
        expected, found = texts[name].strip(), (root / name).read_text(errors="replace").strip()
        if found != expected:
            raise ConfigError(
                f"{root / name}: expected {_start(expected)!r}, found {_start(found)!r} of other rooms or "
                "another data set; choose another folder."
            )
    for name in texts.keys() - present:
        write_whole(root / name, texts[name])


def _start(text: str) -> str:
    return text if len(text) < 120 else text[:60] + " ..."
