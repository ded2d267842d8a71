"""Fingerprint of frames: tells whether stored results still belong to them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gpnerf.datasets.index.scene_index import KINDS
from gpnerf.datasets.scene import Scene

# Decimals of poses that count; further ones may differ between machines, by rounding in a loader.
POSE_DECIMALS = 6


def fingerprint(scene: Scene, frames: Sequence[int]) -> str:
    """Hashes everything that decides how these frames are read, and their order: 24 hex digits.

    A file counts by its name, size and modification time: a change that keeps all three goes unnoticed.
    """
    index, chosen = scene.index, list(frames)
    files = {kind: [index.files[kind][frame] for frame in chosen] for kind in KINDS}
    values = [
        str(scene.folder.resolve()),
        [index.names[frame] for frame in chosen],
        np.round(index.poses[chosen], POSE_DECIMALS).tolist(),
        [column[chosen].tolist() for column in (index.intrinsics, index.distortion, index.sizes)],
        [[file_state(scene.folder, name) for name in column] for column in files.values()],
        [scene.near, scene.far, scene.border, index.depth_unit, index.instance_ignore],
        [scene.labelled_by, *_meanings(scene)],
    ]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:24]


def file_state(folder: Path, name: str) -> list:
    """Name, size in bytes and modification time in nanoseconds of a file; the name alone if it is missing."""
    try:
        found = os.stat(folder / name) if name else None
    except OSError:
        # The reader of the file reports it.
        found = None
    return [name, found.st_size, found.st_mtime_ns] if found else [name]


def _meanings(scene: Scene) -> list[str]:
    """The class names, and a hash of the table from raw ids to classes."""
    if scene.labels is None:
        return []
    return [*scene.labels.names, hashlib.sha256(scene.labels.table.tobytes()).hexdigest()]
