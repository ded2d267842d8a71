"""The protocols of an evaluation: its frames, and which scenes, views and tables belong to it.

paper: the FrameRule of the options. released: the frames of the released code, for comparing numbers. Its
test views are not unseen views: source views are neighbours in the video, and finetuning trains on some of
the test frames. gsnerf: the scenes of GSNeRF (CVPR 2024), eight source views, and the frames of the paper's
protocol. Scores of one list of scenes say nothing about those of another, so that no table holds both.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from gpnerf.config.fields import from_options
from gpnerf.config.parser import config_parser
from gpnerf.config.types import REPOSITORY, names
from gpnerf.datasets.examples import TestView
from gpnerf.datasets.options import INSTANCE, add_data_options
from gpnerf.datasets.places import scene_name
from gpnerf.datasets.run_scenes import test_views
from gpnerf.datasets.scene import Scene
from gpnerf.datasets.views import FrameRule
from gpnerf.system.errors import ConfigError
from gpnerf.system.wording import some

PROTOCOLS = PAPER, RELEASED, GSNERF = ("paper", "released", "gsnerf")
SPLITS = REPOSITORY / "configs" / "splits"
# GSNeRF's number of source views; 0 stands for a method without.
GSNERF_VIEWS = (0, 8)


def results_folder(protocol: str) -> str:
    """The folder of a run that holds its scores by this protocol."""
    return "eval" if protocol == PAPER else f"eval_{protocol}"


def listed_scenes(dataset: str, protocol: str) -> tuple[str, ...]:
    """The test scenes of a data set by a protocol that has a list of its own, or by the paper's."""
    path = SPLITS / f"{dataset}_test{'_gsnerf' if protocol == GSNERF else ''}.txt"
    return names(str(path)) if path.is_file() else ()


def check_protocol(options: Namespace, trained: Mapping[str, Any]) -> None:
    """Raises ConfigError if scenes, source views or tables are not those of the protocol.

    trained: the options of the training, as far as they are known.
    """
    tested = [scene_name(Path(options.data_root), name) for name in options.test_scenes]
    listed = listed_scenes(options.dataset, GSNERF)
    if options.protocol == GSNERF:
        _check_gsnerf(options, tested, listed)
        _check_unseen(trained, listed)
    elif options.table and options.target != INSTANCE:
        other = set(tested) & set(listed) - set(listed_scenes(options.dataset, PAPER))
        if other:
            raise ConfigError(
                f"Expected no --table, whose published rows are of other scenes, found {some(sorted(other))} "
                f"of GSNeRF's list; leave it out, or use --protocol {GSNERF}."
            )


def _check_gsnerf(options: Namespace, tested: Sequence[str], listed: Sequence[str]) -> None:
    start = f"with --protocol {GSNERF}"
    if not listed:
        raise ConfigError(
            f"Expected --dataset scannet or replica {start}, found {options.dataset}; choose another "
            "protocol."
        )
    config = f"use configs/{options.dataset}_gsnerf.txt"
    other = [name for name in tested if name not in listed]
    if other:
        raise ConfigError(f"Expected test scenes of GSNeRF's list {start}, found {some(other)}; {config}.")
    if options.num_source_views not in GSNERF_VIEWS:
        raise ConfigError(
            f"Expected --num_source_views {GSNERF_VIEWS[-1]} {start}, found {options.num_source_views}; "
            f"{config}."
        )
    if options.table:
        raise ConfigError(
            f"Expected no --table {start}, as the paper's tables are of other scenes, found "
            f"--table {','.join(options.table)}; leave it out: table_gsnerf is written anyway."
        )


def _check_unseen(trained: Mapping[str, Any], listed: Sequence[str]) -> None:
    """Refuses a model trained on several scenes, tested ones among them; finetuning has a single one."""
    scenes = trained.get("train_scenes", ())
    known = [name for name in scenes if scene_name(Path(trained.get("data_root", "")), name) in listed]
    if known and len(scenes) > 1:
        raise ConfigError(
            f"Expected a model that has not seen GSNeRF's test scenes with --protocol {GSNERF}, found "
            f"{some(known)} among its {len(scenes)} training scenes; train with "
            f"configs/{trained.get('dataset')}_gsnerf.txt."
        )


def is_released(options: Namespace) -> bool:
    """Whether frames, their order and source views are those of the released code."""
    return options.protocol == RELEASED


def frame_rule(options: Namespace) -> FrameRule:
    """The rule by which the protocol chooses frames."""
    if is_released(options):
        return released_rule(options)
    if options.protocol == GSNERF:
        return _rule_in(SPLITS / f"{options.dataset}_frames.txt")
    return from_options(FrameRule, options)


def overridden(options: Namespace) -> str | None:
    """A sentence about the options that choose frames, but do not count by the protocol; None without any."""
    rule = frame_rule(options)
    others = [
        f"--{one.name}"
        for one in fields(FrameRule)
        if getattr(options, one.name) not in (None, getattr(rule, one.name))
    ]
    if not others:
        return None
    return (
        f"--protocol {options.protocol} chooses the frames: {', '.join(others)} as given here do not count."
    )


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
    path = SPLITS / f"{options.dataset}{kind}_frames_released.txt"
    if path.is_file():
        return _rule_in(path)
    return from_options(FrameRule, options, source_frames=":", held_out=False)


def _rule_in(path: Path) -> FrameRule:
    """The rule that a file of configs/splits states."""
    parser = config_parser("")
    add_data_options(parser)
    return from_options(FrameRule, parser.parse_args(["--config", str(path)]))


def released_order(dataset: str, setting: str, scene: Scene) -> list[int]:
    """The frame numbers of a scene in the order of the released code.

    For the unseen scenes of ScanNet, that code sorts the frame names as text: 0, 1, 10, 100, 1000, ...
    """
    frames = list(range(len(scene.views)))
    if dataset == "scannet" and setting == "generalized":
        return sorted(frames, key=lambda frame: scene.index.names[frame])
    return frames
