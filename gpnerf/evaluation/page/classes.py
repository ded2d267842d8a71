"""The classes by their IoU, and their colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpnerf.evaluation.page.content import Report


@dataclass(frozen=True)
class FoundClass:
    """The IoU of a class.

    iou: in [0, 1], None if the class does not occur. share: of all labelled pixels, in [0, 1], or None.
    """

    name: str
    color: np.ndarray
    iou: float | None
    share: float | None


def found_classes(report: Report) -> list[FoundClass]:
    """Classes by falling IoU, then those that do not occur; empty if none occurs."""
    if all(iou is None for iou in report.class_ious):
        return []
    shares = [None] * len(report.class_ious)
    if report.confusion is not None:
        shares = (report.confusion.sum(1) / max(1, int(report.confusion.sum()))).tolist()
    classes = map(FoundClass, report.class_names, report.class_colors, report.class_ious, shares)
    return sorted(classes, key=lambda found: -1.0 if found.iou is None else found.iou, reverse=True)


def css_color(color: np.ndarray) -> str:
    """A color uint8 [3] in CSS, such as #c87828."""
    return f"#{color.tobytes().hex()}"
