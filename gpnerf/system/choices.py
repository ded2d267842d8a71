"""What is faster on this machine: timed once, and remembered, so that the same command always decides alike.

An answer is a file of $GPNERF_CACHE/choices (see files.cache_folder). Without it, the next run times anew.
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

# Of each candidate, in turn, after a first time that does not count; fewer where they take long.
ROUNDS, PATIENCE_S = 3, 3.0
# As many times as fast as the plain candidate must another one be to be chosen.
WORTH_CHANGING = 1.15


def timed(question: str, facts: Sequence[object], candidates: Mapping[str, Callable[[], object]]) -> dict:
    """The seconds that each candidate takes, by its name: those remembered for equal facts, else timed now.

    Of several runs that time at once, all take the answer of the one that is ready first.
    question: a name for the file. facts: all that the answer depends on, as JSON values.
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
                f"{path} cannot be written ({error.strerror}): the next run times again and may choose "
                "otherwise; name a folder that can with GPNERF_CACHE."
            )
    return seconds


def _remembered(path: Path, candidates: Mapping[str, Callable[[], object]]) -> dict[str, float] | None:
    try:
        seconds = json.loads(path.read_text())["seconds"]
        return {name: float(seconds[name]) for name in candidates}
    except OSError:
        return None
    except (ValueError, KeyError, TypeError):
        _make_room(path)
        return None


def _make_room(path: Path) -> None:
    """Removes a damaged answer, which would stay in the place of the next one."""
    with suppress(OSError):
        path.unlink()


def _in_turn(candidates: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """The shortest time of each."""
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
