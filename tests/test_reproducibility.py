"""The configuration of the rooms at the machine's own number of threads: equal runs give equal numbers."""

from pathlib import Path

import pytest
import torch
from script_runs import REPOSITORY, run

from gpnerf.media.images import read_image
from gpnerf.training.checkpoint import Checkpoint, checkpoint_path, load_checkpoint

pytestmark = pytest.mark.serial

STEPS = 6


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    """configs/rooms.txt with one room and few steps; all else is as a user runs it."""
    folder = tmp_path_factory.mktemp("reproducibility")
    options = {
        "include": REPOSITORY / "configs" / "rooms.txt",
        "data_root": folder / "rooms",
        "out": folder / "out",
        "train_scenes": 0,
        "test_scenes": 1000,
        "test_limit": 1,
        "views_per_room": 7,
        "device": "cpu",
        "steps": STEPS,
        "checkpoint_every": STEPS // 2,
        "frames": 2,
    }
    path = folder / "config.txt"
    path.write_text("".join(f"{name} = {value}\n" for name, value in options.items()))
    return path


def as_a_user(script: str, config: Path, *arguments: object) -> str:
    """Runs a script with the threads that a user has; returns its stderr."""
    return run(script, "--config", config, *arguments, threads=None, seconds=600)


def folder_of(config: Path, name: str) -> Path:
    return config.parent / "out" / name


def trained(config: Path, name: str) -> Checkpoint:
    as_a_user("train.py", config, "--expname", name)
    return load_checkpoint(checkpoint_path(folder_of(config, name), STEPS))


def half_of(config: Path, name: str) -> Path:
    """The folder of a run that has the straight one's checkpoint after half of its steps."""
    half, folder = checkpoint_path(folder_of(config, "straight"), STEPS // 2), folder_of(config, name)
    folder.mkdir()
    (folder / half.name).write_bytes(half.read_bytes())
    return folder


def assert_equal(one: Checkpoint, other: Checkpoint) -> None:
    """Weights and Adam's moments, bit for bit."""
    assert one.numerics == other.numerics
    for name, tensor in one.model.items():
        assert torch.equal(other.model[name], tensor), name
    for number, state in one.optimizer["state"].items():
        for key, tensor in state.items():
            assert torch.equal(other.optimizer["state"][number][key], tensor), (number, key)


@pytest.fixture(scope="module")
def straight(config) -> Checkpoint:
    return trained(config, "straight")


def test_two_runs_end_with_the_same_weights_bit_for_bit(config, straight):
    assert_equal(trained(config, "again"), straight)


def test_a_resumed_run_ends_with_the_same_weights_bit_for_bit(config, straight):
    """It is run from the config.txt that the first one wrote."""
    folder = half_of(config, "resumed")
    written = folder_of(config, "straight") / "config.txt"
    said = as_a_user("train.py", written, "--expname", "resumed")
    assert f"Resuming {folder} at step {STEPS // 2}." in said
    assert_equal(load_checkpoint(checkpoint_path(folder, STEPS)), straight)
    expected = written.read_text().replace("= straight\n", "= resumed\n")
    assert (folder / "config.txt").read_text() == expected


@pytest.mark.slow
def test_evaluation_and_video_give_the_same_pixels_again(config, straight):
    found, folder = [], folder_of(config, "straight")
    for _ in range(2):
        as_a_user("eval.py", config, "--expname", "straight")
        as_a_user("render.py", config, "--expname", "straight", "--stride", 2)
        pictures = sorted([*folder.rglob("eval/room_1000/*.png"), *folder.rglob("render/*/*.png")])
        found.append(
            [(folder / "eval" / "views.csv").read_text(), *(read_image(one).tobytes() for one in pictures)]
        )
        assert len(pictures) == 3
        (folder / "eval").rename(folder / f"eval_{len(found)}")
        (folder / "render").rename(folder / f"render_{len(found)}")
    assert found[0] == found[1]


def test_a_run_that_is_resumed_with_other_threads_says_so_and_goes_on(config, straight):
    if straight.numerics.threads == 1:
        pytest.skip("one core: a user has no other number of threads")
    folder = half_of(config, "fewer_threads")
    said = run(
        "train.py",
        "--config",
        config,
        "--expname",
        folder.name,
        "--steps",
        STEPS // 2 + 1,
        threads=1,
    )
    assert f"computes differently than before (threads: 1, not {straight.numerics.threads})" in said
    assert load_checkpoint(folder).step == STEPS // 2 + 1
