"""train.py, eval.py and render.py as a user runs them, on tiny rooms and on a scene of photographs only."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import fmean

import pytest
import torch
from script_runs import EXPNAME, command, environment, only_sentence, refusal, run, write_config
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gpnerf.checkpoint import checkpoint_path, load_checkpoint
from gpnerf.datasets import load, rooms
from gpnerf.datasets.examples import TrainingExamples
from gpnerf.datasets.transforms import load_transforms
from gpnerf.datasets.views import FrameRule
from gpnerf.images import read_image

VIEWS = 5
TEST_FRAMES = ("0001", "0003")
METRICS = (
    "psnr",
    "ssim",
    "miou",
    "total_accuracy",
    "average_accuracy",
    "psnr_nearest_view",
    "miou_majority_class",
)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config file that trains on one room and tests on two others."""
    folder = tmp_path_factory.mktemp("scripts")
    for seed in (0, 1000, 1001):
        rooms.load(folder / "rooms", seed, 24, 32, VIEWS)
    return write_config(
        folder / "rooms.txt",
        dataset="rooms",
        data_root=folder / "rooms",
        train_scenes="0",
        test_scenes="1000-1001",
        views_per_room=VIEWS,
    )


@pytest.fixture(scope="module")
def trained(config: Path) -> Path:
    """The folder of a finished run."""
    assert "Finished 6 steps" in run("train.py", "--config", config)
    return config.parent / "out" / EXPNAME


@pytest.fixture(scope="module")
def evaluated(config: Path, trained: Path) -> Path:
    assert "| **mean of scenes** | 4 |" in run("eval.py", "--config", config)
    return trained / "eval"


@pytest.fixture(scope="module")
def rendered(config: Path, trained: Path) -> Path:
    """The folder of a video's frames."""
    assert "room_1000_interpolate.mp4 shows" in run("render.py", "--config", config)
    return trained / "render" / "room_1000_interpolate"


def mean(values: list[str]) -> float:
    return fmean(float(value) for value in values)


def test_training_leaves_checkpoints_scalars_and_a_held_out_picture(trained):
    assert [load_checkpoint(checkpoint_path(trained, step)).step for step in (3, 6)] == [3, 6]
    events = EventAccumulator(str(trained / "tensorboard")).Reload()
    for name in ("loss", "psnr", "photometric", "semantic", "distill", "depth_guided"):
        assert [scalar.step for scalar in events.Scalars(f"training/{name}")] == [2, 4, 6]
    assert [scalar.step for scalar in events.Scalars("held_out/psnr")] == [3, 6]
    assert [picture.step for picture in events.Images("held_out")] == [3, 6]
    saved = read_image(trained / "pictures" / "step_0000006.png")
    assert events.Images("held_out")[-1].height == saved.shape[0]


def test_evaluation_writes_a_row_per_view_and_means_per_scene_and_overall(evaluated):
    with open(evaluated / "views.csv") as file:
        rows = list(csv.DictReader(file))
    summary = json.loads((evaluated / "metrics.json").read_text())
    assert list(summary["scenes"]) == ["room_1000", "room_1001"]
    assert summary["checkpoint_step"] == 6 and summary["overall"]["views"] == 4
    for name, scene in summary["scenes"].items():
        of_scene = [row for row in rows if row["scene"] == name]
        assert tuple(row["view"] for row in of_scene) == TEST_FRAMES and scene["views"] == 2
        for metric in METRICS:
            assert scene[metric] == pytest.approx(mean([row[metric] for row in of_scene]))
    for metric in METRICS:
        scenes = [scene[metric] for scene in summary["scenes"].values()]
        assert summary["overall"][metric] == pytest.approx(fmean(scenes))
    table = (evaluated / "table.md").read_text()
    assert f"| {summary['overall']['psnr']:.2f} |" in table and "checkpoint_step 6" in table
    for row in rows:
        assert read_image(evaluated / row["scene"] / f"{row['view']}.png").ndim == 3


