"""The lists of scenes and frames that the repository ships: what must never meet, never does."""

from pathlib import Path

import pytest
from script_runs import REPOSITORY

from gpnerf.commands.options import parse_options
from gpnerf.config.fields import from_options
from gpnerf.config.types import names
from gpnerf.datasets.views import FrameRule

SPLITS = REPOSITORY / "configs" / "splits"
CLEAN = ("scannet_frames", "replica_frames", "replica_instance_frames")


def scenes(name: str) -> tuple[str, ...]:
    return names(str(SPLITS / f"{name}.txt"))


def rule(*arguments: str) -> FrameRule:
    return from_options(FrameRule, parse_options("", list(arguments)))


def rule_of(name: str) -> FrameRule:
    return rule("--config", str(SPLITS / f"{name}.txt"))


def test_the_scannet_lists():
    train, val, test = (scenes(f"scannet_{name}") for name in ("train", "val", "test"))
    assert (len(set(train)), len(set(val)), len(set(test))) == (198, 3, 10)
    assert not set(train) & {*val, *test}
    assert set(val) & set(test) == {"scene0211_00"}
    # A scan of the same room is as good as the scene itself.
    rooms = {name[:9] for name in train}
    assert not rooms & {name[:9] for name in (*val, *test)}


def test_the_replica_lists():
    train, test = scenes("replica_train"), scenes("replica_test")
    assert (len(set(train)), len(set(test))) == (12, 2)
    assert not {name.split("/")[0] for name in train} & {name.split("/")[0] for name in test}
    assert {*train, *test} < set(scenes("replica_train_released"))


@pytest.mark.parametrize("name", CLEAN)
def test_clean_frames_are_disjoint(name):
    split = rule_of(name).split(900, "scene")
    assert not set(split.test) & set(split.sources)
    assert not set(split.test) & set(split.train)
    assert len(split.test) == (45 if "instance" in name else 10)
    # By the numbers themselves, not only because test frames are held out.
    loose = FrameRule(**{**vars(rule_of(name)), "held_out": False})
    assert loose.split(900, "scene") == split


def test_the_frames_of_the_released_code_overlap_as_it_does():
    split = rule_of("scannet_frames_released").split(1200, "scene")
    assert split.test == [2, 22, 42, 62, 82, 102, 122, 142, 162, 182]
    assert set(split.test) & set(split.train) == {42, 102, 162}
    assert set(split.test) <= set(split.sources)
    instances = rule_of("replica_instance_frames_released").split(900, "scene")
    assert len(instances.test) == 15 and set(instances.test) <= set(instances.train)


CONFIGS = ["scannet", "scannet_finetune", "replica", "replica_finetune"]


@pytest.mark.parametrize("name", CONFIGS)
def test_configs_use_the_clean_frames(name):
    clean = rule_of(f"{name.split('_')[0]}_frames")
    config = str(REPOSITORY / "configs" / f"{name}.txt")
    assert rule("--config", config) == clean
    released = str(SPLITS / f"{name.split('_')[0]}_frames_released.txt")
    assert rule("--config", config, "--variant", released) == rule_of(Path(released).stem)


def test_lists_are_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = parse_options("", ["--config", str(REPOSITORY / "configs" / "scannet.txt")])
    assert (len(options.train_scenes), len(options.test_scenes)) == (198, 10)
