"""Identity and names of scenes, however their folders are spelled, and paths that files name."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PureWindowsPath

from gpnerf.system.errors import ConfigError
from gpnerf.system.files import write_whole

log = logging.getLogger(__name__)

# A file in every folder of results; it holds the path of the scene that they belong to.
OWNER = "scene.txt"


def scene_name(root: Path, spelled: str) -> str:
    """Names the scene root/spelled, the same for `scene`, `scene/`, `./scene` and its absolute path.

    The name is the path below `root`, or the folder's own name if `root` is the scene. A scene outside `root`
    is named by its whole path, so that no two folders share a name.
    """
    place, top = Path(os.path.abspath(root / spelled)), Path(os.path.abspath(root))
    if place == top:
        return place.name
    return place.relative_to(top if top in place.parents else place.anchor).as_posix()


def some_known(root: Path, names: Iterable[str], known_root: Path, known: Sequence[str]) -> bool:
    """Whether one of the scenes root/names is one of the scenes known_root/known.

    Two scenes are the same if their folders are, with symbolic links resolved. Names are compared only with
    known scenes whose folder does not exist: a room, or a scene that was moved.
    """
    folders = {os.path.realpath(known_root / name) for name in known}
    gone = {scene_name(known_root, name) for name in known if not os.path.isdir(known_root / name)}
    return any(os.path.realpath(root / name) in folders or scene_name(root, name) in gone for name in names)


def each_once(root: Path, names: Iterable[str]) -> list[str]:
    """Keeps the first spelling of every folder; logs a warning for each other spelling."""
    first: dict[str, str] = {}
    for name in names:
        place = os.path.realpath(root / name)
        if place in first:
            log.warning(f"Warning: the scenes {first[place]} and {name} are one folder; it is used once.")
        first.setdefault(place, name)
    return list(first.values())


def claim(folder: Path, scene: Path) -> None:
    """Records in a folder of results which scene they belong to.

    Raises ConfigError if they belong to another scene, which still exists.
    """
    record, place = folder / OWNER, os.path.realpath(scene)
    other = os.fsdecode(record.read_bytes()) if record.is_file() else place
    if other != place and os.path.isdir(other):
        raise ConfigError(
            f"{folder}: expected results of {place}, found those of {other}, which would be replaced; choose "
            f"another --expname, or remove {folder}."
        )
    if other != place or not record.is_file():
        write_whole(record, os.fsencode(place))


def spellings(path: str) -> tuple[str, ...]:
    """Returns a path that a file names as written, then with slashes for the backslashes of Windows."""
    return tuple(dict.fromkeys((path, path.replace("\\", "/"))))


def leaves(path: str) -> bool:
    """Whether a path that a file names leads out of the folder it is relative to, on any operating system."""
    windows = PureWindowsPath(path)
    return bool(windows.root) or ".." in windows.parts


def from_folder(folder: Path, path: str) -> str:
    """Makes a path that a file names relative to the folder, if it is absolute and lies inside it."""
    for top in (os.path.abspath(folder), os.path.realpath(folder)):
        if path.startswith(top + os.sep):
            return path.removeprefix(top + os.sep)
    return path


def in_other_case(folder: Path, path: str) -> str | None:
    """Finds the file in the folder whose path differs from `path` only in upper and lower case, or None."""
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
