"""Names and texts of scores, and the ranks of views by each score."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from gpnerf.evaluation.page.content import ViewEntry
from gpnerf.evaluation.results import TITLES

LOWER_IS_BETTER = {"lpips", "lpips_as_published", "depth_abs_rel", "depth_rmse"}
BY_NAME = "name"


def score_name(key: str) -> str:
    return TITLES.get(key, key)


def score_text(key: str, value: float | None) -> str:
    """A score as text: two decimals for PSNR, three for the rest, a dash for None."""
    if value is None:
        return "–"
    return f"{value:.{2 if key.startswith('psnr') else 3}f}"


def score_keys(views: Sequence[ViewEntry]) -> list[str]:
    """The scores that at least one view has, in order of appearance."""
    return list(
        dict.fromkeys(key for view in views for key, value in view.scores.items() if value is not None)
    )


def ranks(views: Sequence[ViewEntry]) -> list[dict[str, int]]:
    """The rank of each view by every score that it has (0: the worst), and by scene and name.

    Numbers in names are ordered by value: view 9 comes before view 10.
    """
    places: list[dict[str, int]] = [{} for _ in views]
    by_name = sorted(
        range(len(views)), key=lambda index: (natural(views[index].scene), natural(views[index].view))
    )
    for place, index in enumerate(by_name):
        places[index][BY_NAME] = place
    for key in score_keys(views):
        sign = -1.0 if key in LOWER_IS_BETTER else 1.0
        known = [index for index in by_name if _known(views[index].scores.get(key))]
        known.sort(key=lambda index: sign * views[index].scores[key])
        for place, index in enumerate(known):
            places[index][key] = place
    return places


def _known(value: float | None) -> bool:
    return value is not None and not math.isnan(value)


def natural(text: str) -> list[tuple[float, str]]:
    """A sort key for text that orders the numbers in it by value, and numbers before letters."""
    parts = re.split(r"(\d+)", text)
    return [(int(part), "") if part.isdecimal() else (math.inf, part) for part in parts if part]
