"""Classes: their colours, and how well each is found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpnerf.evaluation.page.content import Report
from gpnerf.evaluation.page.markup import Html, element, joined


def swatch(color: np.ndarray) -> Html:
    """A square in the colour of a class, uint8 [3]; its name stands beside it."""
    return element("span", class_="swatch", style=f"background:{css_color(color)}")


def css_color(color: np.ndarray) -> str:
    return "#" + "".join(f"{value:02x}" for value in color.tolist())


def legend(names: Sequence[str], colors: np.ndarray) -> Html:
    """All classes with their colours; the page's script copies entries of it to the pictures."""
    entries = [
        element("li", swatch(color), name, data_class=number)
        for number, (name, color) in enumerate(zip(names, colors, strict=True))
    ]
    entries.append(element("li", swatch(np.zeros(3, np.uint8)), "unlabelled"))
    return element("ul", *entries, class_="legend", id="legend", aria_label="Colours of the classes")


def iou_bars(report: Report) -> Html:
    """A bar per class that occurs, best first, and the names of those that do not."""
    known = [number for number, value in enumerate(report.class_ious) if value is not None]
    known.sort(key=lambda number: -report.class_ious[number])
    shares = _shares(report.confusion)
    bars = element("ol", *(_bar(report, number, shares) for number in known), class_="bars")
    absent = [report.class_names[number] for number, iou in enumerate(report.class_ious) if iou is None]
    order = "Best first" if shares is None else "Best first; in grey the share of all labelled pixels"
    parts = [element("p", f"{order}.", class_="label"), bars]
    if absent:
        text = f"Neither labelled nor predicted: {', '.join(absent)}."
        parts.append(element("p", text, class_="note"))
    return joined(parts)


def _bar(report: Report, number: int, shares: np.ndarray | None) -> Html:
    value, name = report.class_ious[number], report.class_names[number]
    style = f"width:{100.0 * value:.1f}%;background:{css_color(report.class_colors[number])}"
    share = None if shares is None else f"{100.0 * shares[number]:.1f} %"
    return element(
        "li",
        element("span", name, class_="name"),
        element("span", element("span", style=style), class_="track"),
        element("span", f"{value:.3f}", class_="value"),
        element("span", share, class_="share") if share else Html(""),
    )


def _shares(confusion: np.ndarray | None) -> np.ndarray | None:
    """Of each class in all labelled pixels: [K]."""
    return None if confusion is None else confusion.sum(1) / max(1, int(confusion.sum()))
