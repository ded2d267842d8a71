"""What a labelled view costs against how good its labels are: the rows of Table 1 as points."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from gpnerf.evaluation.page.scatter import Point
from gpnerf.reproduction.plan import LABELS_TABLE, Plan
from gpnerf.reproduction.tables import PERCENT, Lookup

AXES = "core-seconds of a view", "mIoU, %"


def cost_points(plan: Plan, seeds: Sequence[int], lookup: Lookup) -> list[Point]:
    """A point for each row whose cells all have seconds and a mIoU: means over them."""
    points = []
    for row in (row for row in plan.rows if LABELS_TABLE in row.tables):
        cells = [lookup(row, seed, scene) for seed in seeds for scene in plan.scenes]
        # Means over fewer scenes or seeds would not compare with those of other rows.
        if None in cells:
            continue
        seconds = [cell["seconds_per_view"] for cell in cells]
        mious = [cell["scores"].get("miou") for cell in cells]
        if None not in (*seconds, *mious):
            policy = f", {row.options.view_metric}" if row.options.num_source_views else ""
            points.append(Point(fmean(seconds), PERCENT * fmean(mious), f"{row.title}{policy}", row.setting))
    return points
