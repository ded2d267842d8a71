"""From the options to the scenes, targets and sources of a run."""

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

# The bar appears only where reading the scenes takes longer.
PATIENCE_S = 2


def load_scenes(options: Namespace, names: Sequence[str]) -> list[Scene]:
    """The named scenes of options.dataset, each once; rooms are made first where they are missing.

    Sets options.height and options.width where they are not given: images keep the shape of the first scene.
    Raises DataError for what is wrong in any of them.
    """
    if options.dataset == "rooms":
        options.height, options.width = size_of_shape(options, ROOM_SHAPE)
        return _load_rooms(options, names)
    root, reading = Path(options.data_root), from_options(Reading, options)
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


def _load_rooms(options: Namespace, names: Sequence[str]) -> list[Scene]:
    wrong = [name for name in names if not name.isdigit()]
    if wrong:
        raise ConfigError(
            f"Rooms are named by their seeds, such as 0-23, found {wrong[0]!r}; correct the list."
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
    return [rooms.load(root, seed, *size, near=options.near, far=options.far) for seed in seeds]


def training_scenes(train: Sequence[Scene], test: Sequence[Scene], rule: FrameRule) -> list[TrainingScene]:
    """Every frame of a training scene is a target and a source, except in a scene that is also tested
    (finetuning) or whose data set states what to train on: there the rule says which are."""
    tested = {scene.folder.resolve() for scene in test}
    result = []
    for scene in train:
        if scene.folder.resolve() in tested or rule.stated(scene.index.splits):
            split = rule.split(len(scene.views), scene.name, scene.index.splits)
            result.append(TrainingScene(scene, split.train, split.sources))
        else:
            frames = range(len(scene.views))
            result.append(TrainingScene(scene, frames, frames))
    return result


def test_views(test: Sequence[Scene], rule: FrameRule) -> list[TestView]:
    """The test frames of every test scene, each to be rendered from the sources of its scene."""
    result = []
    for scene in test:
        split = rule.split(len(scene.views), scene.name, scene.index.splits)
        result += [TestView(scene, frame, split.sources) for frame in split.test]
    return result


def describe_ranges(scenes: Sequence[Scene]) -> list[str]:
    """One sentence per source of depth ranges: which it gives, of how many scenes."""
    groups: dict[str, dict[Path, Scene]] = {}
    for scene in scenes:
        groups.setdefault(scene.range_source, {})[scene.folder] = scene
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
    """A sentence for every scene whose data set states something of a split."""
    stating = {scene.folder: scene for scene in scenes if any(scene.index.splits)}
    return [f"{scene.name}: {rule.describe(scene.index.splits)}." for scene in stating.values()]


def describe_gaps(scenes: Sequence[Scene]) -> list[str]:
    """A sentence for every test scene of numbered frames of which only each n-th is there: protocols, which
    count frames, then mean others."""
    sentences = []
    for scene in scenes:
        names = scene.index.names
        numbers = np.array([int(name) for name in names if name.isdecimal()])
        step = int(np.gcd.reduce(np.diff(numbers))) if len(numbers) == len(names) > 2 else 1
        if step > 1:
            sentences.append(
                f"{scene.name}: its frames are numbered {names[0]}, {names[1]}, {names[2]}, ... in steps of "
                f"{step}; --test_frames and --source_frames count those that are there."
            )
    return sentences


def common_labels(scenes: Sequence[Scene]) -> LabelSpace | None:
    """The label space of all scenes with labelled frames. Raises DataError where two scenes disagree."""
    labelled = [scene for scene in scenes if scene.count("semantic")]
    for scene in labelled[1:]:
        if scene.labels.names != labelled[0].labels.names:
            raise DataError(
                f"{scene.name} and {labelled[0].name} have different class names "
                f"({len(scene.labels.names)} and {len(labelled[0].labels.names)} of them); "
                "train on scenes of one label space."
            )
    return labelled[0].labels if labelled else None
