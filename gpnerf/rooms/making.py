"""Makes rooms in several processes; a folder appears only when its room is complete."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import torch
from tqdm import tqdm

from gpnerf.rooms.shots import Job


def make_all(make: Callable[[Job], None], jobs: Sequence[Job], workers: int) -> None:
    """Calls the picklable `make` with every job, `workers` at a time, with a progress bar."""
    if not jobs:
        return
    with tqdm(total=len(jobs), desc="Making rooms", unit="room") as progress:
        if min(workers, len(jobs)) <= 1:
            for job in jobs:
                make(job)
                progress.update()
            return
        with multiprocessing.get_context("spawn").Pool(min(workers, len(jobs)), _start_worker) as pool:
            for _ in pool.imap_unordered(make, jobs):
                progress.update()


def write_folder(folder: Path, write: Callable[[Path], None], is_whole: Callable[[], bool]) -> None:
    """Lets `write` fill a temporary folder, which is renamed to `folder` when it is complete.

    is_whole: tells whether another process has completed `folder` by then, which is then kept.
    """
    partial = folder.with_name(f"{folder.name}.partial{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        write(partial)
        if not is_whole():
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _start_worker() -> None:
    """Gives a worker one thread, as more would compete for the same cores; leaves Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
