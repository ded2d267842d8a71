"""Training that is stopped, resumed or finetuned, and faults that show only while it runs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from conftest import HEIGHT, WIDTH
from helpers import load_folder
from script_runs import EXPNAME, REPOSITORY, command, environment, refusal, run_here, write_config
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gpnerf.datasets import run_scenes as load
from gpnerf.datasets.examples import TrainingExamples
from gpnerf.datasets.views import FrameRule
from gpnerf.training.checkpoint import checkpoint_path, list_checkpoints, load_checkpoint


def test_stopped_training_goes_on_at_the_next_step(rooms_config):
    """Ctrl-C reaches the loader's processes as well; a scheduler's SIGTERM only the script."""
    folder = rooms_config.parent / "out" / "stopped"
    arguments = ["--config", rooms_config, "--expname", "stopped", "--steps", 10**6]
    arguments += ["--checkpoint_every", 1, "--log_every", 1]
    text, step = stop_training(arguments, folder, lambda group: os.killpg(group, signal.SIGINT), after=0)
    assert "Resuming" not in text
    text, later = stop_training(arguments, folder, lambda pid: os.kill(pid, signal.SIGTERM), after=step)
    assert f"Resuming {folder} at step {step}." in text
    events = EventAccumulator(str(folder / "tensorboard")).Reload()
    assert [scalar.step for scalar in events.Scalars("training/loss")] == list(range(1, later + 1))


def stop_training(arguments: list, folder: Path, send: Callable[[int], None], after: int) -> tuple[str, int]:
    """Starts train.py, sends it a signal once it is past step `after`: (stderr, step at which it stopped)."""
    output = folder.parents[1] / "stderr.txt"
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
    stopped = re.search(r"Stopped after step (\d+); the same command resumes from (.*)\.\n", text)
    step = int(stopped[1])
    assert Path(stopped[2]) == checkpoint_path(folder, step)
    assert load_checkpoint(checkpoint_path(folder, step)).step == step
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


def test_test_frames_of_a_finetuned_scene_are_never_seen(scene_writer):
    scene = load_folder(scene_writer(frames=9).write())
    other = load_folder(scene_writer(frames=9, name="other").write())
    rule = FrameRule("1::3")
    tuned, unseen = load.training_scenes([scene, other], [scene], rule)
    views = load.test_views([scene], rule)
    assert [view.target for view in views] == [1, 4, 7]
    assert list(tuned.targets) == list(tuned.sources) == [0, 2, 3, 5, 6, 8]
    assert all(list(view.sources) == list(tuned.sources) for view in views)
    assert list(unseen.targets) == list(unseen.sources) == list(range(9))
    examples = TrainingExamples([tuned], 6, 8, 3, "distance", seed=0, length=60)
    drawn = [examples[step] for step in range(len(examples))]
    seen = {name for example in drawn for name in (example.target.name, *example.sources.names)}
    assert seen == {"0", "2", "3", "5", "6", "8"}


def test_fault_found_by_a_loading_process_is_still_one_sentence(scene_writer):
    """Frame 3 of 6 is not among those that are looked at before the training."""
    writer = scene_writer(frames=6, semantic=True)
    writer.save("semantic/3.png", np.full((HEIGHT, WIDTH), 40, np.uint8))
    folder = writer.write()
    config = write_config(
        folder.parent / "tiny.txt",
        data_root=folder.parent,
        train_scenes="tiny",
        steps=200,
        checkpoint_every=200,
    )
    sentence = refusal("train.py", "--config", config)
    assert str(folder / "semantic" / "3.png") in sentence and "label id 40 (768 pixels)" in sentence


def test_rooms_have_no_published_depth_range(rooms_config):
    sentence = refusal("train.py", "--config", rooms_config, "--depth_range", "published")
    assert "no range is published; use --depth_range scene, or NEAR,FAR" in sentence


def test_a_run_of_the_first_versions_goes_on(rooms_config, tmp_path):
    """Their checkpoints held sizes and the like in one, rates and weights of losses among the options.

    The depth range was two options, which count no more than the others: those of the command line do.
    """
    arguments = ["--config", rooms_config, "--out", tmp_path, "--lr_head", "0.001", "--weight_distill", "2"]
    run_here("train.py", *arguments, "--steps", 3)
    for path in list_checkpoints(tmp_path / EXPNAME):
        content = torch.load(path, weights_only=True)
        settings = content.pop("settings")
        old = {**settings["sizes"], **settings["function"], **settings["recipe"]}
        new = [name for name in old if name.startswith(("lr_", "weight_")) or name == "instance_matching"]
        content["architecture"] = {name: value for name, value in old.items() if name not in new}
        del content["options"]["depth_range"]
        content["options"] |= {"near": 0.5, "far": None}
        torch.save(content, path)
    assert f"Resuming {tmp_path / EXPNAME} at step 3." in run_here("train.py", *arguments)
    assert "room_1000 and 1 more: depth range from near" in run_here("eval.py", *arguments)


def test_a_run_that_goes_on_keeps_its_beginning(rooms_config, rooms_run, tmp_path):
    arguments = ["--config", rooms_config, "--out", tmp_path, "--expname", "again"]
    run_here("train.py", *arguments, "--steps", 2, "--load_weights", rooms_run)
    assert "began with --seed 0, found --seed 3; use" in refusal("train.py", *arguments, "--seed", 3)
    said = run_here("train.py", *arguments, "--steps", 3, "--load_weights", tmp_path / "nowhere")
    assert f"--load_weights {tmp_path / 'nowhere'} has no effect" in said
    newest = load_checkpoint(checkpoint_path(tmp_path / "again", 3))
    assert newest.options["load_weights"] == str(rooms_run)


def test_milestones_stay_whatever_the_steps_between_checkpoints(rooms_config, tmp_path):
    arguments = ["--config", rooms_config, "--out", tmp_path, "--expname", "milestones", "--seed", 2]
    run_here("train.py", *arguments, "--steps", 9, "--checkpoint_every", 5, "--milestone_every", 2)
    steps = {int(path.stem.removeprefix("step_")) for path in list_checkpoints(tmp_path / "milestones")}
    assert {2, 4, 6, 8, 9} <= steps <= {2, 4, 5, 6, 8, 9}


def test_the_slurm_job_knows_how_far_a_run_is(rooms_config, rooms_run, capsys, monkeypatch):
    script = (REPOSITORY / "scripts" / "slurm.sh").read_text()
    (lines,) = re.findall(r"<<'PYTHON'\n(.*?)\nPYTHON\n", script, re.S)
    monkeypatch.setattr("sys.argv", ["-", str(rooms_config), "--steps", "9"])
    exec(lines, {})
    assert capsys.readouterr().out == "6 9\n"
