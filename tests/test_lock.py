"""Locks: one process at a time, whoever dies."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gpnerf.system.lock import SILENT_SECONDS, Lock, is_stale

HERE, ELSEWHERE = socket.gethostname(), "another.machine"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture(scope="module")
def ended() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def zombie():
    """The number of a process that has ended without anybody asking for its exit code."""
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    process.stdout.read()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    yield process.pid
    process.wait()


def write(path: Path, host: str, *pids: int, silent: float = 0.0) -> None:
    path.write_text(json.dumps({"host": host, "pids": pids}))
    age = path.stat().st_mtime - silent
    os.utime(path, (age, age))


def test_a_lock_is_taken_once_and_free_again_afterwards(path):
    first = Lock(path)
    assert first.take()
    with first:
        write(path, HERE, os.getppid())
        assert not Lock(path).take()
    assert not path.exists() and Lock(path).take()


def test_the_lock_of_an_ended_process_is_taken_over(path, ended):
    write(path, HERE, ended)
    assert is_stale(path) and Lock(path).take()
    assert json.loads(path.read_text())["pids"] == [os.getpid()]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_zombie_does_not_keep_a_lock(path, zombie):
    write(path, HERE, zombie)
    assert is_stale(path)


def test_a_child_keeps_the_lock_of_its_ended_parent(path, ended):
    write(path, HERE, ended, os.getppid())
    assert not is_stale(path) and not Lock(path).take()


def test_another_machine_keeps_its_lock_until_it_falls_silent(path, ended):
    write(path, ELSEWHERE, ended)
    assert not is_stale(path) and not Lock(path).take()
    write(path, ELSEWHERE, ended, silent=SILENT_SECONDS + 1)
    assert Lock(path).take()


def test_a_half_written_lock_is_a_lock_until_it_is_old(path):
    path.write_text("")
    assert not is_stale(path)
    os.utime(path, (0, 0))
    assert is_stale(path) and Lock(path).take()


def test_a_lock_that_another_process_renewed_is_put_back(path, ended, monkeypatch):
    """Two processes find a stale lock; the slower one must not remove the fresh lock of the faster one."""
    write(path, HERE, os.getppid())
    answers = iter([True])
    monkeypatch.setattr(
        "gpnerf.system.lock.is_stale", lambda place: next(answers, False) if place == path else False
    )
    assert not Lock(path).take()
    assert json.loads(path.read_text())["pids"] == [os.getppid()]
    assert list(path.parent.iterdir()) == [path]


def test_a_child_is_named_in_the_lock(path):
    lock = Lock(path)
    assert lock.take()
    with lock:
        lock.add(4711)
        assert json.loads(path.read_text()) == {"host": HERE, "pids": [os.getpid(), 4711]}
