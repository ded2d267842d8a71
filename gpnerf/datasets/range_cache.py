"""Cache of depth ranges on disk, beside that of indices; an entry is found again until its frames change."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from gpnerf.datasets.depth_evidence import frames_with_maps, photographs_to_match
from gpnerf.datasets.fingerprint import file_state
from gpnerf.datasets.ranges import CutOff, DepthRange, FrameDepth
from gpnerf.datasets.scene import Scene
from gpnerf.system.files import cache_folder, write_whole

log = logging.getLogger(__name__)

# Increment it whenever another range is found in the same files.
VERSION = 1


def recall(scene: Scene, stated: DepthRange, frames: Sequence[int]) -> DepthRange | None:
    """Returns the range of a scene that was measured in `frames`; None if none is kept or files changed."""
    try:
        near, far, source, cut = json.loads(_path(scene, stated, frames).read_text(encoding="utf-8"))
        if cut:
            where, most, seen = cut
            cut = CutOff(where, most, tuple(FrameDepth(*one) for one in seen))
        return DepthRange(near, far, source, cut)
    except (OSError, ValueError, TypeError):
        return None


def keep(scene: Scene, stated: DepthRange, frames: Sequence[int], found: DepthRange) -> None:
    """Writes a range to the cache; if that fails, it logs why, and the next run measures again."""
    path = _path(scene, stated, frames)
    try:
        write_whole(path, json.dumps(found))
    except OSError as error:
        log.info(f"The depth range of {scene.folder} cannot be kept in {path.parent} ({error.strerror}).")


def _path(scene: Scene, stated: DepthRange, frames: Sequence[int]) -> Path:
    """The file of a range; its name hashes all that the range depends on."""
    index, files = scene.index, _files(scene, stated, frames)
    values = [
        VERSION, os.path.realpath(scene.folder), list(frames), stated, scene.border, index.depth_unit,
        index.stated_in, index.no_points, *(file_state(scene.folder, name) for name in files),
    ]  # fmt: skip
    digest = hashlib.sha256(json.dumps(values).encode())
    for column in (index.poses, index.intrinsics, index.sizes, index.distortion):
        digest.update(column[list(frames)].tobytes())
    return cache_folder() / "range" / f"{scene.folder.name}_{digest.hexdigest()[:24]}.json"


def _files(scene: Scene, stated: DepthRange, frames: Sequence[int]) -> Iterator[str]:
    """Names of the files in which a range may be measured, "" for those that a frame does not have."""
    files = scene.index.files
    yield scene.index.points
    for frame in frames_with_maps(scene, frames):
        yield from (files["depth"][frame], files["mask"][frame])
    for frame in () if stated.complete else photographs_to_match(frames):
        yield from (files["image"][frame], files["mask"][frame])
