"""Options as fields of frozen dataclasses: declared once, where they are read."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _ArgumentGroup
from collections.abc import Callable, Sequence
from dataclasses import field, fields
from typing import Any, TypeVar

T = TypeVar("T")


def option(
    default: Any,
    help: str,
    type: Callable[[str], Any] | None = None,
    choices: Sequence[str] | None = None,
    may_change: bool = False,
    before: Any = None,
) -> Any:
    """Declares a dataclass field that is also the option --NAME.

    type: converts the text, as in argparse; None for text and choices. may_change: a run may resume with
    another value. before: value in checkpoints that were written before the option existed, if that is not
    the default.
    """
    given = {"help": help, "type": type, "choices": choices}
    argument = {key: value for key, value in given.items() if value is not None}
    return field(default=default, metadata={"argument": argument, "may_change": may_change, "before": before})


def option_names(kind: type) -> list[str]:
    """Names of the fields of a dataclass that are options."""
    return [one.name for one in fields(kind) if "argument" in one.metadata]


def changeable_names(kind: type) -> list[str]:
    """Names of the options with which a run may resume even if their values differ."""
    return [one.name for one in fields(kind) if one.metadata.get("may_change")]


def values_before(kind: type) -> dict[str, Any]:
    """The values of options in checkpoints that do not hold them, where these are not the defaults."""
    found = {one.name: one.metadata.get("before") for one in fields(kind)}
    return {name: value for name, value in found.items() if value is not None}


def add_options(parser: ArgumentParser, title: str, *kinds: type) -> _ArgumentGroup:
    """Adds a group with the options of some dataclasses, and returns it."""
    group = parser.add_argument_group(title)
    for kind in kinds:
        for one in fields(kind):
            if "argument" in one.metadata:
                group.add_argument(f"--{one.name}", default=one.default, **one.metadata["argument"])
    return group


def from_options(kind: type[T], options: Namespace, **given: Any) -> T:
    """Fills a dataclass from the options named like its fields; values in `given` are used instead.

    A field that no option has keeps its default.
    """
    stated = {one.name: getattr(options, one.name) for one in fields(kind) if one.name in options}
    return kind(**{**stated, **given})
