"""SceneIndex: all facts of a scene but its pixels, as columns that load in a millisecond.

Loaders (transforms/, published/) make it from folders and text files, scene.py uses it to read frames, and
cache.py keeps it on disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MAPS = ("depth", "semantic", "instance")
KINDS = ("image", *MAPS, "mask")


@dataclass(frozen=True)
class SceneIndex:
    """Index of a scene: N frames in the order of their numbers.

    files: kind -> N paths relative to the scene's folder, "" where there is no file. intrinsics: float64
    [N, 3, 3] pixels, integer pixel centres; poses: float64 [N, 4, 4] camera-to-world, OpenCV axes, metres or
    the scene's own units; sizes: int [N, 2] height and width; distortion: [N, 8], OpenCV's k1 k2 p1 p2 k3 k4
    k5 k6. near, far: z-depths in the units of the poses as the data set states them, None if it does not;
    stated_in: the file in which they may stand, "" if the layout has none. points: file of sparse points in
    the world of the poses, "" if there is none, for the reason no_points. depth_unit: units of the poses per
    stored unit, None if not stated (maps.read_depth). splits: "train", "val", "test", or "" if not stated.
    instance_ignore: instance id that means "none", or IGNORE. class_names, ignore_label: meaning of the
    labels, if the scene itself states it; labels_made_by: the model that made them, "" for true labels.
    black_strip: width in pixels of the black strips at the sides of all photographs. watched: files and
    folders; the index is valid until the size or modification time of one of them changes. warnings: what
    looked odd when the index was made, a sentence each.

    A loader may omit kinds of files, and splits, that its layout does not have.
    """

    names: tuple[str, ...]
    files: Mapping[str, tuple[str, ...]]
    intrinsics: np.ndarray
    poses: np.ndarray
    sizes: np.ndarray
    distortion: np.ndarray
    watched: tuple[str, ...]
    near: float | None = None
    far: float | None = None
    stated_in: str = ""
    points: str = ""
    no_points: str = ""
    splits: tuple[str, ...] = ()
    depth_unit: float | None = None
    instance_ignore: int = -1
    class_names: tuple[str, ...] = ()
    ignore_label: int = 255
    labels_made_by: str = ""
    black_strip: int = 0
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        none = ("",) * len(self.names)
        object.__setattr__(self, "files", {kind: self.files.get(kind, none) for kind in KINDS})
        object.__setattr__(self, "splits", self.splits or none)

    def __len__(self) -> int:
        return len(self.names)

    def count(self, kind: str) -> int:
        """Counts the frames that have a file of this kind."""
        return sum(map(bool, self.files[kind]))


def probe(files: Mapping[str, Sequence[str]]) -> list[str]:
    """Chooses the first, middle and last file of every kind, to be watched for files replaced in place."""
    chosen: set[str] = set()
    for column in files.values():
        present = [path for path in column if path]
        if present:
            chosen |= {present[0], present[len(present) // 2], present[-1]}
    return sorted(chosen)


def folders_of(files: Mapping[str, Sequence[str]]) -> list[str]:
    """Lists the folders of the files: their modification times change when files are added or removed."""
    return sorted({str(Path(path).parent) for column in files.values() for path in column if path})
