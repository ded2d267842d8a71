"""A chart of points, such as cost against quality, as an SVG file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gpnerf.evaluation.page.axes import Axis
from gpnerf.evaluation.page.document import environment

# Units of the drawing, about pixels. Names stand to the right of the chart, a line each.
LEFT, RIGHT, TOP, BOTTOM = 60, 460, 16, 340
NAMES_AT, LINE, BELOW, WIDTH = 500, 17, 46, 900
# Points keep away from the axes by this share of the chart.
MARGIN = 0.05


class Point(NamedTuple):
    """A point, its name and the group whose colour it has."""

    x: float
    y: float
    name: str
    group: str


@dataclass(frozen=True)
class Place:
    """Where a point and its name are drawn, and the number of its group."""

    x: float
    y: float
    name_y: float
    name: str
    group: int


def scatter(points: Sequence[Point], x_title: str, y_title: str) -> str:
    """Draws one or more finite points with their numbers; returns the text of the SVG file."""
    width, height = MARGIN * (RIGHT - LEFT), MARGIN * (BOTTOM - TOP)
    x = Axis.fit([point.x for point in points], LEFT + width, RIGHT - width, allow_log=True)
    y = Axis.fit([point.y for point in points], BOTTOM - height, TOP + height)
    groups = list(dict.fromkeys(point.group for point in points))
    places = [
        Place(x.at(one.x), y.at(one.y), TOP + LINE * (number + 1), one.name, groups.index(one.group))
        for number, one in enumerate(points)
    ]
    bottom = max(BOTTOM + BELOW, TOP + LINE * (len(points) + len(groups) + 2))
    return (
        environment()
        .get_template("scatter.svg")
        .render(
            places=places,
            groups=[(name, TOP + LINE * (len(points) + 2 + number)) for number, name in enumerate(groups)],
            axes=(x, y),
            titles=(x_title, y_title),
            frame=(LEFT, RIGHT, TOP, BOTTOM),
            names_at=NAMES_AT,
            view_box=f"0 0 {WIDTH} {bottom}",
        )
    )
