"""The number of steps of a row: from its config, or as many as a budget of minutes allows."""

from __future__ import annotations

from gpnerf.reproduction.keys import SCALED
from gpnerf.reproduction.plan import Row
from gpnerf.system.errors import ConfigError

SECONDS = 60.0
# Leading digits of a number of steps that are kept.
KEPT_DIGITS = 2


def schedule(row: Row, seconds_per_step: float) -> tuple[str, ...]:
    """The options that set the number of steps of a row, so that a training takes row.minutes.

    Options that count steps of the learning rate's schedule change in proportion. Raises ConfigError for a
    budget in which no step fits.
    """
    if not row.minutes:
        return ()
    steps = _rounded(int(SECONDS * row.minutes / seconds_per_step))
    if not steps:
        raise ConfigError(
            f"{row.sentence_name}: expected a budget of at least {seconds_per_step / SECONDS:.2g} minutes, "
            f"which a step and its checkpoint take, found {row.minutes:g}; raise it."
        )
    scale = steps / row.options.steps
    values = {name: getattr(row.options, name) for name in SCALED}
    scaled = {name: max(1, round(scale * value)) for name, value in values.items() if value}
    words = {"steps": steps, **scaled}
    return tuple(word for name, value in words.items() for word in (f"--{name}", str(value)))


def steps_of(row: Row, words: tuple[str, ...]) -> int:
    """The number of steps that these options of `schedule` mean."""
    return int(words[1]) if words else row.options.steps


def _rounded(steps: int) -> int:
    """The number without all but its leading digits, so that it can be read and typed."""
    unit = 10 ** max(0, len(str(steps)) - KEPT_DIGITS)
    return steps // unit * unit
