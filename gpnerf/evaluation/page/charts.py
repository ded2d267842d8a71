"""Training curves as small SVG charts that share one look."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gpnerf.evaluation.page.axes import Axis, number_text
from gpnerf.evaluation.page.content import Curve
from gpnerf.evaluation.page.markup import Html, element

# Units of the drawing, about pixels.
WIDTH, HEIGHT = 340, 200
LEFT, RIGHT, TOP, BOTTOM = 46, 332, 8, 164
# What a reader looks for first.
FIRST = ("loss", "psnr")
# Longer curves get a moving mean over this share of their points.
SMOOTHED_FROM = 60
WINDOW_SHARE = 20


def charts(curves: Sequence[Curve]) -> Html:
    """One chart per quantity: curves of one last name, such as training/psnr and held_out/psnr, share it."""
    groups: dict[str, list[Curve]] = {}
    for curve in curves:
        if any(map(math.isfinite, curve.values)):
            groups.setdefault(curve.name.rpartition("/")[2], []).append(curve)
    order = sorted(groups, key=lambda quantity: quantity not in FIRST)
    figures = [_figure(quantity, groups[quantity]) for quantity in order]
    return element("div", *figures, class_="charts")


def _figure(quantity: str, curves: Sequence[Curve]) -> Html:
    title = quantity.replace("_", " ")
    finite = [
        (s, v) for curve in curves for s, v in zip(curve.steps, curve.values, strict=True) if math.isfinite(v)
    ]
    steps, values = zip(*finite, strict=True)
    x = Axis.fit(steps, LEFT, RIGHT)
    y = Axis.fit(values, BOTTOM, TOP, allow_log=True)
    lines = [part for number, curve in enumerate(curves) for part in _lines(curve, number, x, y)]
    label = f"{title} over training steps: " + "; ".join(map(_summary, curves))
    drawing = element(
        "svg", *_frame(x, y), *lines, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=label
    )
    keys = [element("li", _summary(curve), class_=f"line-{number}") for number, curve in enumerate(curves)]
    scale = " log scale" if y.logarithmic else ""
    caption = element("figcaption", element("b", title), scale, element("ul", *keys))
    return element("figure", drawing, caption)


def _summary(curve: Curve) -> str:
    """In words: the values at both ends, and how many cannot be drawn."""
    place = curve.name.rpartition("/")[0].replace("_", " ")
    ends = f"{number_text(curve.values[0])} → {number_text(curve.values[-1])}"
    steps = f"steps {curve.steps[0]:,} to {curve.steps[-1]:,}"
    lost = sum(not math.isfinite(value) for value in curve.values)
    return f"{place} {ends} ({steps}{f'; {lost} not finite' if lost else ''})"


def _frame(x: Axis, y: Axis) -> list[Html]:
    parts = [element("path", d=f"M{LEFT} {y.at(value):.1f}H{RIGHT}", class_="grid") for value in y.ticks] + [
        element("path", d=f"M{LEFT} {BOTTOM}H{RIGHT}", class_="axis")
    ]
    for value in y.ticks:
        parts.append(_text(number_text(value), LEFT - 6, y.at(value) + 3.5, "end"))
    for value in x.ticks:
        parts.append(_text(number_text(value), x.at(value), BOTTOM + 15, "middle"))
    return [*parts, _text("step", RIGHT, BOTTOM + 31, "end")]


def _text(text: str, x: float, y: float, anchor: str) -> Html:
    return element("text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)


def _lines(curve: Curve, number: int, x: Axis, y: Axis) -> list[Html]:
    """Few values as dots on a line; many as a thin line with their moving mean over it."""
    kind = f"line-{number}"
    if len(curve.values) < SMOOTHED_FROM:
        return [_path(curve.steps, curve.values, x, y, f"curve {kind}"), *_dots(curve, x, y, f"dot {kind}")]
    smooth = moving_mean(curve.values, len(curve.values) // WINDOW_SHARE)
    raw = _path(curve.steps, curve.values, x, y, f"curve raw {kind}")
    return [raw, _path(curve.steps, smooth, x, y, f"curve {kind}")]


def _dots(curve: Curve, x: Axis, y: Axis, kind: str) -> list[Html]:
    return [
        element("circle", cx=f"{x.at(step):.1f}", cy=f"{y.at(value):.1f}", r=2, class_=kind)
        for step, value in zip(curve.steps, curve.values, strict=True)
        if math.isfinite(value)
    ]


def _path(steps: Sequence[int], values: Sequence[float], x: Axis, y: Axis, kind: str) -> Html:
    """Pieces of line; a value that is not finite interrupts it."""
    pieces, pen = [], "M"
    for step, value in zip(steps, values, strict=True):
        if math.isfinite(value):
            pieces.append(f"{pen}{x.at(step):.1f} {y.at(value):.1f}")
        pen = "L" if math.isfinite(value) else "M"
    return element("path", d="".join(pieces), class_=kind)


def moving_mean(values: Sequence[float], window: int) -> list[float]:
    """The mean of the finite values at most `window` // 2 places away; NaN where there are none."""
    array = np.asarray(values, np.float64)
    finite = np.isfinite(array)
    kernel = np.ones(window // 2 * 2 + 1)
    reach = window // 2
    total = np.convolve(np.where(finite, array, 0.0), kernel)[reach : reach + len(array)]
    count = np.convolve(finite.astype(np.float64), kernel)[reach : reach + len(array)]
    return [t / c if c > 0.5 else math.nan for t, c in zip(total.tolist(), count.tolist(), strict=True)]
