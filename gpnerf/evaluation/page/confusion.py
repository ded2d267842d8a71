"""The confusion matrix: the classes that occur, truth by prediction, and the largest confusions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpnerf.evaluation.page.content import Report

LISTED = 6


@dataclass(frozen=True)
class Cell:
    """count: pixels of a true class by prediction; share: of all pixels of the true class, in [0, 1]."""

    truth: str
    prediction: str
    hit: bool
    count: int
    share: float


@dataclass(frozen=True)
class Confusions:
    """rows: a cell per predicted class; colors: uint8 [K, 3] of the K classes; largest: most pixels first."""

    rows: list[list[Cell]]
    colors: np.ndarray
    largest: list[Cell]
    pixels: int


def confusions(report: Report) -> Confusions | None:
    """None without a labelled pixel."""
    if report.confusion is None or not report.confusion.any():
        return None
    occurring = np.flatnonzero(report.confusion.sum(0) + report.confusion.sum(1))
    counts = report.confusion[np.ix_(occurring, occurring)]
    names = [report.class_names[number] for number in occurring]
    rows = _rows(names, counts)
    wrong = [cell for row in rows for cell in row if cell.count and not cell.hit]
    largest = sorted(wrong, key=lambda cell: -cell.count)[:LISTED]
    return Confusions(rows, report.class_colors[occurring], largest, int(counts.sum()))


def _rows(names: list[str], counts: np.ndarray) -> list[list[Cell]]:
    shares = row_shares(counts)
    return [
        [
            Cell(truth, prediction, row == column, int(counts[row, column]), float(shares[row, column]))
            for column, prediction in enumerate(names)
        ]
        for row, truth in enumerate(names)
    ]


def row_shares(confusion: np.ndarray) -> np.ndarray:
    """Counts [K, K] -> shares of each row, float64 [K, K]; rows without a pixel are all zero."""
    return confusion / np.maximum(1, confusion.sum(1, keepdims=True))
