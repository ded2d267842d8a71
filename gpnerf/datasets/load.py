"""From the options to the scenes, targets and sources of a run."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gpnerf.datasets import rooms
from gpnerf.datasets.examples import TestView, TrainingScene
from gpnerf.datasets.labels import LabelSpace
from gpnerf.datasets.scene import Scene
from gpnerf.datasets.transforms import load_transforms
from gpnerf.datasets.views import FrameRule
from gpnerf.errors import ConfigError, DataError

# Frames per scene that are decoded at the start, so that a fault in all files shows before the training.
PROBED = 5


def load_scenes(options: Namespace, names: Sequence[str]) -> list[Scene]:
    """The named scenes of options.dataset; rooms are made first where they are missing.

    Raises DataError for what is wrong with them; of the pixels, only those of a few frames are looked at.
    """
    if options.dataset == "rooms":
        return _load_rooms(options, names)
    root = Path(options.data_root)
    scenes = [load_transforms(root / name, options.near, options.far) for name in names]
    for scene in scenes:
        for index in np.linspace(0, len(scene.views) - 1, min(PROBED, len(scene.views))).round():
            scene.read(int(index), options.height, options.width)
    return scenes


def _load_rooms(options: Namespace, names: Sequence[str]) -> list[Scene]:
    wrong = [name for name in names if not name.isdigit()]
    if wrong:
        raise ConfigError(
            f"Rooms are named by their seeds, such as 0-23, found {wrong[0]!r}; correct the list."
        )
    seeds = [int(name) for name in names]
    size = (options.height, options.width, options.views_per_room)
    root = Path(options.data_root)
    try:
        rooms.prepare(root, seeds, *size)
    except OSError as error:
        raise ConfigError(
            f"Rooms cannot be written to {root} ({error.strerror}); choose another folder with --data_root."
        ) from error
    return [rooms.load(root, seed, *size, near=options.near, far=options.far) for seed in seeds]


def frame_rule(options: Namespace) -> FrameRule:
    return FrameRule(options.test_start, None, options.test_step, options.test_limit)


def training_scenes(train: Sequence[Scene], test: Sequence[Scene], rule: FrameRule) -> list[TrainingScene]:
    """Every frame of a training scene is a target and a source, except the test frames of a scene that is
    also tested (finetuning): those are never seen."""
    tested = {scene.name for scene in test}
    result = []
    for scene in train:
        frames = list(range(len(scene.views)))
        pool = rule.split(len(frames), scene.name)[1] if scene.name in tested else frames
        result.append(TrainingScene(scene, pool, pool))
    return result


def test_views(test: Sequence[Scene], rule: FrameRule) -> list[TestView]:
    """The test frames of every test scene, each to be rendered from the other frames of its scene."""
    result = []
    for scene in test:
        frames, pool = rule.split(len(scene.views), scene.name)
        result += [TestView(scene, frame, pool) for frame in frames]
    return result


def common_labels(scenes: Sequence[Scene]) -> LabelSpace | None:
    """The label space of all scenes with labelled frames. Raises DataError where two scenes disagree."""
    labelled = [scene for scene in scenes if scene.labels and any(view.semantic for view in scene.views)]
    for scene in labelled[1:]:
        if scene.labels.names != labelled[0].labels.names:
            raise DataError(
                f"{scene.name} and {labelled[0].name} have different class names "
                f"({len(scene.labels.names)} and {len(labelled[0].labels.names)} of them); "
                "train on scenes of one label space."
            )
    return labelled[0].labels if labelled else None
