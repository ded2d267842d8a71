"""What train.py, eval.py and render.py share: errors as sentences, run folders, log lines, stop signals."""

from __future__ import annotations

import logging
import math
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from tqdm import tqdm

from gpnerf.system.errors import ConfigError, GPNeRFError

EXIT_USER_FAULT = 2
EXIT_STOPPED = 130
# Windows has no SIGUSR1.
STOP_SIGNALS = [name for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)]


class _ProgressSafeHandler(logging.Handler):
    """Log lines that do not tear a progress bar apart, each said once: a scene may be read twice."""

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        if line not in self.said:
            self.said.add(line)
            tqdm.write(line, file=sys.stderr)


def run_script(main: Callable[[], int]) -> None:
    """Runs a script: a fault that the user can mend is one sentence on stderr and exit code 2."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[_ProgressSafeHandler()])
    # It tells of every file that it has read to the end.
    logging.getLogger("tensorboard").setLevel(logging.WARNING)
    try:
        sys.exit(main())
    except GPNeRFError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(EXIT_USER_FAULT)
    except KeyboardInterrupt:
        sys.exit(EXIT_STOPPED)


def commit() -> str:
    """The commit of the checkout, with "+" where files differ from it; "unknown" outside a checkout."""
    repository = Path(__file__).resolve().parent.parent.parent
    try:
        found = [
            subprocess.run(
                ["git", "-C", str(repository), *words], capture_output=True, text=True, check=True, timeout=10
            ).stdout.strip()
            for words in (["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "-uno"])
        ]
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return found[0] + ("+" if found[1] else "")


def make_folder(folder: Path) -> Path:
    """Makes an output folder. Raises ConfigError where it cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Of a name of its own: several processes may do this at once.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"Output folder {folder} cannot be written to ({error.strerror}); choose another folder."
        ) from error
    return folder


class StopRequest:
    """Turns Ctrl-C, SIGTERM and SIGUSR1 into a wish to stop after the step at hand; a second one stops at
    once. So does the end of `hours`, if any are given."""

    def __init__(self, hours: float | None = None) -> None:
        self.asked = False
        self.end = math.inf if hours is None else time.monotonic() + 3600.0 * hours
        for name in STOP_SIGNALS:
            signal.signal(getattr(signal, name), self._ask)

    @property
    def wanted(self) -> bool:
        return self.asked or time.monotonic() >= self.end

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


def leave_signals_to_parent(worker: int) -> None:
    """For loader processes: signals to a whole job reach them too, but only the training may decide when to
    stop. They end with it."""
    for name in STOP_SIGNALS:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
