"""A folder of any known layout -> Scene. A scene is indexed once; the index is kept until files change."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from gpnerf.datasets import index_cache, replica, scannet, transforms
from gpnerf.datasets.index import SceneIndex
from gpnerf.datasets.labels import LISTED, LabelSpace
from gpnerf.datasets.places import scene_name
from gpnerf.datasets.scene import Scene
from gpnerf.errors import ConfigError, DataError, Faults
from gpnerf.inspection.checks import NEIGHBOURS, reading_warnings
from gpnerf.inspection.geometry import misread_poses
from gpnerf.inspection.meanings import alpha_warnings, count_classes, label_warnings, probed

INDEXERS: dict[str, Callable[[Path, Faults], SceneIndex]] = {
    "transforms": transforms.index_scene,
    "replica": replica.index_scene,
    "scannet": scannet.index_scene,
}
log = logging.getLogger(__name__)

# Pixels.
COMPARED_WIDTH = 160
LABEL_SPACES = ("benchmark", "all")


@dataclass(frozen=True)
class Reading:
    """How scenes are read, by the options of these names.

    near, far: z-depth range in metres, None for the data set's own. border: pixels to cut off each side.
    label_space: "benchmark", or "all" for all classes of ScanNet and Replica.
    """

    near: float | None = None
    far: float | None = None
    border: int = 0
    label_space: str = LABEL_SPACES[0]


def load_scene(dataset: str, root: Path, name: str, reading: Reading = Reading()) -> Scene:
    """The scene root/name of a data set.

    Raises DataError with all that is wrong in it; of the pixels, only those of a few frames are looked at.
    """
    folder = Path(root) / name
    kept = index_cache.recall(dataset, folder)
    faults = Faults()
    index = kept or INDEXERS[dataset](folder, faults)
    faults.raise_any()
    scene = _scene(dataset, Path(root), name, index, reading)
    if kept is None:
        index = replace(index, warnings=_probe(scene))
        index_cache.keep(dataset, folder, index)
    for sentence in index.warnings:
        log.warning(f"Warning: {sentence}")
    return scene


def scene_to_check(dataset: str, root: Path, name: str, reading: Reading, faults: Faults) -> Scene:
    """Like load_scene, but what is wrong with single frames goes to `faults`, and nothing is decoded or kept.

    Raises DataError where too much is wrong to go on.
    """
    return _scene(dataset, Path(root), name, INDEXERS[dataset](Path(root) / name, faults), reading)


def _scene(dataset: str, root: Path, name: str, index: SceneIndex, reading: Reading) -> Scene:
    folder = root / name
    near = index.near if reading.near is None else reading.near
    far = index.far if reading.far is None else reading.far
    if not 0.0 < near < far < math.inf:
        raise DataError(
            f"{folder}: expected 0 < near < far in metres, found near {near:g} and far {far:g}; correct the "
            "file or the options --near and --far."
        )
    if 2 * reading.border >= index.sizes.min():
        raise ConfigError(f"{folder}: --border {reading.border} leaves nothing of its images; lower it.")
    labels = label_space(dataset, root, index, all_classes=reading.label_space == "all")
    return Scene(scene_name(root, name), folder, index, near, far, labels, reading.border)


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
    listed = f"{LISTED} in {transforms.FILE_NAME}"
    return LabelSpace.identity(index.class_names, index.ignore_label, listed)


@lru_cache
def _scannet_labels(table: Path, all_classes: bool, changed: int) -> LabelSpace:
    """Of a table in its state at the time `changed`."""
    return scannet.label_space(table, all_classes)


_replica_labels = lru_cache(replica.label_space)


def _probe(scene: Scene) -> tuple[str, ...]:
    """Decodes a few frames, so that a fault in all files shows before the training.

    Raises DataError with all that is wrong in them, returns what looks odd.
    """
    labels = label_warnings(scene, _probe_files(scene))
    count = len(scene.views)
    frames = []
    for number in range(count)[count // 2 :][:NEIGHBOURS]:
        with Faults().collected():
            frames.append(scene.read(number, *_small(*scene.index.sizes[number].tolist())))
    poses = reading_warnings(scene.name, misread_poses(frames))
    return (*poses, *alpha_warnings(scene), *labels)


def _probe_files(scene: Scene) -> np.ndarray:
    """Reads a few frames whole; how often each class occurs in them, as count_classes."""
    classes = scene.labels.num_classes if scene.labels else 0
    counts, faults = np.zeros(classes + 1, np.int64), Faults()
    for number in probed(scene):
        with faults.collected():
            frame = scene.read(number, *scene.index.sizes[number].tolist())
            if frame.semantic is not None:
                counts += count_classes(frame.semantic.numpy(), classes)
    faults.raise_any()
    return counts


def _small(height: int, width: int) -> tuple[int, int]:
    """A size at which frames are quickly compared."""
    scale = min(1.0, COMPARED_WIDTH / width)
    return max(1, round(height * scale)), max(1, round(width * scale))
