"""Runs a program as a child process whose output goes to a file, and passes stop signals on to it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from gpnerf.system.scripting import STOP_SIGNALS


def run_logged(command: Sequence[str], log: Path, started: Callable[[int], object]) -> int:
    """Runs a command to its end and returns its exit code; appends its output to the file `log`.

    started: is called with the number of the process. A stop signal goes to the child, which ends cleanly;
    then KeyboardInterrupt is raised.
    """
    with log.open("ab") as output:
        # In a session of its own, so that Ctrl-C reaches the child once, and not through the terminal too.
        child = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
        )
        with _signals_to(child):
            started(child.pid)
            return child.wait()


@contextmanager
def _signals_to(child: subprocess.Popen) -> Iterator[None]:
    """Forwards stop signals to the child; raises KeyboardInterrupt at the end if there were any."""
    came = []

    def forward(number: int, frame: FrameType | None) -> None:
        came.append(number)
        # Windows interrupts all programs of a console by itself, and cannot send this signal to one.
        if sys.platform != "win32":
            child.send_signal(number)

    numbers = [getattr(signal, name) for name in STOP_SIGNALS]
    before = [signal.signal(number, forward) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt
