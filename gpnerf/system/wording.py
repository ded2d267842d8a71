"""Parts of sentences that several messages share."""

from __future__ import annotations

from collections.abc import Iterable

LISTED = 10


def some(things: Iterable[object], most: int = LISTED) -> str:
    """The first few of many numbers or names, and how many more there are."""
    things = list(things)
    rest = f" and {len(things) - most} more" if len(things) > most else ""
    return ", ".join(map(str, things[:most])) + rest
