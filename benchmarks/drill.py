"""Interrupts and damages a training of configs/rooms.txt, and checks that it ends with the same weights.

    python benchmarks/drill.py              # a quarter of an hour on two CPU cores
    python benchmarks/drill.py --kills 10   # quicker

Every line names a fault and its outcome; the last line is "N passed, M failed". Files go to a temporary
folder, which is removed.
"""

from __future__ import annotations

import argparse
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import torch

from gpnerf.commands.options import parse_options
from gpnerf.config.parser import Parser
from gpnerf.config.types import REPOSITORY, count
from gpnerf.datasets.examples import FaultsAsItems, TrainingExamples, TrainingScene
from gpnerf.datasets.run_scenes import load_scenes
from gpnerf.system.scripting import EXIT_STOPPED, EXIT_USER_FAULT, run_script
from gpnerf.training.checkpoint import checkpoint_path, list_checkpoints, load_checkpoint

# That training, shortened; everything else, threads included, is as a user runs it.
CONFIG = REPOSITORY / "configs" / "rooms.txt"
STEPS, LONGEST_SECONDS = 100, 600
TRAINED, TESTED = 0, 1000
OPTIONS = {
    "train_scenes": TRAINED,
    "test_scenes": TESTED,
    "device": "cpu",
    "steps": STEPS,
    "checkpoint_every": 5,
    "log_every": 10,
    "picture_every": 1_000_000,
}
# File size limit that stands for a full disk: above an example that a loader passes on, below a checkpoint.
LARGEST_FILE_KIB = 8 * 1024
KILLS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class Drill:
    """A folder with rooms and a config; the faults tried so far, and how many passed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random = folder, random.Random(seed)
        self.passed = self.failed = 0
        places = {"data_root": folder / "rooms", "out": folder / "out"}
        self.config = folder / "drill.txt"
        lines = [
            f"include = {CONFIG}\n",
            *(f"{name} = {value}\n" for name, value in (OPTIONS | places).items()),
        ]
        self.config.write_text("".join(lines))
        self.options = parse_options("", ["--config", str(self.config)])
        for names in (self.options.train_scenes, self.options.test_scenes):
            load_scenes(self.options, names)

    def check(self, fault: str, holds: bool, found: str) -> None:
        self.passed, self.failed = self.passed + holds, self.failed + (not holds)
        sys.stdout.write(f"{'passed' if holds else 'FAILED'}: {fault}: {found}\n")
        sys.stdout.flush()

    def start(self, name: str, *options: str) -> subprocess.Popen:
        command = [sys.executable, str(REPOSITORY / "train.py"), "--config", str(self.config)]
        return subprocess.Popen(
            [*command, "--expname", name, *options],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def train(self, name: str, *options: str) -> tuple[int, str]:
        """Runs a training to its end; returns the exit code and stderr."""
        process = self.start(name, *options)
        stderr = process.communicate(timeout=LONGEST_SECONDS)[1]
        return process.returncode, stderr

    def run_folder(self, name: str) -> Path:
        return self.folder / "out" / name

    def equals(self, name: str, other: str) -> bool:
        """Whether the last weights and Adam's moments of two runs are equal, bit for bit."""
        one, two = (load_checkpoint(checkpoint_path(self.run_folder(run), STEPS)) for run in (name, other))
        moments = [
            torch.equal(value, two.optimizer["state"][number][key])
            for number, values in one.optimizer["state"].items()
            for key, value in values.items()
        ]
        return all(moments) and all(torch.equal(one.model[key], two.model[key]) for key in one.model)


def undisturbed(drill: Drill) -> None:
    code, stderr = drill.train("undisturbed")
    drill.check("no fault", code == 0, stderr.strip().splitlines()[-1])


def killed_at_random(drill: Drill, kills: int) -> None:
    """Sends signals at random moments: four in five after a new checkpoint, the others from the start on."""
    learning = wrong = 0
    for _ in range(kills):
        last = _last_step(drill, "killed")
        if last == STEPS:
            shutil.rmtree(drill.run_folder("killed"))
            last = 0
        process, number = drill.start("killed"), drill.random.choice(KILLS)
        if drill.random.random() < 0.8:
            while _last_step(drill, "killed") == last and process.poll() is None:
                time.sleep(0.01)
            time.sleep(drill.random.uniform(0.0, 0.5))
        else:
            time.sleep(drill.random.uniform(0.0, 6.0))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        process.communicate(timeout=LONGEST_SECONDS)
        after = _last_step(drill, "killed")
        learning += last < after < STEPS
        # A signal that comes before the training handles signals ends the process with that signal.
        wrong += after < last or process.returncode not in (0, EXIT_STOPPED, -number)
    code, _ = drill.train("killed")
    holds = code == 0 and not wrong and drill.equals("killed", "undisturbed")
    failure = f"exit code {code}, {wrong} unexpected exits, or different weights"
    outcome = "the same weights, bit for bit" if holds else failure
    drill.check(f"{kills} signals at random moments, {learning} between two steps", holds, outcome)


