"""Loads a folder of any known layout as a Scene. Its index is kept on disk until files change."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from gpnerf.datasets.index import cache
from gpnerf.datasets.index.scene_index import SceneIndex
from gpnerf.datasets.labels import LISTED, LabelSpace
from gpnerf.datasets.places import scene_name
from gpnerf.datasets.probes.first_reading import probed_index, scene_warnings
from gpnerf.datasets.published import replica, scannet
from gpnerf.datasets.scene import Scene
from gpnerf.datasets.transforms import loader
from gpnerf.datasets.transforms.text import FILE_NAME
from gpnerf.system.errors import ConfigError, DataError, Faults

INDEXERS: dict[str, Callable[[Path, Faults], SceneIndex]] = {
    "transforms": loader.index_scene,
    "replica": replica.index_scene,
    "scannet": scannet.index_scene,
}
log = logging.getLogger(__name__)

LABEL_SPACES = ("benchmark", "all")


@dataclass(frozen=True)
class Reading:
    """Options that decide how scenes are read.

    near, far: z-depth range in the units of the poses, None for the data set's own. border: pixels to cut
    off each side. label_space: "benchmark", or "all" for all classes of ScanNet and Replica.
    """

    near: float | None = None
    far: float | None = None
    border: int = 0
    label_space: str = LABEL_SPACES[0]


def load_scene(dataset: str, root: Path, name: str, reading: Reading = Reading()) -> Scene:
    """Loads the scene root/name of a data set; logs a warning for everything that looks odd.

    Raises DataError that lists all faults. The first time, the pixels of a few frames are checked too.
    """
    folder = Path(root) / name
    kept = cache.recall(dataset, folder)
    faults = Faults()
    index = kept or INDEXERS[dataset](folder, faults)
    faults.raise_any()
    scene = _scene(dataset, Path(root), name, index, reading)
    if kept is None:
        index = probed_index(scene)
        cache.keep(dataset, folder, index)
        scene = replace(scene, index=index)
    for sentence in scene_warnings(scene, scene.index.black_strip):
        log.warning(f"Warning: {sentence}")
    return scene


def scene_to_check(dataset: str, root: Path, name: str, reading: Reading, faults: Faults) -> Scene:
    """Loads a scene like load_scene, but adds the faults of single frames to `faults`.

    Decodes no photograph and keeps no index. Raises DataError where the scene is not usable at all.
    """
    return _scene(dataset, Path(root), name, INDEXERS[dataset](Path(root) / name, faults), reading)


def _scene(dataset: str, root: Path, name: str, index: SceneIndex, reading: Reading) -> Scene:
    folder = root / name
    near = index.near if reading.near is None else reading.near
    far = index.far if reading.far is None else reading.far
    lacking = [option for option, value in (("--near", near), ("--far", far)) if value is None]
    if lacking:
        raise DataError(
            f"{folder}: expected something that gives the depth range of the scene, found "
            f"{index.range_source}; give {' and '.join(lacking)} in the units of the poses."
        )
    if not 0.0 < near < far < math.inf:
        raise DataError(
            f"{folder}: expected 0 < near < far, found near {near:g} and far {far:g}; correct the "
            "file or the options --near and --far."
        )
    if 2 * reading.border >= index.sizes.min():
        raise ConfigError(f"{folder}: --border {reading.border} leaves nothing of its images; lower it.")
    labels = label_space(dataset, root, index, all_classes=reading.label_space == "all")
    return Scene(
        scene_name(root, name),
        folder,
        index,
        near,
        far,
        labels,
        reading.border,
        range_source=_range_source(index, reading),
    )


def _range_source(index: SceneIndex, reading: Reading) -> str:
    given = [f"--{side}" for side in ("near", "far") if getattr(reading, side) is not None]
    return " and ".join(given if len(given) == 2 else [*given, index.range_source])


def label_space(dataset: str, root: Path, index: SceneIndex, all_classes: bool) -> LabelSpace | None:
    """The label space of a scene; None where it has no label maps."""
    if not index.count("semantic"):
        return None
    if dataset == "scannet":
        table = root / scannet.LABEL_MAP
        changed = table.stat().st_mtime_ns if table.is_file() else 0
        return _scannet_labels(table, all_classes, changed)
    if dataset == "replica":
        return _replica_labels(all_classes)
    listed = f"{LISTED} in {FILE_NAME}"
    return LabelSpace.identity(index.class_names, index.ignore_label, listed)


@lru_cache
def _scannet_labels(table: Path, all_classes: bool, changed: int) -> LabelSpace:
    """Reads the label map once for every time `changed` at which it was modified."""
    return scannet.label_space(table, all_classes)


_replica_labels = lru_cache(replica.label_space)
