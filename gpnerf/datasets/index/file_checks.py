"""Checks of a scene's files by their names and headers: sizes, shared files, lossy maps."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from gpnerf.datasets.index.scene_index import MAPS
from gpnerf.media.arrays import array_size, is_array
from gpnerf.media.formats import is_lossy
from gpnerf.media.images import ORIENTATIONS, SIDEWAYS, UPRIGHT, image_size, orientation
from gpnerf.system.errors import DataError, Faults

# One mask may stand for all frames of a camera.
SHARED_KINDS = ("mask",)
# ScanNet's colour and depth images differ by 0.4 % in shape.
SHAPE_TOLERANCE = 0.01
# Threads that read image headers; they mostly wait for the disk.
HEADER_READERS = 8


def check_sizes(
    folder: Path, files: Mapping[str, Sequence[str]], sizes: np.ndarray, stated_by: str, faults: Faults
) -> None:
    """Adds a fault for every image of another size than sizes [N, 2], and for every map of another shape.

    A map may be larger or smaller than its image, as ScanNet's depth is, but not cropped or turned.
    stated_by: the file that states the sizes, for messages.
    """
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
            f"{path}: expected {width}x{height} pixels as in {stated_by}, found {found[1]}x{found[0]}; "
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
    """Adds a fault for every kind of file, except masks, that two frames share; extensions do not count."""
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
    """Adds a fault for every kind of map with files in a lossy format, recognised by their first bytes."""
    for kind in (*MAPS, "mask"):
        paths = [path for path in dict.fromkeys(files[kind]) if path]
        with ThreadPoolExecutor(HEADER_READERS) as pool:
            lossy = pool.map(is_lossy, (folder / path for path in paths))
            found = [path for path, lost in zip(paths, lossy, strict=True) if lost]
        if found:
            faults.add(
                f"{place}: expected {kind} maps in a lossless format, found {len(found)} as JPEG or lossy "
                f"WebP ({found[0]}), which changes values; save the original maps as png."
            )


def same_shape(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Whether two sizes (height, width) have the same ratio, up to a tolerance."""
    return math.isclose(first[0] * second[1], first[1] * second[0], rel_tol=SHAPE_TOLERANCE)
