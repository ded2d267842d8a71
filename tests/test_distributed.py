"""Several processes give what one gives: the same training, the same scores, the same frames."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest
import torch
from script_runs import REPOSITORY, environment, run_here, write_config
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gpnerf.media.images import read_image
from gpnerf.system.distributed import Processes
from gpnerf.training.checkpoint import checkpoint_path, load_checkpoint


def together(script, *arguments):
    """The command that runs a script in two processes on this machine."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    return [*launcher, str(REPOSITORY / script), *map(str, arguments)]


def free_ports(count):
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("localhost", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


def losses(folder):
    events = EventAccumulator(str(folder / "tensorboard")).Reload()
    return {name: [one.value for one in events.Scalars(name)] for name in ("training/loss", "training/psnr")}


def test_shares_are_disjoint_and_complete():
    shares = [Processes(rank, 3, rank).share(range(10)) for rank in range(3)]
    assert [list(share) for share in shares] == [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8]]


def test_one_process_decides_for_itself():
    assert Processes().as_first(lambda: "bfloat16") == "bfloat16"


def test_one_process_sums_and_gathers_nothing():
    weight = torch.nn.Parameter(torch.zeros(2))
    weight.grad = torch.tensor([1.0, 2.0])
    alone = Processes()
    alone.add_gradients([weight])
    assert weight.grad.tolist() == [1.0, 2.0]
    assert (
        alone.gather("x") == ["x"] and alone.any(True, weight.device) and not alone.any(False, weight.device)
    )


@pytest.fixture(scope="module")
def pair(rooms_config):
    """The folders of the same training by one process with two examples a step, and by two with one each.

    That of the one also has what one process made of it (eval, render) and two did (eval_by_two, ...).
    """
    common = ["--config", str(rooms_config), "--steps", "4", "--log_every", "1", "--dropout", "0.1"]
    alone = [*common, "--expname", "one", "--accumulate", "2"]
    one, two = (rooms_config.parent / "out" / name for name in ("one", "two"))
    run_here("train.py", *alone)
    commands = [["train.py", *common, "--expname", "two"], ["eval.py", *alone], ["render.py", *alone]]
    commands = [[str(REPOSITORY / script), *arguments] for script, *arguments in commands]
    pairs = list(zip(free_ports(len(commands)), commands, strict=True))
    command = together("tests/scripts_in_turn.py", json.dumps(pairs))
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Tables, report.html and pictures are in") == 1
    for name in ("eval", "render"):
        os.rename(one / name, one / f"{name}_by_two")
        run_here(f"{name}.py", *alone)
    return one, two


def test_two_processes_train_as_one_that_accumulates(pair):
    one, two = pair
    expected, found = losses(one), losses(two)
    assert len(expected["training/loss"]) == 4
    for name, curve in expected.items():
        assert found[name] == pytest.approx(curve, abs=1e-5), name


def test_two_processes_share_the_test_views_and_score_as_one(pair):
    one, _ = pair
    alone, shared = one / "eval", one / "eval_by_two"
    assert (shared / "views.csv").read_text() == (alone / "views.csv").read_text()
    expected, found = (json.loads((folder / "metrics.json").read_text()) for folder in (alone, shared))
    assert found["overall"] == expected["overall"]


def test_two_processes_share_the_frames_of_a_video(pair):
    one, _ = pair
    shared = one / "render_by_two" / "room_1000_interpolate"
    frames = sorted(shared.glob("*.png"))
    assert len(frames) == 3 and shared.with_suffix(".mp4").is_file()
    for frame in frames:
        expected = read_image(one / "render" / shared.name / frame.name)
        assert (read_image(frame) == expected).all()


@pytest.mark.slow
def test_a_fault_of_one_process_ends_all_with_its_sentence(scene_writer, tmp_path):
    writer = scene_writer(frames=8, semantic=True)
    (writer.folder / "images" / "3.png").write_bytes(b"not an image")
    config = write_config(
        tmp_path / "tiny.txt", dataset="transforms", data_root=writer.write().parent, train_scenes="tiny"
    )
    start = time.monotonic()
    done = subprocess.run(
        together("train.py", "--config", config, "--steps", 10**6),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode != 0 and time.monotonic() - start < 200
    assert re.search(r"Error: .*3\.png: expected an image", done.stderr), done.stderr


@pytest.mark.slow
def test_a_stop_signal_to_the_job_saves_and_goes_on(rooms_config):
    folder = rooms_config.parent / "out" / "stopped_pair"
    command = together("train.py", "--config", rooms_config, "--expname", folder.name, "--steps", 10**6)
    command += ["--checkpoint_every", "1"]
    process = subprocess.Popen(
        command, env=environment(), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        end = time.monotonic() + 120
        while not list(folder.glob("step_*.pt")):
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=90)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    stopped = re.search(r"Stopped after step (\d+); the same command resumes", stderr)
    assert stopped, stderr
    assert load_checkpoint(checkpoint_path(folder, int(stopped[1]))).step == int(stopped[1])
