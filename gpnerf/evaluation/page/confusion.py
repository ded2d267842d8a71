"""The confusion matrix of the classes that occur, and the largest confusions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpnerf.evaluation.page.content import Report

LISTED = 6


@dataclass(frozen=True)
class Cell:
    """A cell of the matrix: the pixels of one true class that got one prediction.

    hit: the prediction is right. share: of all pixels of the true class, in [0, 1].
    """

    truth: str
    prediction: str
    hit: bool
    count: int
    share: float


@dataclass(frozen=True)
class Confusions:
    """The matrix of the K classes that occur.

    rows: K rows (truth) of K cells (prediction). colors: uint8 [K, 3]. largest: wrong cells with the most
    pixels. pixels: number of all labelled pixels.
    """

    rows: list[list[Cell]]
    colors: np.ndarray
    largest: list[Cell]
    pixels: int


def confusions(report: Report) -> Confusions | None:
    """The matrix of a report; None without a labelled pixel."""
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
