"""What all scripts share: errors as sentences, output folders, log lines, stop signals."""

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
    """Writes log lines above a progress bar, each line once, since a scene may be read twice."""

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        if line not in self.said:
            self.said.add(line)
            tqdm.write(line, file=sys.stderr)


def run_script(main: Callable[[], int]) -> None:
    """Runs a script; a fault that the user can mend ends in one sentence on stderr and exit code 2."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[_ProgressSafeHandler()])
    # TensorBoard would log a line for every file that it has read.
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
        # The file has a random name, because several processes may check the folder at once.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"Output folder {folder} cannot be written to ({error.strerror}); choose another folder."
        ) from error
    return folder


class StopRequest:
    """A wish to stop after the current step, made by Ctrl-C, SIGTERM, SIGUSR1 or the end of `hours`.

    A second signal stops at once, by KeyboardInterrupt.
    """

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
    """Makes a loader process ignore stop signals.

    A signal to a whole job reaches loaders too, but only the main process decides when to stop; loaders end
    with it.
    """
    for name in STOP_SIGNALS:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
