"""HTML and SVG from nested calls. Text is escaped unless it was made here."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

VOID = {"img", "input", "link", "meta"}

Attribute = str | int | float | bool | None


class Html(str):
    """Text that is markup already; every other str is data, and escaped."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: Attribute) -> Html:
    """<name attributes>children</name>.

    Attributes are written in Python's spelling: class_="x", aria_label="y". True stands for an attribute
    without a value, False and None for none at all.
    """
    start = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    return Html(start if name in VOID else f"{start}{joined(children)}</{name}>")


def joined(parts: Iterable[str], separator: str = "") -> Html:
    """Parts one after the other; those that are not Html are escaped."""
    return Html(separator.join(part if isinstance(part, Html) else escape(part) for part in parts))


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
