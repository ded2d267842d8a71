"""Runs train.py, eval.py and render.py on a tiny model: as processes, or in place where they must refuse."""

from __future__ import annotations

import importlib
import io
import os
import subprocess
import sys
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import pytest

from gpnerf.scripting import run_script

REPOSITORY = Path(__file__).parent.parent
EXPNAME = "tiny"
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


def command(script: str, *arguments: Any) -> list[str]:
    return [sys.executable, str(REPOSITORY / script), *map(str, arguments)]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def run(script: str, *arguments: Any, code: int = 0) -> str:
    """Runs a script to its end, which must have this exit code; returns its stderr."""
    done = subprocess.run(
        command(script, *arguments), env=environment(), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == code, done.stderr
    return done.stderr


def run_here(script: str, *arguments: Any, code: int = 0) -> str:
    """Like `run`, but in this process, as importing torch takes seconds; log lines go to pytest instead.

    Not for a training that begins: it takes over the signals.
    """
    main = importlib.import_module(".".join(Path(script).with_suffix("").parts)).main
    stderr = io.StringIO()
    with redirect_stderr(stderr), pytest.raises(SystemExit) as ended:
        run_script(lambda: main([str(argument) for argument in arguments]))
    assert ended.value.code == code, stderr.getvalue()
    return stderr.getvalue()


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
