"""The speed of a row: measured once, by a few steps of its training and a rendered view, and kept."""

from __future__ import annotations

import logging
import shutil
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from gpnerf.evaluation.result_files import rendering_seconds
from gpnerf.reproduction.keys import pace_key
from gpnerf.reproduction.plan import GENERALIZED, Row
from gpnerf.reproduction.scripts import ScriptFailed, run_script_in
from gpnerf.reproduction.store import LOCK, Store, read_record, write_record
from gpnerf.system.errors import DataError
from gpnerf.system.lock import Lock
from gpnerf.system.usage import cost
from gpnerf.training.checkpoint import list_checkpoints, load_checkpoint

log = logging.getLogger("reproduce")

# A probe takes this many steps, or as many as fit into the time. The first part of them is not counted.
STEPS, UNCOUNTED, HOURS = 24, 8, 0.05
# Longer than any probe, so that it draws no picture.
NEVER = 10**9
POLL_SECONDS = 2.0


@dataclass(frozen=True)
class Pace:
    """Seconds of a training step and of a rendered view, as usage.cost counts them; the machine's name."""

    seconds_per_step: float
    seconds_per_view: float
    machine: str


def known_pace(store: Store, row: Row) -> Pace | None:
    """The speed of a row as the store has it. Raises DataError for a damaged record."""
    path = store.pace / f"{pace_key(row.options)}.json"
    found = read_record(path)
    if found is None:
        return None
    try:
        return Pace(**{one.name: found[one.name] for one in fields(Pace)})
    except KeyError as error:
        raise DataError(f"{path}: expected {error}, found none; remove the file.") from error


def measured_pace(store: Store, row: Row, scene: str) -> Pace:
    """The speed of a row, measured now if the store does not have it; several processes measure it once."""
    key = pace_key(row.options)
    lock = Lock(store.pace / f"{key}.{LOCK}")
    while not (found := known_pace(store, row)):
        if not lock.take():
            time.sleep(POLL_SECONDS)
            continue
        with lock:
            if known_pace(store, row):
                continue
            log.info(f"Measuring the speed of {row.sentence_name}.")
            write_record(store.pace / f"{key}.json", asdict(_probe(store.pace, key, row, scene, lock)))
            shutil.rmtree(store.pace / key)
    return found


def _probe(root: Path, key: str, row: Row, scene: str, lock: Lock) -> Pace:
    """Trains a few steps from fresh weights and renders a view."""
    folder = root / key
    # A probe that was stopped starts anew.
    shutil.rmtree(folder, ignore_errors=True)
    place = ["--out", str(root), "--expname", key, "--test_scenes", scene]
    own = [] if row.setting == GENERALIZED else ["--train_scenes", scene]
    few = {"steps": STEPS, "checkpoint_every": UNCOUNTED, "picture_every": NEVER, "max_hours": HOURS}
    words = [*row.words, *place, *own, "--load_weights", "", *_as_words(few)]
    try:
        run_script_in(folder, "train.py", words, lock)
    except ScriptFailed:
        # Its time may be over; then it has a checkpoint.
        if not list_checkpoints(folder):
            raise
    run_script_in(folder, "eval.py", [*row.words, *place, "--test_limit", "1"], lock)
    seconds, machine = _seconds_per_step(folder)
    return Pace(seconds, rendering_seconds(folder / "eval") or 0.0, machine)


def _as_words(options: dict[str, float]) -> list[str]:
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]


def _seconds_per_step(folder: Path) -> tuple[float, str]:
    """From the first checkpoint to the last, or from the start if there is one alone; and the machine."""
    first, last = (load_checkpoint(list_checkpoints(folder)[number]) for number in (0, -1))
    steps, spent = last.step - first.step, cost(last.options["usage"])
    if not steps:
        return spent / last.step, last.numerics.machine
    return (spent - cost(first.options["usage"])) / steps, last.numerics.machine
