"""Locks of folders: one process at a time works there, even if several machines share the disk."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from gpnerf.system.files import write_once, write_whole

# The owner touches its lock this often; on another machine it counts as dead when that fails to happen.
BEAT_SECONDS, SILENT_SECONDS = 30.0, 600.0
# Of Windows: the right to wait for a process, the answer that it has not ended, and an error.
SYNCHRONIZE, WAIT_TIMEOUT, ACCESS_DENIED = 0x00100000, 0x102, 5


class Lock:
    """A file that names the process that works in a folder, and the process that does the work for it.

    A lock whose processes have all ended is taken over. Use it as a context, after `take` returned true.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.owner = {"host": socket.gethostname(), "pids": [os.getpid()]}
        self._released = threading.Event()

    def take(self) -> bool:
        """Takes the lock; returns false if a living process has it."""
        if is_stale(self.path):
            self._remove_stale()
        write_once(self.path, json.dumps(self.owner))
        taken = read_owner(self.path) == self.owner
        if taken:
            threading.Thread(target=self._beat, daemon=True).start()
        return taken

    def _remove_stale(self) -> None:
        """Removes a stale lock, but not the one by which another process has replaced it meanwhile."""
        aside = self.path.with_name(f"{self.path.name}.{os.getpid()}.stale")
        with suppress(OSError):
            os.replace(self.path, aside)
            if not is_stale(aside):
                os.link(aside, self.path)
            aside.unlink()

    def add(self, pid: int) -> None:
        """Names a child process, which keeps the folder locked even if this process is killed."""
        self.owner = {**self.owner, "pids": [os.getpid(), pid]}
        write_whole(self.path, json.dumps(self.owner))

    def _beat(self) -> None:
        while not self._released.wait(BEAT_SECONDS):
            with suppress(OSError):
                os.utime(self.path)

    def __enter__(self) -> Lock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        self.path.unlink(missing_ok=True)


def read_owner(path: Path) -> dict | None:
    """The owner that a lock names; None if there is no lock."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def is_stale(path: Path) -> bool:
    """Whether a lock is left over: its processes have ended, or another machine has fallen silent."""
    try:
        silent = time.time() - path.stat().st_mtime > SILENT_SECONDS
    except OSError:
        return False
    owner = read_owner(path)
    if owner is None or owner["host"] != socket.gethostname():
        return silent
    return not any(map(_is_alive, owner["pids"]))


def _is_alive(pid: int) -> bool:
    # On Windows, the signal 0 would interrupt the process.
    if sys.platform == "win32":
        return _is_alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        # It belongs to another user.
        return True
    return not _is_zombie(pid)


def _is_alive_on_windows(pid: int) -> bool:
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.OpenProcess.restype = ctypes.c_void_p
    process = kernel.OpenProcess(SYNCHRONIZE, False, pid)
    if not process:
        # It has ended, or it belongs to another user.
        return ctypes.get_last_error() == ACCESS_DENIED
    try:
        return kernel.WaitForSingleObject(ctypes.c_void_p(process), 0) == WAIT_TIMEOUT
    finally:
        kernel.CloseHandle(ctypes.c_void_p(process))


def _is_zombie(pid: int) -> bool:
    """Whether a process has ended, but nobody has asked for its exit code; false where there is no /proc."""
    try:
        # The state follows the name of the program, which is in brackets and may hold any character.
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state in ("Z", "X")