def test_video_has_the_frames_asked_for(rendered):
    imageio = pytest.importorskip("imageio.v3")
    video = imageio.imread(rendered.with_suffix(".mp4"), plugin="FFMPEG")
    assert len(video) == 3
    assert sorted(path.name for path in rendered.glob("*.png")) == ["0000.png", "0001.png", "0002.png"]
    first = read_image(rendered / "0000.png").astype(int)
    decoded = video[0, : first.shape[0], : first.shape[1]].astype(int)
    assert abs(decoded - first).mean() < 8


def test_rendering_again_makes_only_what_is_missing(config, rendered, trained):
    def times() -> list[int]:
        return [(rendered / f"{number:04d}.png").stat().st_mtime_ns for number in range(3)]

    before = times()
    (rendered / "0001.png").unlink()
    run("render.py", "--config", config)
    assert [new == old for new, old in zip(times(), before, strict=True)] == [True, False, True]
    before = times()
    run("render.py", "--config", config, "--checkpoint", checkpoint_path(trained, 3))
    assert all(new > old for new, old in zip(times(), before, strict=True))
    before = times()
    run("render.py", "--config", config, "--checkpoint", checkpoint_path(trained, 3), "--frames", 2)
    assert not (rendered / "0002.png").exists()
    assert (rendered / "0000.png").stat().st_mtime_ns > before[0]


def test_resumed_run_ends_with_the_same_weights_bit_for_bit(trained):
    """The second half is run from the config.txt that the first one wrote."""
    other = trained.with_name("other")
    other.mkdir()
    shutil.copy(checkpoint_path(trained, 3), other)
    stderr = run("train.py", "--config", trained / "config.txt", "--expname", "other")
    assert f"Resuming {other} at step 3." in stderr
    straight, resumed = (load_checkpoint(checkpoint_path(folder, 6)) for folder in (trained, other))
    assert straight.model.keys() == resumed.model.keys()
    for name, tensor in straight.model.items():
        assert torch.equal(resumed.model[name], tensor), name
    for number, state in straight.optimizer["state"].items():
        for key, tensor in state.items():
            assert torch.equal(resumed.optimizer["state"][number][key], tensor), (number, key)
    written = (trained / "config.txt").read_text()
    assert (other / "config.txt").read_text() == written.replace(f"= {EXPNAME}\n", "= other\n")


def stop_training(arguments: list, folder: Path, send: Callable[[int], None], after: int) -> tuple[str, int]:
    """Starts train.py, sends it a signal once it is past step `after`: (stderr, step at which it stopped)."""
    output = folder.with_name("stderr.txt")
    with open(output, "w") as stderr:
        process = subprocess.Popen(
            command("train.py", *arguments), env=environment(), stderr=stderr, start_new_session=True
        )
        try:
            wait_for(lambda: any(int(path.stem[5:]) > after for path in folder.glob("step_*.pt")))
            send(process.pid)
            assert process.wait(timeout=60) == 130, output.read_text()
            # The loader's processes are gone, too.
            wait_for(lambda: not group_exists(process.pid))
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    text = output.read_text()
    assert "Traceback" not in text
    stopped = re.search(r"Stopped after step (\d+); the same command goes on from (.*)\.\n", text)
    step = int(stopped[1])
    assert Path(stopped[2]) == checkpoint_path(folder, step) and load_checkpoint(stopped[2]).step == step
    return text, step


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "nothing happened in a minute"
        time.sleep(0.02)


def group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_stopped_training_goes_on_at_the_next_step(config):
    """Ctrl-C reaches the loader's processes as well; a scheduler's SIGTERM only the script."""
    folder = config.parent / "out" / "stopped"
    arguments = ["--config", config, "--expname", "stopped", "--steps", 10**6, "--checkpoint_every", 1]
    text, step = stop_training(arguments, folder, lambda group: os.killpg(group, signal.SIGINT), after=0)
    assert "Resuming" not in text
    text, later = stop_training(arguments, folder, lambda pid: os.kill(pid, signal.SIGTERM), after=step)
    assert f"Resuming {folder} at step {step}." in text
    assert later > step


