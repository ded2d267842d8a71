"""Test views that the training has seen: their scores are not those of unseen views."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from gpnerf.config.fields import from_options
from gpnerf.datasets.examples import TestView
from gpnerf.datasets.places import some_known
from gpnerf.datasets.run_scenes import frames_to_train
from gpnerf.datasets.scene import Scene
from gpnerf.datasets.views import FrameRule
from gpnerf.system.errors import DataError


def trained_views(
    views: Sequence[TestView], names: Mapping[str, str], options: Namespace, training: Mapping[str, Any]
) -> dict[str, int]:
    """How many of the test views of each scene were trained on; scenes without any are left out.

    names: those of the options, of each scene's name. options: of the evaluation. training: the options of
    the training, as a checkpoint holds them; without the data set, or without those that choose frames, as in
    an older weights folder of a finetuned model, nothing is known.
    """
    same = ("dataset", "views_per_room") if options.dataset == "rooms" else ("dataset",)
    if any(training.get(name) != getattr(options, name) for name in same):
        return {}
    scenes = training.get("train_scenes", ())
    if "test_scenes" not in training and len(scenes) < 2:
        return {}
    root, place = Path(options.data_root), Path(training.get("data_root", ""))
    rule = from_options(FrameRule, Namespace(**training))

    def is_among(scene: Scene, known: Sequence[str]) -> bool:
        return some_known(root, [names[scene.name]], place, known)

    trained: dict[str, Sequence[int]] = {}
    for scene in {view.scene.name: view.scene for view in views}.values():
        # A scene that has changed since then may not fit the rule.
        with suppress(DataError):
            if is_among(scene, scenes):
                tested = is_among(scene, training.get("test_scenes", ()))
                trained[scene.name] = frames_to_train(scene, tested, rule)[0]
    return Counter(view.scene.name for view in views if view.target in trained.get(view.scene.name, ()))


def describe_trained(trained: Mapping[str, int], views: Sequence[TestView]) -> Iterator[str]:
    """Writes a sentence for each scene with test views that were trained on."""
    for scene, count in trained.items():
        tested = sum(view.scene.name == scene for view in views)
        yield (
            f"{scene}: the model was trained on {count} of the {tested} test views, so their scores are not "
            "those of unseen views; to hold them out, train with the scene in --test_scenes too, with the "
            "same options for test frames and --held_out yes."
        )
