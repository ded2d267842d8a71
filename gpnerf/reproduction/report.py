"""What the cells of a store show: tables, costs, tests of claims, and the scores of every view."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from gpnerf.evaluation.page.scatter import scatter
from gpnerf.evaluation.result_files import read_results
from gpnerf.evaluation.results import ViewResult
from gpnerf.evaluation.table import Table, markdown, write_table
from gpnerf.reproduction.claims import Claim, Views, claims_table
from gpnerf.reproduction.costs import AXES, cost_points
from gpnerf.reproduction.plan import Plan, Row
from gpnerf.reproduction.runs import Cells
from gpnerf.reproduction.store import Store
from gpnerf.reproduction.tables import make_table
from gpnerf.reproduction.view_scores import view_scores
from gpnerf.system.files import write_whole

log = logging.getLogger("reproduce")


class Report:
    """Reads the cells of a plan's rows from a store, and writes its tables there.

    cells: makes cells of the rows whose speed is known. command(numbers, titles): fills the cells of these
    tables, in the rows with these titles or in all. used: the records of all cells that stand in tables.
    """

    def __init__(
        self,
        plan: Plan,
        seeds: Sequence[int],
        store: Store,
        cells: Cells,
        command: Callable[..., str],
    ) -> None:
        self.plan, self.seeds, self.store, self.cells, self.command = plan, seeds, store, cells, command
        self.used: list[Mapping[str, Any]] = []

    def write(self, numbers: Sequence[str], claims: Sequence[Claim]) -> None:
        """Writes the tables with these numbers, and the test of the claims, if there are any."""
        folder = self.store.tables
        for number in numbers:
            table = make_table(number, self.plan, self.seeds, self._record, partial(self.command, number))
            self._write(f"table_{number}", table, number)
        points = cost_points(self.plan, self.seeds, self._record)
        if points:
            write_whole(folder / "costs.svg", scatter(points, *AXES))
        if claims:
            every = ",".join(numbers)
            self._write("claims", claims_table(claims, self.seeds, self._scores, self.command(every)), every)
        write_whole(folder / "views.csv", view_scores(self.plan.rows, self.seeds, self._views))
        log.info(f"The tables are in {folder}.")

    def _record(self, row: Row, seed: int, scene: str) -> Mapping[str, Any] | None:
        """The record of a cell; None if it is missing."""
        if not {row, row.start or row} <= self.cells.schedules.keys():
            return None
        cell = self.cells.cell(row, seed, scene)
        found = self.store.cell(cell.run.name, cell.folder)
        self.used += [found] if found else []
        return found

    def _views(self, row: Row, seed: int) -> list[ViewResult]:
        """The views of a row with a seed; none while a cell of it is missing."""
        if not all(self._record(row, seed, scene) for scene in self.plan.scenes):
            return []
        cells = [self.cells.cell(row, seed, scene) for scene in self.plan.scenes]
        results = [read_results(self.store.run(cell.run.name) / cell.folder / "eval") for cell in cells]
        return [view for one in results if one for view in one.views]

    def _scores(self, row: Row, seed: int, name: str) -> Views:
        """One score of the views that have it."""
        found = {(view.scene, view.view): view.scores[name] for view in self._views(row, seed)}
        return {view: value for view, value in found.items() if value is not None}

    def _write(self, name: str, table: Table, numbers: str) -> None:
        write_table(self.store.tables, name, table, self._facts(numbers))
        sys.stdout.write(f"{markdown(table)}\n")

    def _facts(self, numbers: str) -> dict[str, str]:
        """How the cells of the tables were made."""

        def of(values: Iterable[str]) -> str:
            return " and ".join(sorted(set(values))) or "none"

        trained = [cell["training"] for cell in self.used]
        return {
            "protocol": of(cell["protocol"] for cell in self.used),
            "dataset": of(row.options.dataset for row in self.plan.rows),
            "scenes": ",".join(self.plan.scenes),
            "commits": of([*(one["commit"] for one in trained), *(cell["commit"] for cell in self.used)]),
            "machines": of(one["numerics"]["machine"] for one in trained),
            "torch": of(one["numerics"]["torch"] for one in trained),
            "command": self.command(numbers),
        }
