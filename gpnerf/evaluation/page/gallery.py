"""The rendered views in their order, with the scores and scenes by which a reader orders and filters them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gpnerf.evaluation.page.content import Report, ViewEntry
from gpnerf.evaluation.page.pictures import PAIRS
from gpnerf.evaluation.page.ranking import BY_NAME, natural, ranks, score_keys

Pair = tuple[str, str]


@dataclass(frozen=True)
class RankedView:
    """A view and its rank.

    places: 0 for the worst of all views, by score. pairs: keys of two pictures that can be compared.
    """

    entry: ViewEntry
    places: dict[str, int]
    pairs: list[Pair]


@dataclass(frozen=True)
class Gallery:
    """All views, the worst first.

    keys: the scores that the views have. scenes: their names. pairs: of pictures that can be compared.
    """

    views: list[RankedView]
    keys: list[str]
    scenes: list[str]
    pairs: list[Pair]


def gallery(report: Report) -> Gallery | None:
    """All views, the worst by `report.worst_by` first; None without a view."""
    if not report.views:
        return None
    last = len(report.views)
    views = [
        RankedView(view, places, _pairs_of([view]))
        for view, places in zip(report.views, ranks(report.views), strict=True)
    ]
    views.sort(key=lambda view: (view.places.get(report.worst_by, last), view.places[BY_NAME]))
    scenes = sorted({view.scene for view in report.views}, key=natural)
    return Gallery(views, score_keys(report.views), scenes, _pairs_of(report.views))


def _pairs_of(views: Sequence[ViewEntry]) -> list[Pair]:
    return [pair for pair in PAIRS if any(set(pair) <= set(view.pictures) for view in views)]
