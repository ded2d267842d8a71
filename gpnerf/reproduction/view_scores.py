"""views.csv: the scores of every view that stands in the tables, for statistics of one's own."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence

from gpnerf.evaluation.results import TITLES, ViewResult
from gpnerf.reproduction.plan import Row

DECIMALS = 4


def view_scores(
    rows: Iterable[Row], seeds: Sequence[int], views_of: Callable[[Row, int], Iterable[ViewResult]]
) -> str:
    """A line of csv for each row, seed and view, with the scores that any of the views has.

    views_of: the views of a row with a seed that are scored.
    """
    found = [(row, seed, view) for row in rows for seed in seeds for view in views_of(row, seed)]
    names = [name for name in TITLES if any(view.scores[name] is not None for *_, view in found)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", "seed", "scene", "view", *names])
    for row, seed, view in found:
        scores = (view.scores[name] for name in names)
        written = ["" if one is None else f"{one:.{DECIMALS}f}" for one in scores]
        writer.writerow([row.sentence_name, seed, view.scene, view.view, *written])
    return text.getvalue()
