"""Types of options: text of the command line -> a value, or a sentence that says what was expected."""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from gpnerf.media.video import LARGEST_SIDE
from gpnerf.system.errors import ConfigError

N = TypeVar("N", int, float)
REPOSITORY = Path(__file__).resolve().parent.parent.parent
# What gives the depth range of a scene, besides two numbers.
RANGES = SCENE, PUBLISHED = ("scene", "published")
# Choices of an option that a run may decide for itself.
WHEN = ("auto", "yes", "no")
# Numbers of the paper's tables that a run has a row in; Table 4 compares runs (scripts/reproduce.py).
TABLES = ("1", "2", "3")


def yes_or_no(text: str) -> bool:
    if text.lower() not in ("yes", "no", "true", "false"):
        raise ArgumentTypeError(f"expected yes or no, found {text!r}")
    return text.lower() in ("yes", "true")


def integers(text: str) -> tuple[int, ...]:
    """A comma-separated list of integers."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ArgumentTypeError(f"expected whole numbers such as 3,4,6, found {text!r}") from None


def names(text: str) -> tuple[str, ...]:
    """A comma-separated list of names; `3-5` stands for 3,4,5, and a .txt file for the names in its lines."""
    result: list[str] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        first, dash, last = part.partition("-")
        if dash and first.isdigit() and last.isdigit():
            result += [str(number) for number in range(int(first), int(last) + 1)]
        elif part.endswith(".txt"):
            result += _listed(part)
        else:
            result.append(part)
    return tuple(result)


def _listed(file: str) -> list[str]:
    """Reads the names in a list of scenes, without comments; a relative path may start at the repository."""
    path = next((path for path in (Path(file), REPOSITORY / file) if path.is_file()), None)
    if path is None:
        raise ArgumentTypeError(f"expected a file of scene names, found no {file}")
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def parse_frames(text: str) -> slice:
    """Parses START:STOP:STEP as in a Python slice (2:700:20, ::8). Raises ConfigError for anything else."""
    match = re.fullmatch(r"(\d*):(\d*)(?::(\d*))?", text.strip())
    if not match or match[3] == "0":
        raise ConfigError(
            f"Expected frames as START:STOP:STEP such as 2:700:20 or ::8, found {text!r}; correct the option."
        )
    return slice(*(int(part) if part else None for part in match.groups()))


def frames(text: str) -> str:
    """Checks START:STOP:STEP and returns it unchanged."""
    try:
        parse_frames(text)
    except ConfigError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


def image_size(text: str) -> tuple[int, int]:
    """(height, width) in pixels from HxW."""
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text.strip().lower())
    if match and max(map(int, match.groups())) <= LARGEST_SIDE:
        return int(match[1]), int(match[2])
    raise ArgumentTypeError(
        f"expected HEIGHTxWIDTH in pixels, up to {LARGEST_SIDE} each, such as 270x480, found {text!r}"
    )


def depth_range(text: str) -> str | tuple[float, float]:
    """One of RANGES, or (near, far) from NEAR,FAR."""
    if text in RANGES:
        return text
    try:
        near, far = map(float, text.split(","))
    except ValueError:
        near = far = math.nan
    if 0.0 < near < far < math.inf:
        return near, far
    raise ArgumentTypeError(
        f"expected {', '.join(RANGES)} or NEAR,FAR with 0 < NEAR < FAR such as 0.5,6, found {text!r}"
    )


def table_numbers(text: str) -> tuple[str, ...]:
    """A comma-separated list of the paper's tables, or all."""
    numbers = TABLES if text == "all" else tuple(part.strip() for part in text.split(",") if part.strip())
    if not set(numbers) <= set(TABLES):
        raise ArgumentTypeError(f"expected some of {','.join(TABLES)} or all, found {text!r}")
    return numbers


def some_of(*choices: str) -> Callable[[str], tuple[str, ...]]:
    """Makes the type of a comma-separated list of some choices."""

    def parse(text: str) -> tuple[str, ...]:
        chosen = tuple(filter(None, (part.strip() for part in text.split(","))))
        if not set(chosen) <= set(choices):
            raise ArgumentTypeError(f"expected some of {','.join(choices)}, found {text!r}")
        return chosen

    return parse


def check_multiple(whole: str, size: int, part: str, divisor: int) -> None:
    """Raises ConfigError if the option `whole` is no multiple of `part`."""
    if size % divisor:
        raise ConfigError(
            f"Expected {whole} to be a multiple of {part}, found {size} and {divisor}; change one."
        )


def positive(text: str) -> int:
    return _number(int, text, 1, "a whole number of at least 1")


def count(text: str) -> int:
    return _number(int, text, 0, "a whole number of at least 0")


def amount(text: str) -> float:
    return _number(float, text, 0, "a finite number of at least 0")


def share(text: str) -> float:
    number = _number(float, text, 0, "a number from 0 to 1")
    if number > 1:
        raise ArgumentTypeError(f"expected a number from 0 to 1, found {text!r}")
    return number


def above_zero(text: str) -> float:
    number = _number(float, text, 0, "a finite number above 0")
    if number == 0:
        raise ArgumentTypeError(f"expected a finite number above 0, found {text!r}")
    return number


def _number(kind: Callable[[str], N], text: str, least: int, expected: str) -> N:
    try:
        number = kind(text)
    except ValueError:
        number = math.nan
    if least <= number < math.inf:
        return number
    raise ArgumentTypeError(f"expected {expected}, found {text!r}")
