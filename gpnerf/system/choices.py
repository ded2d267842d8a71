"""Times alternatives once per machine and stores the answer, so that the same command always chooses alike.

An answer is a file in $GPNERF_CACHE/choices (see files.cache_folder). Without it, the next run times again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from gpnerf.system.files import cache_folder, write_once

log = logging.getLogger(__name__)

# Timed rounds over all candidates, after one untimed run of each; no round starts after PATIENCE_S seconds.
ROUNDS, PATIENCE_S = 3, 3.0
# A candidate replaces the plain one only if it is at least this many times as fast.
WORTH_CHANGING = 1.15


def timed(question: str, facts: Sequence[object], candidates: Mapping[str, Callable[[], object]]) -> dict:
    """Returns the seconds that each candidate takes, by name: stored ones for equal facts, else timed now.

    If several runs time at once, all of them use the answer that is stored first.
    question: first part of the file's name. facts: everything that the answer depends on, as JSON values.
    """
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    path = cache_folder() / "choices" / f"{question}_{key}.json"
    seconds = _remembered(path, candidates)
    if seconds is None:
        seconds = _in_turn(candidates)
        try:
            write_once(path, json.dumps({"seconds": seconds, "facts": facts}, indent=1))
            seconds = _remembered(path, candidates) or seconds
        except OSError as error:
            log.warning(
                f"{path} cannot be written ({error.strerror}), so the next run times again and may choose "
                "differently; set GPNERF_CACHE to a folder that can be written to."
            )
    return seconds


def _remembered(path: Path, candidates: Mapping[str, Callable[[], object]]) -> dict[str, float] | None:
    try:
        seconds = json.loads(path.read_text())["seconds"]
        return {name: float(seconds[name]) for name in candidates}
    except OSError:
        return None
    except (ValueError, KeyError, TypeError):
        _remove_damaged(path)
        return None


def _remove_damaged(path: Path) -> None:
    """Removes a damaged answer, because write_once would keep it instead of the next one."""
    with suppress(OSError):
        path.unlink()


def _in_turn(candidates: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Returns the shortest time of each candidate in seconds."""
    for run in candidates.values():
        run()
    fastest = dict.fromkeys(candidates, float("inf"))
    end = time.perf_counter() + PATIENCE_S
    for _ in range(ROUNDS):
        for name, run in candidates.items():
            start = time.perf_counter()
            run()
            fastest[name] = min(fastest[name], time.perf_counter() - start)
        if time.perf_counter() > end:
            break
    return fastest
