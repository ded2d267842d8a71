"""The content of a page, as numbers, texts and pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpnerf.evaluation.table import Table


@dataclass(frozen=True)
class ViewEntry:
    """One rendered view.

    scores: by metric (psnr in dB; ssim, lpips, miou, total_accuracy, average_accuracy in [0, 1]); None if
    a metric could not be computed. pictures: uint8 RGB [H, W, 3] in the order of display, by the keys of
    gpnerf.rendering.panels.CAPTIONS; any may be missing, and their sizes may differ.
    """

    scene: str
    view: str
    scores: dict[str, float | None]
    pictures: dict[str, np.ndarray]


@dataclass(frozen=True)
class Curve:
    """A scalar over training steps; name: as in TensorBoard, such as training/loss."""

    name: str
    steps: list[int]
    values: list[float]


@dataclass(frozen=True)
class Report:
    """Everything that a page shows.

    facts: how the numbers were made, by name; "command" is shown as code. class_colors: uint8 [K, 3].
    confusion: pixel counts int64 [K, K] (row: truth, column: prediction) or None. class_ious: [K] in [0, 1],
    None for classes that do not occur; empty without labels. worst_by: the score that orders the views.
    """

    title: str
    facts: dict[str, str]
    tables: list[Table]
    class_names: tuple[str, ...]
    class_colors: np.ndarray
    confusion: np.ndarray | None
    class_ious: list[float | None]
    curves: list[Curve]
    views: list[ViewEntry]
    worst_by: str
