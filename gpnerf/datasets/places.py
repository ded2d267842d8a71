"""Folders and paths however they are spelled: a scene is its folder, and output is named by it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PureWindowsPath

from gpnerf.system.errors import ConfigError
from gpnerf.system.files import write_whole

log = logging.getLogger(__name__)

# In a folder of results: the folder of the scene that they show.
OWNER = "scene.txt"


def scene_name(root: Path, spelled: str) -> str:
    """The name of the scene root/spelled, the same for `scene`, `scene/`, `./scene` and its absolute path.

    It is the path below `root`, the folder's own name where `root` is the scene, and the whole path of a
    scene outside `root`, so that no two folders share a name.
    """
    place, top = Path(os.path.abspath(root / spelled)), Path(os.path.abspath(root))
    if place == top:
        return place.name
    return place.relative_to(top if top in place.parents else place.anchor).as_posix()


def some_known(root: Path, names: Iterable[str], known_root: Path, known: Sequence[str]) -> bool:
    """Whether one of the scenes root/names is one of known_root/known.

    A scene is its folder, without symbolic links. Names count only where a known folder is not there: it has
    moved, or was none, as a room is made from its name.
    """
    folders = {os.path.realpath(known_root / name) for name in known}
    gone = {scene_name(known_root, name) for name in known if not os.path.isdir(known_root / name)}
    return any(os.path.realpath(root / name) in folders or scene_name(root, name) in gone for name in names)


def each_once(root: Path, names: Iterable[str]) -> list[str]:
    """The first spelling of every folder; says which are left out."""
    first: dict[str, str] = {}
    for name in names:
        place = os.path.realpath(root / name)
        if place in first:
            log.warning(f"Warning: the scenes {first[place]} and {name} are one folder; it is used once.")
        first.setdefault(place, name)
    return list(first.values())


def claim(folder: Path, scene: Path) -> None:
    """Notes in a folder of results that they are of this scene.

    Raises ConfigError where they are of another one of that name that still exists.
    """
    record, place = folder / OWNER, os.path.realpath(scene)
    other = os.fsdecode(record.read_bytes()) if record.is_file() else place
    if other != place and os.path.isdir(other):
        raise ConfigError(
            f"{folder} holds results of {other}, which those of {place} would replace; choose another "
            f"--expname, or remove {folder}."
        )
    if other != place or not record.is_file():
        write_whole(record, os.fsencode(place))


def spellings(path: str) -> tuple[str, ...]:
    """A path out of a file as it is written, then as it is meant if Windows wrote it."""
    return tuple(dict.fromkeys((path, path.replace("\\", "/"))))


def leaves(path: str) -> bool:
    """Whether a path out of a file leads out of the folder that it is relative to, on any system."""
    windows = PureWindowsPath(path)
    return bool(windows.root) or ".." in windows.parts


def from_folder(folder: Path, path: str) -> str:
    """A path out of a file, relative to the folder if it is absolute and lies inside, or else as it is."""
    for top in (os.path.abspath(folder), os.path.realpath(folder)):
        if path.startswith(top + os.sep):
            return path.removeprefix(top + os.sep)
    return path


def in_other_case(folder: Path, path: str) -> str | None:
    """The file in the folder whose path differs from this one in capitals alone; None where there is none."""
    found = Path()
    for part in Path(path).parts:
        try:
            names = os.listdir(folder / found)
        except OSError:
            return None
        name = next((name for name in sorted(names) if name.lower() == part.lower()), None)
        if name is None:
            return None
        found /= name
    return found.as_posix()
