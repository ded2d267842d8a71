"""Instance segmentation: matches predicted to true instances and computes the average precision (AP).

A network predicts one of K *slots* per pixel; slots have no fixed meaning, so they are first assigned to the
true instances, image by image. `average_precision` is the metric of DM-NeRF and GP-NeRF (Sec. 5.1 Metrics;
the tables give it at IoU 0.75): mean over the test images of a scene, then over scenes. It ignores predicted
instances without a match; `strict_average_precision` counts them as false positives.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from gpnerf.datasets.labels import IGNORE

# IoUs that a match has to exceed to count as correct.
THRESHOLDS = (0.5, 0.75, 0.8, 0.85, 0.9, 0.95)

UNMATCHED = -1

# Keeps the logarithms of the cross-entropy finite, as published.
PROBABILITY_FLOOR = 1e-8


class Detections(NamedTuple):
    """Matches of one image with G true instances, in ascending order of their ids.

    slot: int64 [G], the slot matched to each true instance, or UNMATCHED; confidence: float64 [G] of that
    slot, 0 where unmatched; iou: float64 [G] of that match, 0 where unmatched; spurious: float64 [M],
    confidences of the predicted instances without a match.
    """

    slot: np.ndarray
    confidence: np.ndarray
    iou: np.ndarray
    spurious: np.ndarray


def match_instances(
    prediction: Tensor, confidence: Tensor, truth: Tensor, num_slots: int
) -> Detections | None:
    """Matches the instances of one image by DM-NeRF's recipe; None if no pixel is labelled.

    prediction: int64 [H, W], the slot 0..K-1 of each pixel; any other value means no instance. confidence:
    float [H, W] in [0, 1], the pixel's highest probability; an instance has the median over its pixels.
    truth: int64 [H, W], ids 0..65535 or IGNORE. Every distinct id is an instance, background and specks too.

    The matching minimises the sum over its pairs of the masks' mean binary cross-entropy + 1 - IoU. A true
    instance stays unmatched if there are too few slots, or if an empty slot costs less than any other.
    Unlabelled pixels are in no mask and count only for the size of the image. DM-NeRF also adds 1e-6 to the
    union, which is too little to change an order of ratios of pixel counts.
    """
    instances, num_instances = number_instances(truth)
    if num_instances == 0:
        return None
    known = (truth != IGNORE) & (prediction >= 0) & (prediction < num_slots)
    slots = torch.where(known, prediction, num_slots)
    table = _joint_counts(instances, slots, num_instances, num_slots)
    confidences = _medians(confidence, slots, num_slots).cpu().double().numpy()

    iou, cost = _compare_masks(table, truth.numel())
    rows, columns = linear_sum_assignment(cost)
    predicted = table[:, :num_slots].any(0)
    found = predicted[columns]

    slot = np.full(num_instances, UNMATCHED)
    slot[rows[found]] = columns[found]
    matched = slot != UNMATCHED
    match_iou = np.where(matched, iou[np.arange(num_instances), slot], 0.0)
    # Predicted instances that remain have no match.
    predicted[columns] = False
    return Detections(slot, np.where(matched, confidences[slot], 0.0), match_iou, confidences[predicted])


def in_slots(prediction: Tensor, confidence: Tensor, truth: Tensor, num_slots: int) -> Tensor:
    """The true instances [H, W] under the numbers of the slots that are matched to them, for pictures.

    Instances without a match have those of slots that are not predicted, IGNORE if there are too few, as
    unlabelled pixels have. Arguments as of `match_instances`.
    """
    found = match_instances(prediction, confidence, truth, num_slots)
    if found is None:
        return torch.full_like(truth, IGNORE)
    slot = found.slot
    free = np.setdiff1d(np.arange(num_slots), prediction.cpu().numpy())
    lacking = np.flatnonzero(slot == UNMATCHED)[: len(free)]
    slot[lacking] = free[: len(lacking)]
    instances, _ = number_instances(truth)
    # The number of an unlabelled pixel, -1, finds the last entry.
    return torch.from_numpy(np.append(slot, IGNORE)).to(truth.device)[instances]


def average_precision(detections: Detections, threshold: float) -> float:
    """AP in [0, 1] as DM-NeRF defines it: predicted instances without a match do *not* lower it.

    Every matched true instance is a detection, correct if IoU > threshold. AP is the area under the curve of
    precision, made monotone, over recall, the share of true instances found. Detections of equal confidence
    count together, so their order does not matter.
    """
    matched = detections.slot != UNMATCHED
    correct = detections.iou[matched] > threshold
    return _area(detections.confidence[matched], correct, len(detections.slot))


def strict_average_precision(detections: Detections, threshold: float) -> float:
    """AP in [0, 1] as COCO counts: every predicted instance is a detection with its own confidence.

    A predicted instance without a match, or with a match of IoU <= threshold, is a false positive. A true
    instance without a match lowers the recall, but is no detection. All else is as in `average_precision`,
    which is never lower.
    """
    matched = detections.slot != UNMATCHED
    correct = np.append(detections.iou[matched] > threshold, np.zeros(len(detections.spurious), bool))
    confidence = np.append(detections.confidence[matched], detections.spurious)
    return _area(confidence, correct, len(detections.slot))


def assign_slots(probabilities: Tensor, truth: Tensor) -> Tensor:
    """Targets for a loss: instance ids -> the slots that suit them best, int64 in the shape of truth.

    Arguments as of `match_slots`. IGNORE stays IGNORE; instances beyond the number of slots become IGNORE.
    """
    slots = match_slots(probabilities, truth)
    # The number of an unlabelled pixel, -1, finds the last entry.
    return torch.cat([slots, slots.new_tensor([IGNORE])])[number_instances(truth)[0]]


@torch.no_grad()
def match_slots(probabilities: Tensor, truth: Tensor, cost: Tensor | None = None) -> Tensor:
    """The slot that suits each of G true instances best, in ascending order of their ids: int64 [G].

    probabilities: [K, H, W] or [K, N] in [0, 1]; truth: int64 [H, W] or [N], ids 0..65535 or IGNORE. Ids need
    to agree within this view only. The assignment minimises the sum over its pairs of mean binary
    cross-entropy + 1 - soft IoU, as in DM-NeRF's training, + cost [K, G], if there is one. Instances beyond
    the number of slots get UNMATCHED. No gradient flows. Raises ValueError if a number is not finite.
    """
    instances, num_instances = number_instances(truth)
    rows = instances.flatten() + 1
    given = probabilities.flatten(1).float().clamp(0, 1)

    def sums(values: Tensor) -> Tensor:
        """[K, N] -> [K, G], over the pixels of each instance."""
        totals = values.new_zeros(len(values), num_instances + 1)
        return totals.index_add_(1, rows, values)[:, 1:].cpu().double()

    size = torch.bincount(rows, minlength=num_instances + 1)[1:].cpu()
    overlap = sums(given)
    inside, outside = -sums((given + PROBABILITY_FLOOR).log()), -sums((1 - given + PROBABILITY_FLOOR).log())
    cross_entropy = (inside + outside.sum(1, keepdim=True) - outside) / size.sum()
    iou = overlap / (overlap.sum(1, keepdim=True) + size - overlap)
    further = 0 if cost is None else cost.cpu().double()
    slots, matched = linear_sum_assignment(cross_entropy + 1 - iou + further)

    slot_of = torch.full((num_instances,), UNMATCHED)
    slot_of[torch.from_numpy(matched)] = torch.from_numpy(slots)
    return slot_of.to(truth.device)


def number_instances(truth: Tensor) -> tuple[Tensor, int]:
    """Renumbers ids as 0..G-1 in ascending order, IGNORE = -1 stays; returns them and G.

    Much faster than torch.unique.
    """
    present = torch.bincount(truth.flatten() + 1, minlength=1) > 0
    present[0] = False
    numbers = present.cumsum(0) - 1
    return numbers[truth + 1], int(numbers[-1]) + 1


def _joint_counts(instances: Tensor, slots: Tensor, num_instances: int, num_slots: int) -> np.ndarray:
    """Counts pixels by instance and slot: float64 [G, K + 1], last column for no slot; without IGNORE."""
    columns = num_slots + 1
    cells = (instances + 1) * columns + slots
    counts = torch.bincount(cells.flatten(), minlength=(num_instances + 1) * columns)
    return counts.view(-1, columns)[1:].cpu().double().numpy()


def _compare_masks(table: np.ndarray, num_pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """IoU and matching cost of all pairs, both [G, K], from the counts [G, K + 1] of `_joint_counts`."""
    overlap, truth_size = table[:, :-1], table.sum(1, keepdims=True)
    slot_size = overlap.sum(0)
    iou = overlap / (truth_size + slot_size - overlap)
    wrong_pixels = truth_size + slot_size - 2 * overlap
    return iou, -math.log(PROBABILITY_FLOOR) * wrong_pixels / num_pixels + 1 - iou


def _medians(values: Tensor, slots: Tensor, num_slots: int) -> Tensor:
    """Medians [K] of the non-negative values [H, W] in each slot, means of the middle two.

    The median of an empty slot is arbitrary.
    """
    # The bits of non-negative floats are in the order of the floats: one sort serves both keys.
    values, slots = values.flatten().float(), slots.flatten()
    order = ((slots << 32) + values.view(torch.int32)).argsort()
    counts = torch.bincount(slots, minlength=num_slots + 1)[:num_slots]
    first = counts.cumsum(0) - counts
    middle = torch.stack([first + (counts - 1) // 2, first + counts // 2])
    return values[order[middle.clamp(0, len(order) - 1)]].mean(0)


def _area(confidence: np.ndarray, correct: np.ndarray, num_truth: int) -> float:
    """Area under the monotone precision-recall curve of detections [n]."""
    # Of equal confidences, the false come first: after the envelope, all have their joint precision.
    correct = correct[np.lexsort((correct, -confidence))]
    precision = correct.cumsum() / np.arange(1, len(correct) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(envelope[correct].sum() / num_truth)
