"""SceneIndex: what is known of a scene without decoding an image, as columns that load in a millisecond.

Loaders (transforms/, published/) make it from folders and text files; scene.py reads frames by it; cache.py
keeps it on disk.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpnerf.media.arrays import array_size, is_array
from gpnerf.media.formats import is_lossy
from gpnerf.media.images import ORIENTATIONS, SIDEWAYS, UPRIGHT, image_size, orientation
from gpnerf.system.errors import DataError, Faults

MAPS = ("depth", "semantic", "instance")
KINDS = ("image", *MAPS, "mask")
# One mask may stand for all frames of a camera.
SHARED_KINDS = ("mask",)
# ScanNet's colour and depth images differ by 0.4 % in shape.
SHAPE_TOLERANCE = 0.01
# Image headers are small reads that wait for the disk.
HEADER_READERS = 8


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


def check_sizes(
    folder: Path, files: Mapping[str, Sequence[str]], sizes: np.ndarray, said_by: str, faults: Faults
) -> None:
    """Adds a fault for every image whose header says another size than sizes [N, 2], and for every map of
    another shape (swapped or cropped); maps may be larger or smaller, as ScanNet's depth is."""
    jobs = [
        (kind, Path(folder, path), size)
        for kind, column in files.items()
        for path, size in zip(column, sizes.tolist(), strict=True)
        if path
    ]

    def check(job: tuple[str, Path, list[int]]) -> str | None:
        kind, path, (height, width) = job
        try:
            found = _size(path, kind)
        except DataError as error:
            return str(error)
        if found == (height, width) or (kind != "image" and same_shape(found, (height, width))):
            return None
        return (
            f"{path}: expected {width}x{height} pixels as {said_by} says, found {found[1]}x{found[0]}; "
            f"{_size_remedy(path, kind, swapped=found == (width, height))}."
        )

    with ThreadPoolExecutor(HEADER_READERS) as pool:
        for sentence in filter(None, pool.map(check, jobs)):
            faults.add(sentence)


def _size_remedy(path: Path, kind: str, swapped: bool) -> str:
    turned = orientation(path) if kind == "image" and swapped else UPRIGHT
    if turned in SIDEWAYS:
        return (
            f"its EXIF orientation {turned} ({ORIENTATIONS[turned]}) is not followed, so write the pixels "
            "upright (mogrify -auto-orient)"
        )
    return "replace the file, or correct the camera's size and intrinsics together"


def _size(path: Path, kind: str) -> tuple[int, int]:
    if kind == "depth" and is_array(path):
        return array_size(path)
    return image_size(path, kind)


def check_shared(files: Mapping[str, Sequence[str]], place: str, faults: Faults) -> None:
    """Adds a fault for every kind of file that two frames share and may not; extensions do not count."""
    for kind, column in files.items():
        if kind in SHARED_KINDS:
            continue
        counts = Counter(Path(path).with_suffix("") for path in column if path)
        shared = next((path for path, count in counts.items() if count > 1), None)
        if shared:
            faults.add(
                f"{place}: expected every frame to name its own {kind}, found {shared.as_posix()} in more "
                "than one; remove the copies."
            )


def check_lossless(folder: Path, files: Mapping[str, Sequence[str]], place: str, faults: Faults) -> None:
    """Adds a fault for every kind of map whose files were stored with losses, by their first bytes."""
    for kind in (*MAPS, "mask"):
        paths = [path for path in dict.fromkeys(files[kind]) if path]
        with ThreadPoolExecutor(HEADER_READERS) as pool:
            lossy = pool.map(is_lossy, (folder / path for path in paths))
            found = [path for path, lost in zip(paths, lossy, strict=True) if lost]
        if found:
            faults.add(
                f"{place}: expected {kind} maps without losses, found {len(found)} of JPEG or lossy WebP "
                f"({found[0]}), whose values are not those that were saved; save them again as png."
            )


def same_shape(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Whether two sizes (height, width) are of one shape, so that one is a scaled picture of the other."""
    return math.isclose(first[0] * second[1], first[1] * second[0], rel_tol=SHAPE_TOLERANCE)


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
