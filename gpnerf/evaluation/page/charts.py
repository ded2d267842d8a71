"""Training curves as lines on the axes of small charts that share one look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpnerf.evaluation.page.axes import Axis
from gpnerf.evaluation.page.content import Curve

# Units of the drawing, about pixels.
WIDTH, HEIGHT = 340, 200
LEFT, RIGHT, TOP, BOTTOM = 46, 332, 8, 164
# What a reader looks for first.
FIRST = ("loss", "psnr")
# Longer curves get a moving mean over this share of their points.
SMOOTHED_FROM = 60
WINDOW_SHARE = 20


@dataclass(frozen=True)
class Line:
    """How a curve is drawn.

    path: SVG's path data, of the values or, where they are many, of their moving mean over `raw`; dots:
    places (x, y) of few values.
    """

    curve: Curve
    path: str
    raw: str = ""
    dots: Sequence[tuple[float, float]] = ()

    @property
    def place(self) -> str:
        """Where it was measured: training, held out."""
        return self.curve.name.rpartition("/")[0].replace("_", " ")

    @property
    def lost(self) -> int:
        """How many values cannot be drawn."""
        return sum(not math.isfinite(value) for value in self.curve.values)


@dataclass(frozen=True)
class Chart:
    """One quantity over the steps of training."""

    title: str
    x: Axis
    y: Axis
    lines: list[Line]
    view_box: str = f"0 0 {WIDTH} {HEIGHT}"


def charts(curves: Sequence[Curve]) -> list[Chart]:
    """One chart per quantity: curves of one last name, such as training/psnr and held_out/psnr, share it."""
    groups: dict[str, list[Curve]] = {}
    for curve in curves:
        if any(map(math.isfinite, curve.values)):
            groups.setdefault(curve.name.rpartition("/")[2], []).append(curve)
    order = sorted(groups, key=lambda quantity: quantity not in FIRST)
    return [_chart(quantity.replace("_", " "), groups[quantity]) for quantity in order]


def _chart(title: str, curves: Sequence[Curve]) -> Chart:
    steps, values = zip(*(point for curve in curves for point in _finite(curve)), strict=True)
    x = Axis.fit(steps, LEFT, RIGHT)
    y = Axis.fit(values, BOTTOM, TOP, allow_log=True)
    return Chart(title, x, y, [_line(curve, x, y) for curve in curves])


def _finite(curve: Curve) -> list[tuple[int, float]]:
    points = zip(curve.steps, curve.values, strict=True)
    return [(step, value) for step, value in points if math.isfinite(value)]


def _line(curve: Curve, x: Axis, y: Axis) -> Line:
    """Few values as dots on a line; many as a thin line with their moving mean over it."""
    path = _path(curve.steps, curve.values, x, y)
    if len(curve.values) < SMOOTHED_FROM:
        return Line(curve, path, dots=[(x.at(step), y.at(value)) for step, value in _finite(curve)])
    smooth = moving_mean(curve.values, len(curve.values) // WINDOW_SHARE)
    return Line(curve, _path(curve.steps, smooth, x, y), raw=path)


def _path(steps: Sequence[int], values: Sequence[float], x: Axis, y: Axis) -> str:
    """Pieces of line; a value that is not finite interrupts it."""
    pieces, pen = [], "M"
    for step, value in zip(steps, values, strict=True):
        if math.isfinite(value):
            pieces.append(f"{pen}{x.at(step):.1f} {y.at(value):.1f}")
        pen = "L" if math.isfinite(value) else "M"
    return "".join(pieces)


def moving_mean(values: Sequence[float], window: int) -> list[float]:
    """The mean of the finite values at most `window` // 2 places away; NaN where there are none."""
    finite = np.isfinite(values)
    kernel = np.ones(window // 2 * 2 + 1)
    total, count = (np.convolve(part, kernel, "same") for part in (np.where(finite, values, 0.0), finite))
    return np.where(count > 0.5, total / np.maximum(count, 1.0), np.nan).tolist()
