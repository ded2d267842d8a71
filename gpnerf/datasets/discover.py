"""Which scenes lie below a folder, and in which layout."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from gpnerf.datasets.frame_records import FILE_NAMES
from gpnerf.errors import DataError

# Layout -> files and folders of which a scene has at least one.
MARKS = {
    "transforms": FILE_NAMES,
    "replica": ("traj_w_c.txt", "rgb"),
    "scannet": ("color", "label-filt", "pose"),
}
# Replica's sequences lie two folders below the root.
DEPTH = 2


class FoundScene(NamedTuple):
    """A scene root/name and its layout, as --dataset names it."""

    dataset: str
    root: Path
    name: str


def find_scenes(root: Path) -> list[FoundScene]:
    """The scenes of a data set in `root`, or the scene that `root` is; DataError where there are none."""
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root}: expected a folder of scenes, found no such folder; correct the path.")
    own = _layout(root)
    if own:
        # Of `.` and `..` the name is known only then.
        place = root if root.name not in ("", "..") else root.resolve()
        return [FoundScene(own, place.parent, place.name)]
    found = _below(root, root, DEPTH)
    if not found:
        marks = ", ".join(mark for names in MARKS.values() for mark in names)
        raise DataError(
            f"{root}: expected scenes, found no folder with one of {marks} in it; see data/README.md for the "
            "layouts."
        )
    return found


def _below(root: Path, folder: Path, depth: int) -> list[FoundScene]:
    scenes = []
    for child in sorted(path for path in folder.iterdir() if path.is_dir()):
        dataset = _layout(child)
        if dataset:
            scenes.append(FoundScene(dataset, root, child.relative_to(root).as_posix()))
        elif depth > 1:
            scenes += _below(root, child, depth - 1)
    return scenes


def _layout(folder: Path) -> str | None:
    return next(
        (dataset for dataset, names in MARKS.items() if any((folder / name).exists() for name in names)), None
    )
