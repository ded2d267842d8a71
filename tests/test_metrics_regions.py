"""Boundary IoU and broken-up regions, by hand."""

from __future__ import annotations

import pytest
import torch

from gpnerf.datasets.labels import IGNORE
from gpnerf.metrics.regions import boundary_iou, regions_per_true_region


def square(start: int, stop: int, size: int = 20) -> torch.Tensor:
    """Labels [size, size]: class 1 in a square, class 0 around it."""
    labels = torch.zeros(size, size, dtype=torch.int64)
    labels[start:stop, start:stop] = 1
    return labels


def test_equal_labels_have_boundaries_that_agree():
    assert boundary_iou(square(5, 15), square(5, 15)) == 1.0


def test_boundary_iou_by_hand():
    """A width of one pixel: 2 % of the diagonal, 28.3 pixels, is 0.57."""
    truth, found = square(5, 15), square(6, 14)
    # Class 1: the rings of the squares of 10 and of 8 pixels share nothing.
    # Class 0: the border of the image, 76 pixels, is in both. The truth has the ring around its square,
    # 12 x 12 - 10 x 10 = 44, and the prediction has the ring around its own, 10 x 10 - 8 x 8 = 36.
    assert boundary_iou(found, truth) == pytest.approx((0.0 + 76 / (76 + 44 + 36)) / 2)


def test_a_region_that_is_filled_right_but_bounded_wrong_has_a_low_boundary_iou():
    truth = square(20, 180, 200)
    found = torch.roll(truth, 4, dims=1)
    matching = (truth & found).sum() / (truth | found).sum()
    assert matching > 0.95
    assert boundary_iou(found, truth) < 0.75


def test_absent_classes_and_unlabelled_pixels_do_not_count():
    truth, found = square(5, 15), square(5, 15)
    truth[:3], found[:3] = IGNORE, 1
    assert boundary_iou(found, truth) == 1.0
    assert boundary_iou(found, torch.full_like(truth, IGNORE)) is None


def test_regions_are_counted_by_class_with_corners_touching():
    truth = square(5, 15)
    found = truth.clone()
    assert regions_per_true_region(found, truth) == 1.0
    # Two more regions of class 1, which touch by a corner: one. A class of its own is one more.
    found[1, 1] = found[2, 2] = 1
    assert regions_per_true_region(found, truth) == 3 / 2
    found[18, 18] = 2
    assert regions_per_true_region(found, truth) == 4 / 2
    # What is not labelled is in no region.
    truth[:4] = IGNORE
    assert regions_per_true_region(found, truth) == 3 / 2
    assert regions_per_true_region(found, torch.full_like(truth, IGNORE)) is None
