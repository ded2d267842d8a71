"""A folder of any known layout -> Scene. A scene is indexed once; the index is kept until files change."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from gpnerf.datasets import index_cache, replica, scannet, transforms
from gpnerf.datasets.index import SceneIndex
from gpnerf.datasets.labels import LabelSpace
from gpnerf.datasets.scene import Scene
from gpnerf.errors import ConfigError, DataError, Faults

INDEXERS: dict[str, Callable[[Path, Faults], SceneIndex]] = {
    "transforms": transforms.index_scene,
    "replica": replica.index_scene,
    "scannet": scannet.index_scene,
}
# Frames that are decoded when a scene is indexed, so that a fault in all files shows before the training.
PROBED = 5


def load_scene(
    dataset: str,
    root: Path,
    name: str,
    near: float | None = None,
    far: float | None = None,
    border: int = 0,
    all_classes: bool = False,
) -> Scene:
    """The scene root/name of a data set.

    near, far: z-depth range in metres, if not the data set's own. border: pixels to cut off each side.
    all_classes: of ScanNet and Replica, not only those that are scored. Raises DataError with all that is
    wrong in it; of the pixels, only those of a few frames are looked at.
    """
    folder = Path(root) / name
    kept = index_cache.recall(dataset, folder)
    index = kept or _make_index(dataset, folder)
    near = index.near if near is None else near
    far = index.far if far is None else far
    if not 0.0 < near < far < math.inf:
        raise DataError(
            f"{folder}: expected 0 < near < far in metres, found near {near:g} and far {far:g}; correct the "
            "file or the options --near and --far."
        )
    if 2 * border >= index.sizes.min():
        raise ConfigError(f"{folder}: --border {border} leaves nothing of its images; lower it.")
    labels = label_space(dataset, Path(root), index, all_classes)
    scene = Scene(name, folder, index, near, far, labels, border)
    if kept is None:
        _probe(scene)
        index_cache.keep(dataset, folder, index)
    return scene


def label_space(dataset: str, root: Path, index: SceneIndex, all_classes: bool) -> LabelSpace | None:
    """What the labels of a scene mean; None where it has none."""
    if not index.count("semantic"):
        return None
    if dataset == "scannet":
        table = root / scannet.LABEL_MAP
        changed = table.stat().st_mtime_ns if table.is_file() else 0
        return _scannet_labels(table, all_classes, changed)
    if dataset == "replica":
        return _replica_labels(all_classes)
    return LabelSpace.identity(index.class_names, index.ignore_label)


@lru_cache
def _scannet_labels(table: Path, all_classes: bool, changed: int) -> LabelSpace:
    """Of a table in its state at the time `changed`."""
    return scannet.label_space(table, all_classes)


_replica_labels = lru_cache(replica.label_space)


def _make_index(dataset: str, folder: Path) -> SceneIndex:
    faults = Faults()
    index = INDEXERS[dataset](folder, faults)
    faults.raise_any()
    return index


def _probe(scene: Scene) -> None:
    """Decodes a few frames; raises DataError with all that is wrong in them."""
    faults = Faults()
    for number in np.linspace(0, len(scene.views) - 1, min(PROBED, len(scene.views))).round():
        with faults.collected():
            scene.read(int(number), *scene.index.sizes[int(number)].tolist())
    faults.raise_any()