def test_photographs_alone_finetune_the_rooms_model_without_labels(scene_writer, trained, rendered):
    folder = scene_writer(frames=5, name="office").write()
    config = write_config(
        folder.parent / "office.txt",
        data_root=folder.parent,
        train_scenes="office",
        test_scenes="office",
        load_weights=checkpoint_path(trained, 6),
        steps=2,
        picture_every=1,
    )
    stderr = run("train.py", "--config", config)
    assert "office has no depth maps: the depth-guided loss is switched off." in stderr
    assert "office has no semantic labels: the semantic losses and metrics are switched off." in stderr
    assert "Starting from the weights of" in stderr and "fresh tensors: none" in stderr
    run_folder = folder.parent / "out" / EXPNAME
    assert set(EventAccumulator(str(run_folder / "tensorboard")).Reload().Tags()["scalars"]) >= {
        "training/photometric",
        "held_out/psnr",
    }
    assert "The test scenes have no labels: mIoU and accuracies are left out." in run(
        "eval.py", "--config", config
    )
    scene = json.loads((run_folder / "eval" / "metrics.json").read_text())["scenes"]["office"]
    assert scene["miou"] is None and scene["miou_majority_class"] is None and scene["psnr"] > 0
    run("render.py", "--config", config, "--path", "orbit", "--frames", 1)
    frame = read_image(run_folder / "render" / "office_orbit" / "0000.png")
    with_labels = read_image(rendered / "0000.png")
    # One row of panels instead of two and a legend.
    assert frame.shape[1] == with_labels.shape[1] and 2 * frame.shape[0] < with_labels.shape[0]


def test_scene_with_some_frames_labelled_has_scores_of_these_alone(scene_writer, config, trained):
    writer = scene_writer(frames=5, semantic=True, name="half")
    writer.top["semantic_classes"] = list(rooms.CLASS_NAMES)
    del writer.top["frames"][3]["semantic_path"]
    root = writer.write().parent
    arguments = ["--dataset", "transforms", "--data_root", root, "--test_scenes", "half", "--out", root]
    run("eval.py", "--config", config, *arguments, "--checkpoint", checkpoint_path(trained, 6))
    with open(root / EXPNAME / "eval" / "views.csv") as file:
        assert [bool(row["miou"]) for row in csv.DictReader(file)] == [True, False]
    assert json.loads((root / EXPNAME / "eval" / "metrics.json").read_text())["overall"]["miou"] is None


def test_test_frames_of_a_finetuned_scene_are_never_seen(scene_writer):
    scene = load_transforms(scene_writer(frames=9).write())
    other = load_transforms(scene_writer(frames=9, name="other").write())
    rule = FrameRule(1, None, 3)
    tuned, unseen = load.training_scenes([scene, other], [scene], rule)
    views = load.test_views([scene], rule)
    assert [view.target for view in views] == [1, 4, 7]
    assert list(tuned.targets) == list(tuned.sources) == [0, 2, 3, 5, 6, 8]
    assert all(list(view.sources) == list(tuned.sources) for view in views)
    assert list(unseen.targets) == list(unseen.sources) == list(range(9))
    examples = TrainingExamples([tuned], 6, 8, 3, "distance", seed=0, length=60)
    drawn = [examples[step] for step in range(len(examples))]
    seen = {name for example in drawn for name in (example.target.name, *example.source_names)}
    assert seen == {"0", "2", "3", "5", "6", "8"}


def test_fault_found_by_a_loading_process_is_still_one_sentence(scene_writer):
    """Frame 3 of 6 is not among those that are looked at before the training."""
    writer = scene_writer(frames=6, semantic=True)
    labels = read_image(writer.folder / "semantic" / "3.png")
    writer.save("semantic/3.png", labels + 40)
    folder = writer.write()
    config = write_config(
        folder.parent / "tiny.txt",
        data_root=folder.parent,
        train_scenes="tiny",
        steps=200,
        checkpoint_every=200,
    )
    sentence = only_sentence(run("train.py", "--config", config, code=2))
    assert str(folder / "semantic" / "3.png") in sentence and "label 40 is outside 0..2" in sentence


def test_depth_range_of_rooms_is_checked_where_one_end_is_given(config):
    sentence = refusal("train.py", "--config", config, "--near", "300")
    assert "expected 0 < near < far in metres, found near 300" in sentence
