"""Fills the cells of a store: trains and evaluates what is missing, once, whoever else works on the store."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import asdict
from functools import partial

import torch

from gpnerf.evaluation.label_scoring import joint_origin
from gpnerf.evaluation.result_files import read_results, rendering_seconds
from gpnerf.methods.settings import Settings
from gpnerf.reproduction.runs import Cell, Run, cells_by_run
from gpnerf.reproduction.scripts import ScriptFailed, run_script_in
from gpnerf.reproduction.store import CELL, LOCK, TRAINING, Store, write_record
from gpnerf.system.errors import Faults
from gpnerf.system.lock import Lock
from gpnerf.system.scripting import make_folder
from gpnerf.training.checkpoint import load_checkpoint

log = logging.getLogger("reproduce")

POLL_SECONDS = 10.0


def fill(store: Store, cells: Iterable[Cell]) -> Faults:
    """Fills the cells that are empty, run by run; returns the faults of scripts that failed.

    Leaves out runs at which another process works, but waits for those from which one of its own starts.
    """
    faults, pending = Faults(), cells_by_run(cells)
    while pending:
        ready = [run for run in pending if run.start is None or store.training(run.start.name)]
        settled = [run for run in ready if _settle(store, run, pending[run], faults)]
        for run in settled:
            del pending[run]
        hopeless = [run for run in pending if _starts_from_nothing(store, run, pending)]
        for run in hopeless:
            log.info(f"{run.row.sentence_name} is left out, because the run from which it starts failed.")
            del pending[run]
        if not settled and not hopeless:
            if len(ready) == len(pending):
                break
            time.sleep(POLL_SECONDS)
    for run in pending:
        log.info(f"Another process works at {store.run(run.name)}; run this again for the tables.")
    return faults


def _starts_from_nothing(store: Store, run: Run, pending: Container[Run]) -> bool:
    """Whether the run from which this one starts was given up."""
    return run.start is not None and run.start not in pending and not store.training(run.start.name)


def _settle(store: Store, run: Run, cells: Sequence[Cell], faults: Faults) -> bool:
    """Finishes a run and its cells, or notes why that failed; returns false if another process has it."""
    if not _missing(store, run, cells):
        return True
    lock = Lock(make_folder(store.run(run.name)) / LOCK)
    if not lock.take():
        return False
    with lock:
        # Once more, as another process may have finished some of it meanwhile.
        for work in _missing(store, run, cells):
            try:
                work(lock)
            except ScriptFailed as error:
                faults.add(f"{run.row.sentence_name}, seed {run.seed}: {error}")
                if not store.training(run.name):
                    break
    return True


def _missing(store: Store, run: Run, cells: Sequence[Cell]) -> list[Callable[[Lock], None]]:
    """What is to be done for a run: its training, and the evaluations of its cells."""
    work = [] if store.training(run.name) else [partial(_train, store, run)]
    empty = [cell for cell in cells if not store.cell(run.name, cell.folder)]
    return [*work, *(partial(_evaluate, store, cell) for cell in empty)]


def _train(store: Store, run: Run, lock: Lock) -> None:
    folder, arguments = store.run(run.name), run.arguments(store.runs)
    run_script_in(folder, "train.py", arguments, lock)
    checkpoint = load_checkpoint(folder)
    start = store.training(run.start.name) if run.start else None
    record = {
        "key": run.key,
        "arguments": arguments,
        "method": checkpoint.settings.method,
        "steps": checkpoint.step,
        "parameters": _parameters(checkpoint.settings),
        "usage": checkpoint.options["usage"],
        "start": start and {"key": start["key"], "usage": start["usage"]},
        "commit": checkpoint.options["commit"],
        "numerics": asdict(checkpoint.numerics),
    }
    write_record(folder / TRAINING, record)


def _parameters(settings: Settings) -> int:
    with torch.device("meta"):
        return sum(one.numel() for one in settings.build().parameters())


def _evaluate(store: Store, cell: Cell, lock: Lock) -> None:
    name, arguments = cell.run.name, cell.arguments(store.runs)
    folder = store.run(name) / cell.folder
    start = time.monotonic()
    run_script_in(folder, "eval.py", arguments, lock)
    found = read_results(folder / "eval")
    if found is None:
        raise ScriptFailed(f"eval.py wrote no results to {folder / 'eval'}; remove that folder.")
    (scene,) = found.scenes
    record = {
        "key": cell.key,
        "arguments": arguments,
        "scene": scene.scene,
        "seed": cell.run.seed,
        "views": scene.views,
        "scores": scene.scores,
        "seconds": time.monotonic() - start,
        "seconds_per_view": rendering_seconds(folder / "eval"),
        "protocol": found.facts["protocol"],
        "commit": found.facts["commit"],
        **joint_origin([found.facts]),
        "training": store.training(name),
    }
    write_record(folder / CELL, record)
