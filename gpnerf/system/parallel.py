"""Runs jobs in several processes with one progress bar over their steps; jobs can stop between two steps."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from typing import Any, TypeVar

import cv2
from tqdm import tqdm

from gpnerf.system.errors import GPNeRFError
from gpnerf.system.scripting import StopRequest, leave_signals_to_parent

POLL_SECONDS = 0.2

Job = TypeVar("Job")
Result = TypeVar("Result")
# Does a job; calls the second argument after every step and ends early where the third returns true.
Work = Callable[[Job, Callable[[], object], Callable[[], bool]], Result]

# State of a worker process: the shared counter of finished steps, and the event that asks it to stop.
_steps: Any = None
_halt: Event | None = None


def run_jobs(
    work: Work[Job, Result], jobs: Sequence[Job], workers: int, stop: StopRequest, bar: tqdm
) -> list[Result | None]:
    """Returns the results of work(job, tick, stopped); None for jobs that had not started before a stop.

    work: function at the top level of a module; jobs: picklable. A single job or worker runs in this process.
    The first exception of a job stops the others between two steps and is raised. Raises GPNeRFError if a
    process dies.
    """
    workers = min(workers, len(jobs))
    if workers <= 1:
        return [None if stop.wanted else work(job, bar.update, lambda: stop.wanted) for job in jobs]
    context = multiprocessing.get_context("spawn")
    steps, halt = context.Value("Q", 0), context.Event()
    with ProcessPoolExecutor(workers, context, _start_worker, (steps, halt)) as pool:
        try:
            with _interrupts_ignored():
                futures = [pool.submit(_run, work, job) for job in jobs]
            _follow(futures, stop, lambda: _show(bar, steps.value))
        except BrokenProcessPool as error:
            raise GPNeRFError(
                "A worker process died, perhaps for lack of memory; run the same command again with fewer "
                "--workers."
            ) from error
        finally:
            halt.set()
            pool.shutdown(cancel_futures=True)
    return [None if future.cancelled() else future.result() for future in futures]


def _follow(futures: list[Future], stop: StopRequest, show: Callable[[], object]) -> None:
    """Waits until all jobs are done, one fails (and raises its exception), or a stop is wanted."""
    running = set(futures)
    while running and not stop.wanted:
        done, running = wait(futures, POLL_SECONDS, FIRST_EXCEPTION)
        show()
        for future in done:
            future.result()


def _show(bar: tqdm, steps: int) -> None:
    if steps > bar.n:
        bar.update(steps - bar.n)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Makes processes that start inside the block ignore Ctrl-C; the parent ends them instead."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _start_worker(steps: Any, halt: Event) -> None:
    global _steps, _halt
    _steps, _halt = steps, halt
    leave_signals_to_parent(0)
    # The pool ends its processes with SIGTERM.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(1)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """Ends this worker when its parent dies; it would otherwise wait for jobs for ever."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _run(work: Work[Job, Result], job: Job) -> Result:
    return work(job, _tick, _halt.is_set)


def _tick() -> None:
    with _steps.get_lock():
        _steps.value += 1
