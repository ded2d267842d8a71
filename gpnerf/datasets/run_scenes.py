"""Scenes, targets and sources of a run, by its options."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from gpnerf.config.fields import from_options
from gpnerf.datasets import rooms
from gpnerf.datasets.examples import TestView, TrainingScene
from gpnerf.datasets.image_size import ROOM_SHAPE, shape_of, shape_warnings, size_of_shape
from gpnerf.datasets.labels import LabelSpace
from gpnerf.datasets.layouts import Reading, load_scene
from gpnerf.datasets.places import each_once
from gpnerf.datasets.scene import Scene
from gpnerf.datasets.views import FrameRule
from gpnerf.rooms.cache import prepare
from gpnerf.system.errors import ConfigError, DataError, Faults

log = logging.getLogger(__name__)

# Seconds of reading scenes after which a progress bar appears.
PATIENCE_S = 2
# Kind of map, its name in messages, and what needs it.
OPTIONAL_MAPS = (
    ("depth", "depth maps", "the depth losses are"),
    ("semantic", "semantic labels", "the semantic losses and metrics are"),
)


def load_scenes(options: Namespace, names: Sequence[str]) -> list[Scene]:
    """Loads the named scenes of options.dataset, each once; makes rooms that are missing.

    Sets options.height and options.width if they are not given, in the shape of the first scene. Raises
    DataError that lists the faults of all scenes.
    """
    reading = from_options(Reading, options, rule=from_options(FrameRule, options))
    if options.dataset == "rooms":
        options.height, options.width = size_of_shape(options, ROOM_SHAPE)
        return _load_rooms(options, names, reading)
    root = Path(options.data_root)
    scenes, faults = [], Faults()
    for name in tqdm(each_once(root, names), desc="Reading scenes", unit="scene", delay=PATIENCE_S):
        with faults.collected():
            scenes.append(load_scene(options.dataset, root, name, reading))
    faults.raise_any()
    if scenes:
        options.height, options.width = size_of_shape(options, shape_of(scenes[0]))
    for sentence in shape_warnings(scenes, options.height, options.width):
        log.warning(f"Warning: {sentence}")
    return scenes


def _load_rooms(options: Namespace, names: Sequence[str], reading: Reading) -> list[Scene]:
    wrong = [name for name in names if not name.isdigit()]
    if wrong:
        raise ConfigError(
            f"--train_scenes and --test_scenes: expected seeds of rooms, such as 0-23, found {wrong[0]!r}; "
            "correct the list."
        )
    seeds = list(dict.fromkeys(int(name) for name in names))
    size = (options.height, options.width, options.views_per_room)
    root = Path(options.data_root)
    try:
        prepare(root, seeds, *size)
    except OSError as error:
        raise ConfigError(
            f"Rooms cannot be written to {root} ({error.strerror}); choose another folder with --data_root."
        ) from error
    return [rooms.load(root, seed, *size, reading) for seed in seeds]


def training_scenes(train: Sequence[Scene], test: Sequence[Scene], rule: FrameRule) -> list[TrainingScene]:
    """Chooses targets and sources of the training scenes.

    They are all frames of a scene, unless it is also tested (finetuning) or states a split: then `rule`
    chooses them.
    """
    tested = {scene.folder.resolve() for scene in test}
    return [
        TrainingScene(scene, *frames_to_train(scene, scene.folder.resolve() in tested, rule))
        for scene in train
    ]


def frames_to_train(scene: Scene, tested: bool, rule: FrameRule) -> tuple[Sequence[int], Sequence[int]]:
    """Frames that are targets in training, and frames that may be their sources; see training_scenes."""
    if tested or rule.stated(scene.index.splits):
        split = rule.split(len(scene.views), scene.name, scene.index.splits)
        return split.train, split.sources
    frames = range(len(scene.views))
    return frames, frames


def test_views(test: Sequence[Scene], rule: FrameRule) -> list[TestView]:
    """Lists the test frames of all test scenes, each with the frames that may be its sources."""
    result = []
    for scene in test:
        split = rule.split(len(scene.views), scene.name, scene.index.splits)
        result += [TestView(scene, frame, split.sources) for frame in split.test]
    return result


def describe_ranges(scenes: Sequence[Scene]) -> list[str]:
    """Writes a sentence for each source of depth ranges: its scenes and their ranges."""
    groups: dict[str, dict[Path, Scene]] = {}
    for scene in scenes:
        groups.setdefault(scene.range.source, {})[scene.folder] = scene
    sentences = []
    for source, group in groups.items():
        first, *others = group.values()
        name = f"{first.name} and {len(others)} more" if others else first.name
        near, far = (
            _interval([getattr(scene, side) for scene in group.values()]) for side in ("near", "far")
        )
        sentences.append(f"{name}: depth range from near {near} to far {far} ({source}).")
    return sentences


def _interval(values: Sequence[float]) -> str:
    return "..".join(dict.fromkeys(f"{value:.4g}" for value in (min(values), max(values))))


def describe_splits(scenes: Sequence[Scene], rule: FrameRule) -> list[str]:
    """Writes a sentence for every scene that states a split, even if only for some frames."""
    stating = {scene.folder: scene for scene in scenes if any(scene.index.splits)}
    return [f"{scene.name}: {rule.describe(scene.index.splits)}." for scene in stating.values()]


def describe_gaps(scenes: Sequence[Scene]) -> list[str]:
    """Writes a sentence for every test scene that has only each n-th of its numbered frames.

    Protocols count the frames that exist, so they choose other frames there.
    """
    sentences = []
    for scene in scenes:
        names = scene.index.names
        numbers = np.array([int(name) for name in names if name.isdecimal()])
        step = int(np.gcd.reduce(np.diff(numbers))) if len(numbers) == len(names) > 2 else 1
        if step > 1:
            sentences.append(
                f"{scene.name}: its frames are numbered {names[0]}, {names[1]}, {names[2]}, ... in steps of "
                f"{step}; --test_frames and --source_frames count the frames that exist."
            )
    return sentences


def describe_missing(scenes: Sequence[Scene]) -> list[str]:
    """Writes a sentence for each scene and kind of map that it lacks: what is switched off."""
    sentences = []
    for scene in scenes:
        for kind, maps, off in OPTIONAL_MAPS:
            if not scene.has(kind):
                found, extent = _extent(scene.count(kind), len(scene.views), maps)
                sentences.append(f"{scene.name} has {found}: {off} {extent}.")
    return sentences


def _extent(found: int, views: int, maps: str) -> tuple[str, str]:
    """Words for how many views have the maps, and for where their use is switched off."""
    if found:
        return f"{maps} in {found} of {views} frames only", "switched off in the others"
    return f"no {maps}", "switched off"


def common_labels(scenes: Sequence[Scene]) -> LabelSpace | None:
    """The label space of all labelled scenes, None if there are none. Raises DataError if two differ."""
    labelled = [scene for scene in scenes if scene.count("semantic")]
    for scene in labelled[1:]:
        if scene.labels.names != labelled[0].labels.names:
            raise DataError(
                f"{scene.name}: expected the class names of {labelled[0].name}, found different ones "
                f"({len(scene.labels.names)} instead of {len(labelled[0].labels.names)}); use scenes of one "
                "label space."
            )
    return labelled[0].labels if labelled else None
