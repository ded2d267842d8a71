"""By what results know whether the frames that they were made from are still the same."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gpnerf.datasets.index.scene_index import KINDS
from gpnerf.datasets.scene import Scene

# Of poses, decimals: a loader's arithmetic may differ in later ones between machines.
POSE_DECIMALS = 6


def fingerprint(scene: Scene, frames: Sequence[int]) -> str:
    """Differs where anything differs that decides what is read of these frames, in this order.

    Of files it sees name, size and modification time, so that a file changed without a change of its time
    passes for the same.
    """
    index, chosen = scene.index, list(frames)
    files = {kind: [index.files[kind][frame] for frame in chosen] for kind in KINDS}
    values = [
        str(scene.folder.resolve()),
        [index.names[frame] for frame in chosen],
        np.round(index.poses[chosen], POSE_DECIMALS).tolist(),
        [column[chosen].tolist() for column in (index.intrinsics, index.distortion, index.sizes)],
        [[_state(scene.folder, name) for name in column] for column in files.values()],
        [scene.near, scene.far, scene.border, index.depth_unit, index.instance_ignore],
        [scene.labelled_by, *_meanings(scene)],
    ]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:24]


def _state(folder: Path, name: str) -> list:
    """Name, bytes and modification time in nanoseconds of a file; the name alone where there is none."""
    try:
        found = os.stat(folder / name) if name else None
    except OSError:
        # Whoever reads it says so.
        found = None
    return [name, found.st_size, found.st_mtime_ns] if found else [name]


def _meanings(scene: Scene) -> list[str]:
    """The classes, and what ids of files become which."""
    if scene.labels is None:
        return []
    return [*scene.labels.names, hashlib.sha256(scene.labels.table.tobytes()).hexdigest()]
