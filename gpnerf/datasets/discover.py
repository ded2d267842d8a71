"""Finds the scenes below a folder, and the layout of each."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from gpnerf.datasets.transforms.text import FILE_NAMES
from gpnerf.media.formats import PHOTOGRAPH_SUFFIXES
from gpnerf.system.errors import DataError

# Files that no other layout has: one of them makes a scene.
SURE_MARKS = dict.fromkeys(FILE_NAMES, "transforms")
# Layout -> files and folders of its scenes. Other folders may have one of these too, so a scene has ENOUGH.
MARKS = {
    "replica": ("traj_w_c.txt", "rgb", "semantic_class", "semantic_instance"),
    "scannet": ("color", "pose", "intrinsic", "label-filt", "instance-filt"),
}
ENOUGH = 2
# Replica's sequences lie two folders below the root.
DEPTH = 2
# Files of a download or a reconstruction -> how to make scenes from them.
PRECURSORS = {
    "sparse": "write a transforms.json with scripts/colmap_to_transforms.py",
    "cameras.bin": "write a transforms.json with scripts/colmap_to_transforms.py",
    "cameras.txt": "write a transforms.json with scripts/colmap_to_transforms.py",
    "scans": "export the download with scripts/prepare_scannet.py",
    "*.sens": "export the download with scripts/prepare_scannet.py",
    "poses_bounds.npy": "convert the folder with scripts/convert.py llff",
    "keyframes": "convert the recording with scripts/convert.py polycam",
    "groundtruth.txt": "convert the sequence with scripts/convert.py tum",
    "*.r3d": "convert the recording with scripts/convert.py record3d",
    "*/traj.txt": "convert each scene with scripts/convert.py nice_slam",
    "*.zip": "unpack the download with scripts/prepare_replica.py",
    **{f"*{suffix}": "find the poses with scripts/find_poses.py" for suffix in PHOTOGRAPH_SUFFIXES},
}


class FoundScene(NamedTuple):
    """A scene root/name; dataset: its layout, as --dataset names it."""

    dataset: str
    root: Path
    name: str


def find_scenes(root: Path) -> list[FoundScene]:
    """Finds the scenes in `root`, or `root` itself if it is a scene. Raises DataError where there are none.

    A folder with a single mark of a layout counts as a scene only if another folder has enough of them.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root}: expected a folder of scenes, found no such folder; correct the path.")
    own = _layout(root, set())
    if own:
        # `.` and `..` have no name of their own until they are resolved.
        place = root if root.name not in ("", "..") else root.resolve()
        return [FoundScene(own, place.parent, place.name)]
    sure = {scene.dataset for scene in _below(root, root, DEPTH, set())}
    found = _below(root, root, DEPTH, sure)
    if not found:
        raise _nothing(root)
    return found


def find_scene(folder: Path) -> FoundScene:
    """Finds the one scene in a folder; raises DataError where there is none, or several."""
    found = find_scenes(folder)
    if len(found) > 1:
        raise DataError(
            f"{folder}: expected one scene, found {len(found)}, the first in {found[0].name}; name one of "
            "them."
        )
    return found[0]


def _below(root: Path, folder: Path, depth: int, sure: set[str]) -> list[FoundScene]:
    scenes = []
    for child in sorted(path for path in folder.iterdir() if path.is_dir()):
        dataset = _layout(child, sure)
        if dataset:
            scenes.append(FoundScene(dataset, root, child.relative_to(root).as_posix()))
        elif depth > 1:
            scenes += _below(root, child, depth - 1, sure)
    return scenes


def _layout(folder: Path, sure: set[str]) -> str | None:
    """The layout of a scene, None if the folder is not a scene; one mark of a layout in `sure` is enough."""
    for mark, dataset in SURE_MARKS.items():
        if (folder / mark).exists():
            return dataset
    counts = {dataset: len(_marks(folder, dataset)) for dataset in MARKS}
    likely = max(counts, key=counts.get)
    return likely if counts[likely] >= (1 if likely in sure else ENOUGH) else None


def _marks(folder: Path, dataset: str) -> list[str]:
    return [mark for mark in MARKS[dataset] if (folder / mark).exists()]


def _nothing(root: Path) -> DataError:
    layouts = ", or two of ".join(", ".join(marks) for marks in MARKS.values())
    alone = sorted(mark for dataset in MARKS for mark in _marks(root, dataset))
    found = f"{' and '.join(alone)} alone" if alone else "no such folder"
    remedies = (remedy for name, remedy in PRECURSORS.items() if any(root.glob(name)))
    return DataError(
        f"{root}: expected scenes (folders with {', '.join(SURE_MARKS)}, or two of {layouts}), found "
        f"{found}; {next(remedies, 'see data/README.md for the layouts')}."
    )
