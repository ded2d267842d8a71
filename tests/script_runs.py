"""Runs train.py, eval.py and render.py on a tiny model: in this process, or in ones of their own."""

from __future__ import annotations

import io
import logging
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from gpnerf.commands.options import parse_options
from gpnerf.methods.settings import Settings
from gpnerf.system.scripting import STOP_SIGNALS
from gpnerf.training.checkpoint import Checkpoint, save_checkpoint

ROOT_LOG = logging.getLogger()
SIGNALS = [getattr(signal, name) for name in STOP_SIGNALS]
# What scripts set for their whole process: how to ask for it, and how to set it.
SETTINGS = (
    (lambda: sys.argv, partial(setattr, sys, "argv")),
    (lambda: sys.path[:], partial(setattr, sys, "path")),
    (lambda: ROOT_LOG.handlers, partial(setattr, ROOT_LOG, "handlers")),
    (lambda: ROOT_LOG.level, ROOT_LOG.setLevel),
    (torch.get_rng_state, torch.set_rng_state),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (lambda: torch.backends.cudnn.allow_tf32, partial(setattr, torch.backends.cudnn, "allow_tf32")),
    *((partial(signal.getsignal, number), partial(signal.signal, number)) for number in SIGNALS),
)

REPOSITORY = Path(__file__).parent.parent
EXPNAME = "tiny"
# Of the scenes that `scene_writer` writes.
CLASSES = ("wall", "floor", "chair")
VIEWS_PER_ROOM = 5
TINY = {
    "expname": EXPNAME,
    "height": 24,
    "width": 32,
    "test_frames": "1::2",
    "num_source_views": 2,
    "encoder_width": 8,
    "encoder_blocks": "1,1,1",
    "color_features": 8,
    "level_width": 8,
    "transformer_width": 16,
    "layers": 2,
    "samples": 8,
    "fine_samples": 4,
    "steps": 6,
    "num_rays": 32,
    "log_every": 2,
    "picture_every": 3,
    "checkpoint_every": 3,
    "workers": 1,
    "frames": 3,
    "device": "cpu",
    "precision": "float32",
    "compile": "no",
    "lpips": "no",
}


def write_config(path: Path, **options: Any) -> Path:
    """A config file of the tiny model with these options besides; it writes to `out` beside the file."""
    options = {**TINY, "out": path.parent / "out", **options}
    path.write_text("".join(f"{name} = {value}\n" for name, value in options.items()))
    return path


def save_untrained(config: Path, class_names: tuple[str, ...] = CLASSES) -> Path:
    """A checkpoint of the model that `config` asks for, in the folder of its run."""
    options = parse_options("", ["--config", str(config)])
    settings = Settings.from_options(options, len(class_names))
    state = Checkpoint(0, settings, class_names, settings.build().state_dict(), {}, {})
    return save_checkpoint(Path(options.out) / EXPNAME, state)


def command(script: str, *arguments: Any) -> list[str]:
    return [sys.executable, str(REPOSITORY / script), *map(str, arguments)]


def environment(threads: int | None = 1) -> dict[str, str]:
    """The environment of a process with that many threads; None: as many as it has for a user."""
    if threads is not None:
        return {**os.environ, "OMP_NUM_THREADS": str(threads)}
    variables = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    # Threads that spin while they wait for one another are many times slower where cores are shared.
    return {**variables, "OMP_WAIT_POLICY": "passive"}


def run(script: str, *arguments: Any, code: int = 0, threads: int | None = 1, seconds: int = 120) -> str:
    """Runs a script to its end, which must have this exit code; returns its stderr."""
    done = subprocess.run(
        command(script, *arguments),
        env=environment(threads),
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    assert done.returncode == code, done.stderr
    return done.stderr


def run_here(script: str, *arguments: Any, code: int = 0) -> str:
    """Like `run`, but in this process, as importing torch takes seconds; the file runs as python runs it."""
    stderr = io.StringIO()
    with own_process(), redirect_stderr(stderr), pytest.raises(SystemExit) as ended:
        torch.set_num_threads(1)
        sys.argv = command(script, *arguments)[1:]
        runpy.run_path(sys.argv[0], run_name="__main__")
    assert ended.value.code == code, stderr.getvalue()
    return stderr.getvalue()


def call_here(command: Sequence[str]) -> int:
    """Stands in for subprocess.call where a script starts another one of the repository, which succeeds."""
    _, script, *arguments = command
    run_here(Path(script).name, *arguments)
    return 0


@contextmanager
def own_process() -> Iterator[None]:
    """After the body, all that a script sets for its whole process is as it was before."""
    before = [ask() for ask, _ in SETTINGS]
    ROOT_LOG.handlers = []
    try:
        with mock.patch.dict(os.environ):
            yield
    finally:
        for (_, put), value in zip(SETTINGS, before, strict=True):
            put(value)


def refusal(script: str, *arguments: Any) -> str:
    """The sentence with which a script refuses its input."""
    return only_sentence(run_here(script, *arguments, code=2))


def only_sentence(stderr: str) -> str:
    """The line about the fault: one, at the end, and no traceback."""
    lines = stderr.splitlines()
    assert "Traceback" not in stderr, stderr
    assert [line.startswith("Error: ") for line in lines].count(True) == 1, stderr
    assert lines[-1].startswith("Error: ") and lines[-1][-1] in ".?", stderr
    return lines[-1]
