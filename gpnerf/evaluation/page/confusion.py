"""The confusion matrix as a heat map that is also a table."""

from __future__ import annotations

import numpy as np

from gpnerf.evaluation.page.classes import swatch
from gpnerf.evaluation.page.content import Report
from gpnerf.evaluation.page.markup import Html, element

# More classes than this get small cells without visible numbers.
ROOMY = 20
# A cell with more ink than this needs light text.
DARK = 0.72
SCALE = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
LISTED = 6


def row_shares(confusion: np.ndarray) -> np.ndarray:
    """Counts [K, K] -> shares of each row, float64 [K, K]; rows without a pixel are all zero."""
    return confusion / np.maximum(1, confusion.sum(1, keepdims=True))


def confusion_map(report: Report) -> Html:
    """The classes that occur, truth by prediction, and the largest confusions in words."""
    occurring = np.flatnonzero(report.confusion.sum(0) + report.confusion.sum(1))
    counts = report.confusion[np.ix_(occurring, occurring)]
    names = [report.class_names[number] for number in occurring]
    colors = report.class_colors[occurring]
    rows = [
        _row(names, colors[number], number, counts, shares)
        for number, shares in enumerate(row_shares(counts))
    ]
    table = element(
        "table",
        element("caption", "Share of the pixels of a true class (row) by predicted class (column)"),
        element("thead", _head(names, colors)),
        element("tbody", *rows),
        class_="confusion roomy" if len(names) <= ROOMY else "confusion dense",
        id="confusion",
    )
    box = element("div", table, class_="scroll", tabindex=0, role="region", aria_label="Confusion matrix")
    # The sentence of the cell under the pointer or the focus.
    readout = element("output", id="cell", aria_live="polite")
    side = element("div", *_largest(names, counts), *_scale(), class_="side")
    return element("div", element("div", readout, box, class_="matrix"), side, class_="confusions")


def _head(names: list[str], colors: np.ndarray) -> Html:
    corner = element("td", "truth ↓ · predicted →", class_="corner")
    heads = [
        element("th", element("span", swatch(color), name), scope="col")
        for name, color in zip(names, colors, strict=True)
    ]
    return element("tr", corner, *heads)


def _row(names: list[str], color: np.ndarray, number: int, counts: np.ndarray, shares: np.ndarray) -> Html:
    cells = [
        _cell(names[number], names[other], int(counts[number, other]), shares[other], number == other)
        for other in range(len(names))
    ]
    head = element("th", names[number], swatch(color), scope="row")
    return element("tr", head, *cells)


def _cell(truth: str, prediction: str, count: int, share: float, hit: bool) -> Html:
    if not count:
        return element("td", class_="hit" if hit else None, title=f"{truth}, predicted {prediction}: none")
    pixels = "1 pixel" if count == 1 else f"{count:,} pixels"
    # Square root: a confusion of one percent is still visible.
    ink = share**0.5
    kinds = [kind for kind, given in (("hit", hit), ("dark", ink > DARK)) if given]
    return element(
        "td",
        f"{100.0 * share:.0f}" if share >= 0.005 else "·",
        class_=" ".join(kinds) or None,
        style=f"--ink:{ink:.3f}",
        title=f"{truth}, predicted {prediction}: {100.0 * share:.2f} % ({pixels})",
    )


def _largest(names: list[str], counts: np.ndarray) -> list[Html]:
    """The confusions that cost most pixels, as sentences."""
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    cells = np.argsort(-wrong, axis=None, kind="stable")[:LISTED]
    places = [np.unravel_index(cell, wrong.shape) for cell in cells.tolist() if wrong.flat[cell]]
    shares = counts / max(1, int(counts.sum()))
    entries = [
        element(
            "li",
            element("b", f"{100.0 * shares[place]:.2f} %"),
            f" {names[place[0]]} taken for {names[place[1]]}",
        )
        for place in places
    ]
    if not entries:
        return [element("p", "Every labelled pixel has its true class.", class_="note")]
    title = element("p", "Where most pixels are lost, of all labelled ones", id="lost", class_="label")
    return [title, element("ul", *entries, class_="lost", aria_labelledby="lost")]


def _scale() -> list[Html]:
    """What the shades mean."""
    steps = [
        element("span", f"{100.0 * share:.0f} %", class_="dark" if share**0.5 > DARK else None,
                style=f"--ink:{share**0.5:.3f}")
        for share in SCALE
    ]  # fmt: skip
    return [element("p", "Shades", class_="label"), element("div", *steps, class_="scale")]
