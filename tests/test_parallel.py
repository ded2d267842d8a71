"""Jobs in several processes: results in order, a stop between steps, faults of a job and of a process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest
from tqdm import tqdm

from gpnerf.system.errors import DataError, GPNeRFError
from gpnerf.system.parallel import run_jobs
from gpnerf.system.scripting import StopRequest


@pytest.fixture
def stop() -> Iterator[StopRequest]:
    """Signals are as before after the test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield StopRequest()
    for number, handler in before.items():
        signal.signal(number, handler)


def count_down(job: int, tick: Callable[[], object], stopped: Callable[[], bool]) -> tuple[int, int]:
    """Takes `job` steps; returns the job and its process. 13 is a fault, 14 kills its process."""
    if job == 13:
        raise DataError("thirteen")
    if job == 14:
        os._exit(1)
    for _ in range(job):
        tick()
    return job, os.getpid()


def run(jobs: list[int], workers: int, stop: StopRequest) -> tuple[list[tuple[int, int] | None], int]:
    with tqdm(total=sum(jobs)) as bar:
        return run_jobs(count_down, jobs, workers, stop, bar), bar.n


def test_results_come_in_the_order_of_the_jobs_and_all_steps_are_shown(stop):
    results, steps = run([5, 1, 3], 2, stop)
    assert [job for job, _ in results] == [5, 1, 3] and steps == 9
    assert os.getpid() not in [process for _, process in results]


def test_one_worker_or_one_job_stays_in_this_process(stop):
    assert run([2, 3], 1, stop) == ([(2, os.getpid()), (3, os.getpid())], 5)
    assert run([4], 8, stop) == ([(4, os.getpid())], 4)
    assert run([], 8, stop) == ([], 0)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_fault_of_a_job_is_raised_here(stop, workers):
    with pytest.raises(DataError, match="thirteen"):
        run([1, 13, 2], workers, stop)


def test_the_death_of_a_process_is_a_sentence(stop):
    with pytest.raises(GPNeRFError, match="worker process died.*fewer --workers"):
        run([14, 14], 2, stop)


def test_a_stop_keeps_jobs_from_starting(stop):
    os.kill(os.getpid(), signal.SIGINT)
    assert stop.wanted
    assert run([1, 2], 1, stop)[0] == [None, None]
