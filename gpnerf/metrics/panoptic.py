"""Panoptic quality (Kirillov et al., 2019) of one image, or of a scene whose ids agree in all views.

A *segment* is the set of pixels of one class and one instance. `count_overlaps` counts the pixels that a true
and a predicted segment share. The tables of several views add up to that of their scene, in which a segment
extends over all views (as Panoptic Lifting scores a scene).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gpnerf.datasets.labels import IGNORE

# Columns of a table of overlaps: a pair (class, instance) of the truth, one of the prediction, pixels.
TRUE, PREDICTED, PIXELS = slice(0, 2), slice(2, 4), 4
PREDICTED_ID = 3
COLUMNS = PIXELS + 1


class PanopticScores(NamedTuple):
    """Means over classes, in [0, 1].

    quality: sum of the IoUs of all matches / (matches + half of the true and half of the predicted segments
    without a match); segmentation: mean IoU of the matches, 0 without one; recognition: the F1 score of the
    segments. Of each class alone, quality = segmentation * recognition.
    """

    quality: float
    segmentation: float
    recognition: float


def count_overlaps(prediction: tuple[Tensor, Tensor], truth: tuple[Tensor, Tensor]) -> Tensor:
    """Counts pixels by pairs of segments: int64 [N, 5], see TRUE, PREDICTED and PIXELS.

    prediction, truth: maps of classes and of instances, int64 of one shape. A pixel with IGNORE in one of its
    maps is in no segment (void), and has IGNORE in both columns.
    """
    true_segments, true_numbers = _segments(*truth)
    segments, numbers = _segments(*prediction)
    counts = torch.bincount(true_numbers * len(segments) + numbers)
    cells = counts.nonzero()[:, 0]
    rows, columns = cells // len(segments), cells % len(segments)
    return torch.cat([true_segments[rows], segments[columns], counts[cells, None]], dim=1).cpu()


def pool_overlaps(tables: Sequence[Tensor]) -> Tensor:
    """Adds up the tables of the views of a scene: one row for each pair of segments."""
    rows = torch.cat(list(tables))
    pairs, numbers = rows[:, :PIXELS].unique(dim=0, return_inverse=True)
    pixels = torch.zeros(len(pairs), dtype=torch.int64).index_add_(0, numbers, rows[:, PIXELS])
    return torch.cat([pairs, pixels[:, None]], dim=1)


def renumbered(overlaps: Tensor, ids: Tensor) -> Tensor:
    """The table with other ids of the predicted segments: ids [I] holds the new one of each old one."""
    table = overlaps.clone()
    found = table[:, PREDICTED_ID] != IGNORE
    table[found, PREDICTED_ID] = ids[table[found, PREDICTED_ID]]
    return table


def panoptic_quality(overlaps: Tensor) -> PanopticScores | None:
    """The scores of a table of overlaps; None if no true pixel has a segment.

    Two segments match if they have the same class and an IoU above 0.5. Pixels that are void in the truth
    count in no IoU, and a predicted segment without a match that lies in them by more than half is no error.
    The mean is over the classes with a true segment or an error.
    """
    true_segments, rows = overlaps[:, TRUE].unique(dim=0, return_inverse=True)
    segments, columns = overlaps[:, PREDICTED].unique(dim=0, return_inverse=True)
    table = torch.zeros(len(true_segments), len(segments), dtype=torch.int64)
    table[rows, columns] = overlaps[:, PIXELS]
    known, found = true_segments[:, 0] != IGNORE, segments[:, 0] != IGNORE
    if not known.any():
        return None
    num_classes = int(torch.cat([true_segments[:, 0], segments[:, 0]]).max()) + 1
    void = table[~known].sum(0)[found]
    table, true_classes, classes = table[known], true_segments[known, 0], segments[found, 0]
    shared, true_size = table[:, found], table.sum(1, keepdim=True)
    union = true_size + shared.sum(0) - shared
    # In whole numbers, so that an IoU of one half is never taken for more.
    match = (2 * shared > union) & (true_classes[:, None] == classes)
    iou = torch.where(match, shared.double() / union, 0.0)
    spurious = ~match.any(0) & ~(void > shared.sum(0))
    missed = ~match.any(1)

    def by_class(of: Tensor, values: Tensor) -> Tensor:
        """Sums values [S] of segments by their classes [S]."""
        sums = torch.zeros(num_classes, dtype=torch.float64)
        return sums.index_add_(0, of, values.double())

    return _means(
        by_class(true_classes, iou.sum(1)),
        by_class(true_classes, match.any(1)),
        by_class(true_classes, missed) + by_class(classes, spurious),
    )


def _means(iou: Tensor, matches: Tensor, errors: Tensor) -> PanopticScores:
    """The scores from sums by class [K]: IoUs of matches, matches, and segments without a match."""
    count = matches + errors / 2
    present = count > 0
    iou, matches, count = iou[present], matches[present], count[present]
    per_class = iou / count, iou / matches.clamp(min=1), matches / count
    return PanopticScores(*(values.mean().item() for values in per_class))


def _segments(classes: Tensor, instances: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers the segments of one image: (class, instance) int64 [S, 2], and numbers int64 [pixels]."""
    void = (classes == IGNORE) | (instances == IGNORE)
    # Counted from IGNORE on, so that void is 0.
    base = int(instances.max()) + 1 - IGNORE
    keys = torch.where(void, 0, (classes - IGNORE) * base + instances - IGNORE)
    found, numbers = keys.flatten().unique(return_inverse=True)
    pairs = torch.stack([found // base, found % base], dim=1) + IGNORE
    return pairs, numbers
