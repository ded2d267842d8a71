"""A table of texts, and its form in markdown, csv, LaTeX and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev

from gpnerf.system.files import write_whole


@dataclass(frozen=True)
class Table:
    """Cells as text. A row whose first cell starts with "**" is emphasised; note: text below the rows."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    note: str = ""


def markdown(table: Table) -> str:
    """The table in markdown, with its title and note."""
    return f"### {table.title}\n\n{markdown_rows(table)}\n{table.note}\n"


def markdown_rows(table: Table) -> str:
    """The header and the rows in markdown, without title and note."""
    aligned = ["---", *["--:"] * (len(table.columns) - 1)]
    return "".join(f"| {' | '.join(row)} |\n" for row in (table.columns, aligned, *table.rows))


def latex(table: Table) -> str:
    """The table as a LaTeX tabular with the rules of booktabs."""
    columns = "l" + "r" * (len(table.columns) - 1)
    body = [" & ".join(map(_latex_cell, row)) + r" \\" for row in table.rows]
    header = " & ".join(map(_latex_cell, table.columns)) + r" \\"
    lines = [f"% {table.title}. {table.note}", rf"\begin{{tabular}}{{{columns}}}", r"\toprule", header]
    return "\n".join([*lines, r"\midrule", *body, r"\bottomrule", r"\end{tabular}", ""])


def write_table(folder: Path, name: str, table: Table, facts: Mapping[str, str]) -> None:
    """Writes name.md, .csv, .tex and .json; facts: how the rows were made (protocol, checkpoint, ...)."""
    made_by = facts_line(facts)
    write_whole(folder / f"{name}.md", f"{markdown(table)}\n{made_by}\n")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([table.columns, *([cell.strip("*") for cell in row] for row in table.rows)])
    write_whole(folder / f"{name}.csv", text.getvalue())
    write_whole(folder / f"{name}.tex", f"% {made_by}\n{latex(table)}")
    write_whole(
        folder / f"{name}.json", json.dumps({**asdict(table), "made_by": dict(facts)}, indent=1) + "\n"
    )


def mean_and_spread(values: Sequence[float | None], decimals: int, nothing: str) -> str:
    """The mean and, of several values, the standard deviation; `nothing` for no value or one that is None."""
    if not values or None in values:
        return nothing
    spread = f" ± {stdev(values):.{decimals}f}" if len(values) > 1 else ""
    return f"{fmean(values):.{decimals}f}{spread}"


def facts_line(facts: Mapping[str, object]) -> str:
    """The facts of an evaluation in one line."""
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def _latex_cell(cell: str) -> str:
    bold = cell.startswith("**")
    text = cell.strip("*")
    for special in "&%$#_{}":
        text = text.replace(special, f"\\{special}")
    return rf"\textbf{{{text}}}" if bold else text
