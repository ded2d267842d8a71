"""SceneIndex: what is known of a scene without decoding an image, as columns that load in a millisecond.

Loaders (transforms/, published/) make it from folders and text files; scene.py reads frames by it; cache.py
keeps it on disk.
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
    """N frames in the order of their numbers; paths relative to the scene's folder, "" where there is none.

    intrinsics: float64 [N, 3, 3] pixels, integer pixel centres; poses: float64 [N, 4, 4] camera-to-world,
    OpenCV axes, metres or the scene's own units; sizes: int [N, 2] height and width; distortion: [N, 8],
    OpenCV's k1 k2 p1 p2 k3 k4 k5 k6. near, far: z-depths in the units of the poses, None where nothing gives
    them; range_source: what gives them, or why nothing does. depth_unit: units of the poses per stored unit,
    None where it is not stated (maps.read_depth). splits: "train", "val", "test", or "" where the data set
    states nothing. instance_ignore: instance id that means "none", or IGNORE. class_names, ignore_label: the
    labels' meaning where the scene itself states it. black_strip: pixels at the sides of all photographs that
    are black. watched: files and folders by whose modification times the index is known to be current.
    warnings: what looked odd when it was made.

    Files and splits that a loader does not know may be left out.
    """

    names: tuple[str, ...]
    files: Mapping[str, tuple[str, ...]]
    intrinsics: np.ndarray
    poses: np.ndarray
    sizes: np.ndarray
    distortion: np.ndarray
    near: float | None
    far: float | None
    watched: tuple[str, ...]
    range_source: str = ""
    splits: tuple[str, ...] = ()
    depth_unit: float | None = None
    instance_ignore: int = -1
    class_names: tuple[str, ...] = ()
    ignore_label: int = 255
    black_strip: int = 0
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        none = ("",) * len(self.names)
        object.__setattr__(self, "files", {kind: self.files.get(kind, none) for kind in KINDS})
        object.__setattr__(self, "splits", self.splits or none)

    def __len__(self) -> int:
        return len(self.names)

    def count(self, kind: str) -> int:
        """How many frames have a file of this kind."""
        return sum(map(bool, self.files[kind]))


def probe(files: Mapping[str, Sequence[str]]) -> list[str]:
    """The first, middle and last file of every kind; to be watched for files replaced in place."""
    chosen: set[str] = set()
    for column in files.values():
        present = [path for path in column if path]
        if present:
            chosen |= {present[0], present[len(present) // 2], present[-1]}
    return sorted(chosen)


def folders_of(files: Mapping[str, Sequence[str]]) -> list[str]:
    """The folders that hold the files; a folder's modification time tells of files that come and go."""
    return sorted({str(Path(path).parent) for column in files.values() for path in column if path})