def _last_step(drill: Drill, name: str) -> int:
    paths = list_checkpoints(drill.run_folder(name))
    return int(paths[-1].stem.removeprefix("step_")) if paths else 0


def damaged_checkpoint(drill: Drill, fault: str, damage: Callable[[bytearray], bytes]) -> None:
    name = fault.replace(" ", "_")
    shutil.copytree(drill.run_folder("undisturbed"), drill.run_folder(name))
    path = list_checkpoints(drill.run_folder(name))[-1]
    path.write_bytes(damage(bytearray(path.read_bytes())))
    code, stderr = drill.train(name)
    holds = code == 0 and "Going back to" in stderr and drill.equals(name, "undisturbed")
    drill.check(
        f"newest checkpoint {fault}",
        holds,
        "resumed from the checkpoint before it, the same weights" if holds else stderr[-300:],
    )


def flip_bit(data: bytearray) -> bytes:
    data[len(data) // 2] ^= 8
    return bytes(data)


def full_disk(drill: Drill) -> None:
    """Trains under a file size limit in place of a full disk, since mounting a small one needs root."""
    training = shlex.join([sys.executable, str(REPOSITORY / "train.py"), "--config", str(drill.config)])
    command = f"ulimit -f {LARGEST_FILE_KIB}; exec {training} --expname full"
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
    )
    partial = list(drill.run_folder("full").glob("*.partial"))
    code, _ = drill.train("full")
    holds = done.returncode == EXIT_USER_FAULT and "Traceback" not in done.stderr and not partial
    holds = holds and code == 0 and drill.equals("full", "undisturbed")
    drill.check("no room for a checkpoint", holds, done.stderr.strip().splitlines()[-1])


def damaged_image(drill: Drill) -> None:
    room = next((drill.folder / "rooms").rglob(f"room_{TRAINED:04d}"))
    image = sorted(room.rglob("*.png"))[0]
    whole = image.read_bytes()
    image.write_bytes(whole[: len(whole) // 2])
    code, stderr = drill.train("damaged_image")
    image.write_bytes(whole)
    holds = code == EXIT_USER_FAULT and image.name in stderr and "Traceback" not in stderr
    drill.check("image cut in half", holds, stderr.strip().splitlines()[-1])


def exploding(drill: Drill) -> None:
    code, stderr = drill.train("exploding", "--lr_transformer", "1e30", "--lr_extractor", "1e30")
    holds = code == EXIT_USER_FAULT and "in a row were not finite" in stderr and "Traceback" not in stderr
    weights = load_checkpoint(drill.run_folder("exploding")).model
    holds = holds and all(tensor.isfinite().all() for tensor in weights.values())
    drill.check("learning rate of 1e30", holds, stderr.strip().splitlines()[-1])


def out_of_time(drill: Drill) -> None:
    code, stderr = drill.train("out_of_time", "--max_hours", "0.0005")
    stopped = _last_step(drill, "out_of_time")
    again, _ = drill.train("out_of_time")
    holds = code == EXIT_STOPPED and 0 < stopped < STEPS and again == 0
    drill.check(
        "out of time",
        holds and drill.equals("out_of_time", "undisturbed"),
        f"stopped after step {stopped}, then the same weights",
    )


def loader_traffic(drill: Drill, examples: int) -> None:
    """Reads many examples in one process, whose memory must not grow once all frames are read."""
    options = drill.options
    scene = load_scenes(options, options.train_scenes)[0]
    everything = range(len(scene.views))
    size = options.height, options.width, options.num_source_views, options.view_metric
    source = FaultsAsItems(
        TrainingExamples([TrainingScene(scene, everything, everything)], *size, options.seed, examples)
    )
    sizes = []
    for number in range(examples):
        source[number]
        if number in (examples // 10, examples - 1):
            sizes.append(_resident())
    grown = sizes[1] - sizes[0]
    drill.check(
        f"{examples} examples read",
        grown < 16 * 2**20,
        f"memory grew by {grown / 2**20:.1f} MiB after the first tenth",
    )


def _resident() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--kills", type=count, default=50, help="signals to one training (default: 50)")
    parser.add_argument("--examples", type=count, default=100_000, help="examples to read (default: 100000)")
    parser.add_argument("--seed", type=count, default=0, help="of the random moments")
    options = parser.parse_args(arguments)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GPNERF_CACHE"] = str(Path(folder) / "cache")
        drill = Drill(Path(folder), options.seed)
        undisturbed(drill)
        damaged_checkpoint(drill, "cut in half", lambda data: bytes(data[: len(data) // 2]))
        damaged_checkpoint(drill, "with a flipped bit", flip_bit)
        damaged_checkpoint(drill, "empty", lambda data: b"")
        full_disk(drill)
        damaged_image(drill)
        exploding(drill)
        out_of_time(drill)
        loader_traffic(drill, options.examples)
        killed_at_random(drill, options.kills)
    sys.stdout.write(f"{(time.monotonic() - start) / 60:.1f} minutes\n")
    sys.stdout.write(f"{drill.passed} passed, {drill.failed} failed\n")
    return 1 if drill.failed else 0


if __name__ == "__main__":
    run_script(main)
