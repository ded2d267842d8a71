"""Several processes give what one gives: the same training, the same scores, the same frames."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
import torch
from script_runs import REPOSITORY, environment, run, write_config
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gpnerf.checkpoint import checkpoint_path, load_checkpoint
from gpnerf.distributed import Processes
from gpnerf.images import read_image


def together(script, *arguments, processes=2):
    """The command that runs a script in several processes on this machine."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return [*launcher, f"--nproc_per_node={processes}", str(REPOSITORY / script), *map(str, arguments)]


def run_together(script, *arguments, code=0):
    done = subprocess.run(
        together(script, *arguments), env=environment(), capture_output=True, text=True, timeout=240
    )
    assert done.returncode == code, done.stderr
    return done.stderr


def losses(folder):
    events = EventAccumulator(str(folder / "tensorboard")).Reload()
    return {name: [one.value for one in events.Scalars(name)] for name in ("training/loss", "training/psnr")}


def test_shares_are_disjoint_and_complete():
    shares = [Processes(rank, 3, rank).share(range(10)) for rank in range(3)]
    assert [list(share) for share in shares] == [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8]]


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
    """The folders of the same training by one process with two examples a step, and by two with one each."""
    common = ["--config", rooms_config, "--steps", 4, "--log_every", 1, "--dropout", 0.1]
    run("train.py", *common, "--expname", "one", "--accumulate", 2)
    run_together("train.py", *common, "--expname", "two")
    return rooms_config.parent / "out" / "one", rooms_config.parent / "out" / "two"


def test_two_processes_train_as_one_that_accumulates(pair):
    one, two = pair
    expected, found = losses(one), losses(two)
    assert len(expected["training/loss"]) == 4
    for name, curve in expected.items():
        assert found[name] == pytest.approx(curve, abs=1e-5), name


def test_two_processes_share_the_test_views_and_score_as_one(pair, rooms_config):
    one, _ = pair
    common = ["--config", rooms_config, "--expname", "one", "--accumulate", 2]
    stderr = run_together("eval.py", *common)
    assert stderr.count("Tables, report.html and pictures are in") == 1
    rows = (one / "eval" / "views.csv").read_text()
    scores = json.loads((one / "eval" / "metrics.json").read_text())["overall"]
    os.rename(one / "eval", one / "eval_by_two")
    run("eval.py", *common)
    assert (one / "eval" / "views.csv").read_text() == rows
    assert json.loads((one / "eval" / "metrics.json").read_text())["overall"] == scores


def test_two_processes_share_the_frames_of_a_video(pair, rooms_config):
    one, _ = pair
    common = ["--config", rooms_config, "--expname", "one", "--accumulate", 2]
    run_together("render.py", *common)
    frames = sorted((one / "render" / "room_1000_interpolate").glob("*.png"))
    pixels = [read_image(frame) for frame in frames]
    assert len(frames) == 3 and (one / "render" / "room_1000_interpolate.mp4").is_file()
    os.rename(one / "render", one / "render_by_two")
    run("render.py", *common)
    for frame, expected in zip(frames, pixels, strict=True):
        assert (read_image(frame) == expected).all()


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
    stopped = re.search(r"Stopped after step (\d+); the same command goes on", stderr)
    assert stopped, stderr
    assert load_checkpoint(checkpoint_path(folder, int(stopped[1]))).step == int(stopped[1])
