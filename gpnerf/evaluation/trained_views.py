"""Test views that the training has seen: their scores are not those of unseen views."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gpnerf.config.fields import from_options
from gpnerf.datasets.examples import TestView
from gpnerf.datasets.places import some_known
from gpnerf.datasets.run_scenes import frames_to_train
from gpnerf.datasets.views import FrameRule


def trained_views(
    views: Sequence[TestView], names: Mapping[str, str], root: Path, training: Mapping[str, Any]
) -> dict[str, int]:
    """How many of the test views of each scene were trained on; scenes without any are left out.

    names: those of the options, of each scene's name. root: the folder of the scenes. training: the options
    of the training, as a checkpoint holds them.
    """
    place, rule = Path(training.get("data_root", "")), from_options(FrameRule, Namespace(**training))

    def is_among(scene: str, option: str) -> bool:
        return some_known(root, [names[scene]], place, training.get(option, ()))

    trained = {
        scene.name: frames_to_train(scene, is_among(scene.name, "test_scenes"), rule)[0]
        for scene in {view.scene.name: view.scene for view in views}.values()
        if is_among(scene.name, "train_scenes")
    }
    return Counter(view.scene.name for view in views if view.target in trained.get(view.scene.name, ()))


def describe_trained(trained: Mapping[str, int], views: Sequence[TestView]) -> Iterator[str]:
    """Writes a sentence for each scene with test views that were trained on."""
    for scene, count in trained.items():
        tested = sum(view.scene.name == scene for view in views)
        yield (
            f"{scene}: the model was trained on {count} of the {tested} test views, so their scores are not "
            "those of unseen views; to hold them out, train with the scene in --test_scenes too and with the "
            "same --test_frames."
        )
