"""Semantic segmentation: the loss that trains it; one confusion matrix, two ways to turn it into scores.

`image_scores` is the protocol of Semantic-Ray and GP-NeRF (per image, then means over images and scenes);
`pooled_scores` is that of Semantic-NeRF (one matrix for all test images of a scene).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gpnerf.datasets.labels import IGNORE


class SemanticScores(NamedTuple):
    """Shares in [0, 1]. average_accuracy: mean over the classes that have labelled pixels."""

    miou: float
    total_accuracy: float
    average_accuracy: float


def semantic_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Eq. 10: cross-entropy of logits [K, H, W] or [K, N] and labels [H, W] or [N], mean over the labelled.

    It is zero where nothing is labelled.
    """
    labelled = (labels != IGNORE).sum().clamp(min=1)
    total = F.cross_entropy(logits[None], labels[None], ignore_index=IGNORE, reduction="sum")
    return total / labelled


def confusion_matrix(prediction: Tensor, truth: Tensor, num_classes: int) -> Tensor:
    """Pixel counts, int64 [K, K] (row: truth, column: prediction), on the device of the inputs.

    prediction, truth: int64 of one shape. Pixels are dropped if their truth is IGNORE, or if their prediction
    is outside 0..K-1, as the extra "ignore" class of the published networks is (Semantic-Ray protocol).
    Raises ValueError for a truth of K or more.
    """
    counted = (truth != IGNORE) & (prediction >= 0) & (prediction < num_classes)
    cells = truth[counted] * num_classes + prediction[counted]
    counts = torch.bincount(cells, minlength=num_classes**2)
    if len(counts) > num_classes**2:
        raise ValueError(f"expected labels below {num_classes}, found {int(truth.max())}")
    return counts.view(num_classes, num_classes)


def class_ious(matrix: Tensor) -> Tensor:
    """Intersection over union per class: float64 [K], NaN for classes neither labelled nor predicted."""
    matrix = matrix.cpu().double()
    hits = matrix.diagonal()
    return hits / (matrix.sum(0) + matrix.sum(1) - hits)


def image_scores(matrix: Tensor) -> SemanticScores:
    """Scores of one image (GP-NeRF, Sec. 5.1 Metrics); all zero where nothing is labelled.

    The mIoU is a mean over the classes *present in the truth*. Pixels wrongly given to an absent class
    lower the IoU of the classes that they were taken from, but that class adds no zero of its own.
    """
    return _scores(matrix, averaged=matrix.sum(1).cpu() > 0)


def pooled_scores(matrix: Tensor) -> SemanticScores:
    """Scores of a scene from the sum of its images' matrices (Semantic-NeRF); all zero where it is empty.

    The mIoU is a mean over the classes that are labelled *or predicted* anywhere in the scene.
    """
    return _scores(matrix, averaged=(matrix.sum(0) + matrix.sum(1)).cpu() > 0)


def _scores(matrix: Tensor, averaged: Tensor) -> SemanticScores:
    """Scores of a matrix. averaged: bool [K], the classes that enter the mIoU."""
    if not averaged.any():
        return SemanticScores(0.0, 0.0, 0.0)
    ious = class_ious(matrix)[averaged]
    matrix = matrix.cpu().double()
    hits, labeled = matrix.diagonal(), matrix.sum(1)
    present = labeled > 0
    return SemanticScores(
        miou=ious.mean().item(),
        total_accuracy=(hits.sum() / labeled.sum()).item(),
        average_accuracy=(hits[present] / labeled[present]).mean().item(),
    )
