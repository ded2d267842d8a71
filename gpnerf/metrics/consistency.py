"""Consistency of labels between views: whether the same point has the same label in two of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor


class Agreement(NamedTuple):
    """Pixels of a view that are labelled in another view too, and those of them with the same label."""

    seen: int
    agreeing: int


def label_agreement(labels: Tensor, other: Tensor, places: Tensor) -> Agreement:
    """Compares the labels of two views. labels, other: int64 [H, W] each, below 0 where there is none.

    places: int64 [H, W], the pixel of the other view, counted row by row, that shows the same point as each
    pixel of the first; below 0 where it is not seen.
    """
    there = other.flatten()[places.clamp(min=0)]
    seen = (places >= 0) & (labels >= 0) & (there >= 0)
    return Agreement(int(seen.sum()), int((seen & (labels == there)).sum()))


def share(agreements: Sequence[Agreement]) -> float | None:
    """The share in [0, 1] of all pixels seen twice that agree; None if there is none."""
    seen = sum(one.seen for one in agreements)
    return sum(one.agreeing for one in agreements) / seen if seen else None
