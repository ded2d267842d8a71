"""The frames of an evaluation by its protocol: the paper's, or that of the released code.

The test views of the released code are not unseen views: source views are neighbours in the video, and
finetuning trains on some of the test frames. It is for comparing numbers. The clean protocol is the FrameRule
of the options.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from gpnerf.config.fields import from_options
from gpnerf.config.parser import config_parser
from gpnerf.config.types import REPOSITORY
from gpnerf.datasets.examples import TestView
from gpnerf.datasets.options import add_data_options
from gpnerf.datasets.run_scenes import test_views
from gpnerf.datasets.scene import Scene
from gpnerf.datasets.views import FrameRule

PAPER, RELEASED = "paper", "released"


def results_folder(protocol: str) -> str:
    """The folder of a run that holds its scores by this protocol."""
    return "eval" if protocol == PAPER else f"eval_{protocol}"


def is_released(options: Namespace) -> bool:
    """Whether frames, their order and source views are those of the released code."""
    return options.protocol == RELEASED


def frame_rule(options: Namespace) -> FrameRule:
    """The rule by which the protocol chooses frames."""
    return released_rule(options) if is_released(options) else from_options(FrameRule, options)


def views_to_score(options: Namespace, setting: str, scenes: Sequence[Scene]) -> list[TestView]:
    """The test views of all scenes, each with the frames that may be its sources.

    setting: how the model came to know the scenes, "generalized" if not at all.
    """
    rule = frame_rule(options)
    if not is_released(options):
        return test_views(scenes, rule)
    views = []
    for scene in scenes:
        order = released_order(options.dataset, setting, scene)
        split = rule.split(len(order), scene.name, scene.index.splits)
        sources = [order[number] for number in split.sources]
        views += [TestView(scene, order[number], sources) for number in split.test]
    return views


def released_rule(options: Namespace) -> FrameRule:
    """The frames that the released code uses for a data set.

    Other data sets use the frames of the options, and test frames may be source views.
    """
    kind = "_instance" if options.target == "instance" else ""
    path: Path = REPOSITORY / "configs" / "splits" / f"{options.dataset}{kind}_frames_released.txt"
    if path.is_file():
        parser = config_parser("")
        add_data_options(parser)
        return from_options(FrameRule, parser.parse_args(["--config", str(path)]))
    return from_options(FrameRule, options, source_frames=":", held_out=False)


def released_order(dataset: str, setting: str, scene: Scene) -> list[int]:
    """The frame numbers of a scene in the order of the released code.

    For the unseen scenes of ScanNet, that code sorts the frame names as text: 0, 1, 10, 100, 1000, ...
    """
    frames = list(range(len(scene.views)))
    if dataset == "scannet" and setting == "generalized":
        return sorted(frames, key=lambda frame: scene.index.names[frame])
    return frames
