"""How a report was made, and its tables of scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gpnerf.evaluation.page.content import Table
from gpnerf.evaluation.page.markup import Html, element, joined

COMMAND = "command"
EMPHASIS = "**"
# Characters; longer facts get a line of their own.
LONG = 36


def facts_list(facts: Mapping[str, str]) -> Html:
    """Names and values; the command, in a box of its own, comes last."""
    pairs = [
        element(
            "div", element("dt", name), element("dd", value), class_="long" if len(value) > LONG else None
        )
        for name, value in facts.items()
        if name != COMMAND
    ]
    if COMMAND in facts:
        code = element("pre", element("code", facts[COMMAND]), tabindex=0, role="region", aria_label=COMMAND)
        pairs.append(element("div", element("dt", COMMAND), element("dd", code), class_="long command"))
    return element("dl", *pairs, class_="facts")


def score_tables(tables: Sequence[Table]) -> Html:
    return joined(_table(table, f"table-{number}") for number, table in enumerate(tables, 1))


def _table(table: Table, name: str) -> Html:
    heads = [element("th", column, scope="col") for column in table.columns]
    content = element(
        "table",
        element("caption", table.title, id=name),
        element("thead", element("tr", *heads)),
        element("tbody", *map(_row, table.rows)),
        class_="scores-table",
    )
    # Focusable, so that a table wider than the window can be scrolled with the arrow keys.
    box = element("div", content, class_="scroll", tabindex=0, role="region", aria_labelledby=name)
    return joined([box, element("p", table.note, class_="note")] if table.note else [box])


def _row(cells: Sequence[str]) -> Html:
    first, *others = cells
    emphasised = first.startswith(EMPHASIS)
    head = element("th", first.strip("*") if emphasised else first, scope="row")
    return element("tr", head, *(element("td", cell) for cell in others), class_=emphasised and "total")
