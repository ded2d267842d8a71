"""Cache of scene indices on disk; an entry is valid until a file or folder of its scene changes.

The cache lies outside the data, which may be read-only (files.cache_folder). It can be removed at any time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import zipfile
from pathlib import Path

import numpy as np

from gpnerf.datasets.index.scene_index import KINDS, SceneIndex
from gpnerf.system.files import cache_folder

log = logging.getLogger(__name__)

# Increment it whenever a loader makes another index of the same files.
VERSION = 7
ARRAYS = ("intrinsics", "poses", "sizes", "distortion")
TEXTS = ("names", "watched", "splits")
VALUES = (
    "near", "far", "stated_in", "points", "no_points", "depth_unit", "instance_ignore", "class_names",
    "ignore_label", "labels_made_by", "black_strip", "warnings",
)  # fmt: skip


def recall(dataset: str, folder: Path) -> SceneIndex | None:
    """Returns the kept index of a scene, or None if there is none or its files have changed."""
    path = _path(dataset, folder)
    try:
        with np.load(path, allow_pickle=False) as stored:
            if not np.array_equal(_times(folder, _texts(stored["watched"])), stored["times"]):
                return None
            return _unpack(stored)
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile):
        return None


def keep(dataset: str, folder: Path, index: SceneIndex) -> None:
    """Writes an index to the cache; if that fails, it logs why, and the next run makes the index again."""
    path = _path(dataset, folder)
    columns = {f"files_{kind}": _bytes(index.files[kind]) for kind in KINDS}
    arrays = {name: getattr(index, name) for name in ARRAYS}
    values = json.dumps({name: getattr(index, name) for name in VALUES})
    partial = path.with_name(f"{path.name}.partial{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            np.savez(
                file,
                **{name: _bytes(getattr(index, name)) for name in TEXTS},
                times=_times(folder, index.watched),
                values=np.array(values),
                **columns,
                **arrays,
            )
        os.replace(partial, path)
    except OSError as error:
        log.info(f"The index of {folder} cannot be kept in {path.parent} ({error.strerror}).")


def _unpack(stored: np.lib.npyio.NpzFile) -> SceneIndex:
    values = json.loads(str(stored["values"]))
    for name in ("class_names", "warnings"):
        values[name] = tuple(values[name])
    return SceneIndex(
        **{name: _texts(stored[name]) for name in TEXTS},
        files={kind: _texts(stored[f"files_{kind}"]) for kind in KINDS},
        **{name: stored[name] for name in ARRAYS},
        **values,
    )


def _path(dataset: str, folder: Path) -> Path:
    key = hashlib.sha256(f"{VERSION} {dataset} {os.path.realpath(folder)}".encode()).hexdigest()[:24]
    return cache_folder() / "index" / f"{folder.name}_{key}.npz"


def _times(folder: Path, watched: tuple[str, ...]) -> np.ndarray:
    """Modification time in nanoseconds and size of each path, int64 [N, 2]; -1 if it does not exist."""
    times = np.full((len(watched), 2), -1, np.int64)
    base = f"{folder}{os.sep}"
    for row, name in enumerate(watched):
        try:
            found = os.stat(base + name)
        except OSError:
            continue
        times[row] = found.st_mtime_ns, found.st_size
    return times


def _bytes(texts: tuple[str, ...]) -> np.ndarray:
    """Encodes texts as fixed-length bytes, which load without pickle and without conversion."""
    return np.array([os.fsencode(text) for text in texts], dtype=np.bytes_)


def _texts(stored: np.ndarray) -> tuple[str, ...]:
    return tuple(os.fsdecode(text) for text in stored.tolist())
