"""Starts train.py and eval.py for a store: prints the command, keeps the output, says which log to read."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from gpnerf.config.types import REPOSITORY
from gpnerf.system.children import run_logged
from gpnerf.system.errors import GPNeRFError
from gpnerf.system.lock import Lock
from gpnerf.system.scripting import EXIT_STOPPED, make_folder

log = logging.getLogger("reproduce")


class ScriptFailed(GPNeRFError):
    """A script that the store started did not reach its end."""


def run_script_in(folder: Path, script: str, arguments: Sequence[str], lock: Lock) -> None:
    """Runs train.py or eval.py; appends its output to a log in `folder`.

    Raises ScriptFailed with the last line of the log if the script fails, and KeyboardInterrupt if it was
    asked to stop.
    """
    output = make_folder(folder) / f"{Path(script).stem}.log"
    log.info(f"{shlex.join(['python', script, *arguments])}  # output in {output}")
    code = run_logged([sys.executable, str(REPOSITORY / script), *arguments], output, lock.add)
    if code == EXIT_STOPPED:
        raise ScriptFailed(f"{script} stopped before its end, see {output}; the same command goes on.")
    if code:
        raise ScriptFailed(f"{script} ended with code {code}: {_last_line(output)} (the log is {output}).")


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").replace("\r", "\n").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it wrote nothing")
