"""Classes: their colours, and how well each is found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpnerf.evaluation.page.content import Report


@dataclass(frozen=True)
class FoundClass:
    """iou: in [0, 1], None where the class does not occur; share: of all labelled pixels, None if unknown."""

    name: str
    color: np.ndarray
    iou: float | None
    share: float | None


def found_classes(report: Report) -> list[FoundClass]:
    """Best first, those that do not occur last; empty where none occurs."""
    if all(iou is None for iou in report.class_ious):
        return []
    shares = [None] * len(report.class_ious)
    if report.confusion is not None:
        shares = (report.confusion.sum(1) / max(1, int(report.confusion.sum()))).tolist()
    classes = map(FoundClass, report.class_names, report.class_colors, report.class_ious, shares)
    return sorted(classes, key=lambda found: -1.0 if found.iou is None else found.iou, reverse=True)


def css_color(color: np.ndarray) -> str:
    """uint8 [3] as CSS writes it: #c87828."""
    return f"#{color.tobytes().hex()}"
