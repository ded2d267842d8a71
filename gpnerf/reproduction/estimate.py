"""How long the empty cells of a store will take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gpnerf.config.fields import from_options
from gpnerf.datasets.run_scenes import test_views
from gpnerf.datasets.views import FrameRule
from gpnerf.evaluation.table import Table
from gpnerf.reproduction.keys import DataVersions
from gpnerf.reproduction.pace import Pace
from gpnerf.reproduction.plan import Row
from gpnerf.reproduction.runs import Cell, cells_by_run
from gpnerf.reproduction.schedules import steps_of
from gpnerf.reproduction.store import Store

HOUR, MINUTE = 3600.0, 60.0


@dataclass
class Work:
    """What is to be done for a row: trainings, views to render, and the seconds that these take."""

    trainings: int = 0
    views: int = 0
    training_seconds: float = 0.0
    view_seconds: float = 0.0


def estimate(
    store: Store,
    cells: Iterable[Cell],
    paces: Mapping[Row, Pace],
    schedules: Mapping[Row, tuple[str, ...]],
    data: DataVersions,
) -> Table:
    """A row per row of the plan, and their sum in hours."""
    work: dict[Row, Work] = {}
    for run, own in cells_by_run(cells).items():
        if not store.training(run.name):
            one, pace = work.setdefault(run.row, Work()), paces[run.row]
            one.trainings += 1
            one.training_seconds += steps_of(run.row, schedules[run.row]) * pace.seconds_per_step
        for cell in own:
            if not store.cell(run.name, cell.folder):
                one, views = work.setdefault(cell.row, Work()), _views(cell, data)
                one.views += views
                one.view_seconds += views * paces[cell.row].seconds_per_view
    lines = [_line(row, one, steps_of(row, schedules[row])) for row, one in work.items()]
    total = sum(one.training_seconds + one.view_seconds for one in work.values()) / HOUR
    titles = ["row", "trainings", "steps each", "core-minutes", "views", "minutes of rendering"]
    return Table(
        "Estimate", titles, lines, f"About {total:.2f} hours on one core or GPU, besides starting scripts."
    )


def _line(row: Row, work: Work, steps: int) -> list[str]:
    counts = [str(work.trainings), f"{steps:,}", f"{work.training_seconds / MINUTE:.1f}"]
    return [row.sentence_name, *counts, str(work.views), f"{work.view_seconds / MINUTE:.1f}"]


def _views(cell: Cell, data: DataVersions) -> int:
    options = cell.row.options
    return len(test_views([data.scene(options, cell.scene)], from_options(FrameRule, options)))
