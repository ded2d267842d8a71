"""The chart of costs: points lie where their values say, and names are escaped."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from gpnerf.evaluation.page.scatter import Point, scatter

SVG = "{http://www.w3.org/2000/svg}"


def test_points_lie_where_their_values_say():
    points = [
        Point(0.1, 20.0, "cheap", "a"),
        Point(1.0, 40.0, "dear & <good>", "b"),
        Point(10.0, 60.0, "c", "a"),
    ]
    drawing = ElementTree.fromstring(scatter(points, "seconds", "mIoU"))
    circles = [one for one in drawing.iter(f"{SVG}circle") if one.get("r") == "9"]
    x, y = ([float(one.get(name)) for one in circles] for name in ("cx", "cy"))
    # Ratios of ten are equal steps on the logarithmic axis, and more is higher.
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.11) and y[0] > y[1] > y[2]
    assert y[0] - y[1] == pytest.approx(y[1] - y[2], abs=0.11)
    assert [one.get("class") for one in circles] == ["group-0", "group-1", "group-0"]
    words = [one.text for one in drawing.iter(f"{SVG}text")]
    assert "2. dear & <good>" in words and "seconds (log scale)" in words


def test_a_single_point_can_be_drawn():
    assert ElementTree.fromstring(scatter([Point(1.0, 5.0, "one", "a")], "seconds", "mIoU")) is not None
