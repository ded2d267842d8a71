"""Loads a folder of any known layout as a Scene. Its index is kept on disk until files change."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from gpnerf.config.types import PUBLISHED, SCENE
from gpnerf.datasets.depth_range import find_range
from gpnerf.datasets.index import cache
from gpnerf.datasets.index.scene_index import SceneIndex
from gpnerf.datasets.labels import LISTED, LabelSpace
from gpnerf.datasets.places import scene_name
from gpnerf.datasets.probes.first_reading import probed_index, scene_warnings
from gpnerf.datasets.published import replica, scannet
from gpnerf.datasets.ranges import DepthRange
from gpnerf.datasets.scene import Scene
from gpnerf.datasets.transforms import loader
from gpnerf.datasets.transforms.text import FILE_NAME
from gpnerf.datasets.views import FrameRule
from gpnerf.system.errors import ConfigError, Faults

INDEXERS: dict[str, Callable[[Path, Faults], SceneIndex]] = {
    "transforms": loader.index_scene,
    "replica": replica.index_scene,
    "scannet": scannet.index_scene,
}
PUBLISHED_RANGES = {"replica": replica.RANGE, "scannet": scannet.RANGE}
log = logging.getLogger(__name__)

LABEL_SPACES = ("benchmark", "all")


@dataclass(frozen=True)
class Reading:
    """Options that decide how scenes are read.

    depth_range: "scene", "published", or (near, far) in the units of the poses, 0 < near < far. rule: its
    test frames say nothing of the range; None for no test frames but those that a scene states. border:
    pixels to cut off each side. label_space: "benchmark", or "all" for all classes of ScanNet and Replica.
    """

    depth_range: str | tuple[float, float] = SCENE
    rule: FrameRule | None = None
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
    with faults.collected():
        scene = _scene(dataset, Path(root), name, index, reading, faults)
    faults.raise_any()
    if kept is None:
        index = probed_index(scene)
        cache.keep(dataset, folder, index)
        scene = replace(scene, index=index)
    for sentence in scene_warnings(scene, scene.index.black_strip):
        log.warning(f"Warning: {sentence}")
    return scene


def scene_to_check(dataset: str, root: Path, name: str, reading: Reading, faults: Faults) -> Scene:
    """Loads a scene like load_scene, but adds the faults of single frames to `faults`.

    Keeps no index. The depth range is measured in the files that can be read. Raises DataError where the
    scene is not usable at all.
    """
    index = INDEXERS[dataset](Path(root) / name, faults)
    # A check reads every file, and tells which of them cannot be read.
    return _scene(dataset, Path(root), name, index, reading, Faults())


def _scene(dataset: str, root: Path, name: str, index: SceneIndex, reading: Reading, faults: Faults) -> Scene:
    folder = root / name
    stated = _stated_range(dataset, folder, index, reading.depth_range)
    if 2 * reading.border >= index.sizes.min():
        raise ConfigError(f"{folder}: --border {reading.border} leaves nothing of its images; lower it.")
    labels = label_space(dataset, root, index, all_classes=reading.label_space == "all")
    scene = Scene(scene_name(root, name), folder, index, stated, labels, reading.border)
    return replace(scene, range=find_range(scene, stated, reading.rule, faults))


def _stated_range(
    dataset: str, folder: Path, index: SceneIndex, asked: str | tuple[float, float]
) -> DepthRange:
    """The range that the options or the data set give; near or far is None where it is to be measured."""
    if asked == SCENE:
        return DepthRange(index.near, index.far, f"its {index.stated_in}")
    if asked != PUBLISHED:
        return DepthRange(*asked, "--depth_range")
    if dataset not in PUBLISHED_RANGES:
        raise ConfigError(
            f"{folder}: expected a scene of {' or '.join(PUBLISHED_RANGES)} with --depth_range {PUBLISHED}, "
            f"found one of another data set, for which no range is published; use --depth_range {SCENE}, or "
            "NEAR,FAR in the units of the poses."
        )
    return PUBLISHED_RANGES[dataset]


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
