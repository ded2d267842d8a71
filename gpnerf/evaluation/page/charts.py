"""Training curves, drawn as lines in small charts of one size."""

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
# The quantities that come first.
FIRST = ("loss", "psnr")
# Curves of at least this many points are smoothed by a moving mean over a 20th of them.
SMOOTHED_FROM = 60
WINDOW_SHARE = 20


@dataclass(frozen=True)
class Line:
    """A curve as drawn.

    path: SVG path data of the values, or of their moving mean for long curves. raw: path data of the values
    of a long curve. dots: positions (x, y) of the values of a short curve.
    """

    curve: Curve
    path: str
    raw: str = ""
    dots: Sequence[tuple[float, float]] = ()

    @property
    def place(self) -> str:
        """Where the curve was measured: "training" or "held out"."""
        return self.curve.name.rpartition("/")[0].replace("_", " ")

    @property
    def lost(self) -> int:
        """The number of values that cannot be drawn."""
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
    """One chart per quantity; training/psnr and held_out/psnr share the chart "psnr"."""
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
    """Draws a short curve as a line with dots, a long one as a thin line below its moving mean."""
    path = _path(curve.steps, curve.values, x, y)
    if len(curve.values) < SMOOTHED_FROM:
        return Line(curve, path, dots=[(x.at(step), y.at(value)) for step, value in _finite(curve)])
    smooth = moving_mean(curve.values, len(curve.values) // WINDOW_SHARE)
    return Line(curve, _path(curve.steps, smooth, x, y), raw=path)


def _path(steps: Sequence[int], values: Sequence[float], x: Axis, y: Axis) -> str:
    """SVG path data of the values; a value that is not finite interrupts the line."""
    pieces, pen = [], "M"
    for step, value in zip(steps, values, strict=True):
        if math.isfinite(value):
            pieces.append(f"{pen}{x.at(step):.1f} {y.at(value):.1f}")
        pen = "L" if math.isfinite(value) else "M"
    return "".join(pieces)


def moving_mean(values: Sequence[float], window: int) -> list[float]:
    """The mean of the finite values within `window` // 2 steps on both sides; NaN where there are none."""
    finite = np.isfinite(values)
    kernel = np.ones(window // 2 * 2 + 1)
    total, count = (np.convolve(part, kernel, "same") for part in (np.where(finite, values, 0.0), finite))
    return np.where(count > 0.5, total / np.maximum(count, 1.0), np.nan).tolist()
