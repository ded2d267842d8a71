"""JSON objects whose values are checked as they are read."""

from __future__ import annotations

import json
import math
import reprlib
from pathlib import Path
from typing import Any

from gpnerf.system.errors import DataError

# Bounds of lengths, pixels and units; numbers beyond them overflow or underflow in float32 arithmetic.
LARGEST = 1e9
SMALLEST_POSITIVE = 1e-9
LONGEST_TEXT = 200


def read_json_object(path: Path) -> dict[str, Any]:
    """Reads the object in a JSON file; DataError if there is none."""
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{path}: expected JSON, found an error in it ({error}); correct the file."
        ) from error
    if not isinstance(values, dict):
        raise DataError(f"{path}: expected a JSON object, found a {type(values).__name__}; correct the file.")
    return values


def printable(value: object) -> str:
    """Makes a value that was read from a file fit into a message: one line of at most 200 characters."""
    text = value if isinstance(value, str) else reprlib.repr(value)
    return repr(text)[1:-1][:LONGEST_TEXT]


class Record:
    """A JSON object whose values are checked when they are read; null counts as absent.

    place: file and position, for messages. number(), positive(), integer(), text(), inner() and inner_list()
    raise DataError for a value of another kind or out of range.
    """

    def __init__(self, place: str, values: dict[str, Any]) -> None:
        self.place = place
        self.values = values

    def fault(self, key: str, expected: str, remedy: str = "correct the file") -> DataError:
        """Makes (does not raise) the error of a key's value."""
        found = reprlib.repr(self.values[key]) if key in self.values else "no such key"
        return DataError(f"{self.place}: expected '{key}' to be {expected}, found {found}; {remedy}.")

    def number(self, key: str, default: float | None = None) -> float | None:
        value = self.values.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < math.inf:
            raise self.fault(key, "a finite number")
        if abs(value) > LARGEST:
            raise self.fault(key, f"a number from {-LARGEST:g} to {LARGEST:g}")
        return float(value)

    def positive(self, key: str, default: float | None = None) -> float | None:
        value = self.number(key, default)
        if value is not None and value < SMALLEST_POSITIVE:
            raise self.fault(key, "positive" if value <= 0.0 else f"at least {SMALLEST_POSITIVE:g}")
        return value

    def integer(self, key: str, default: int, lowest: int, highest: int) -> int:
        value = self.number(key, default)
        if value != int(value) or not lowest <= value <= highest:
            raise self.fault(key, f"a whole number from {lowest} to {highest}")
        return int(value)

    def text(self, key: str) -> str | None:
        value = self.values.get(key)
        if value is not None and (not isinstance(value, str) or not value):
            raise self.fault(key, "a non-empty text")
        return value

    def inner(self, key: str) -> Record:
        """The object of a key; an empty one if it is absent."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, dict):
            raise self.fault(key, "an object")
        return Record(f"{self.place}, {printable(key)}", value or {})

    def inner_list(self, key: str) -> list[Record]:
        """The objects in the list of a key; none if it is absent."""
        values = self.values.get(key) or []
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            raise self.fault(key, "a list of objects")
        return [Record(f"{self.place}, {printable(key)} {number}", one) for number, one in enumerate(values)]
