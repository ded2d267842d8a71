"""The confusion matrix and its two reductions: small cases by hand, and both published protocols."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gpnerf.datasets.labels import IGNORE
from gpnerf.metrics.semantic import class_ious, confusion_matrix, image_scores, pooled_scores


@pytest.mark.parametrize("case", range(8))
def test_image_protocol_golden(golden, case):
    arrays = golden("metrics")
    num_classes, ignore = arrays[f"in/iou_cfg_{case}"].tolist()
    truth = torch.from_numpy(arrays[f"in/iou_gt_{case}"])
    prediction = torch.from_numpy(arrays[f"in/iou_pred_{case}"])
    truth[truth == ignore] = IGNORE
    scores = image_scores(confusion_matrix(prediction, truth, num_classes))
    np.testing.assert_allclose(scores, arrays[f"out/iou_{case}"], atol=1e-6)


def test_pooled_protocol_golden(golden):
    arrays = golden("metrics")
    truth, prediction = (torch.from_numpy(arrays[f"in/pooled_{name}"]) for name in ("gt", "pred"))
    matrix = sum(confusion_matrix(p, t, 20) for p, t in zip(prediction, truth, strict=True))
    miou, present_miou, total, average = arrays["out/pooled"]
    np.testing.assert_allclose(pooled_scores(matrix), [miou, total, average], atol=1e-6)
    np.testing.assert_allclose(image_scores(matrix), [present_miou, total, average], atol=1e-6)
    ious = class_ious(matrix).nan_to_num(-1.0)
    np.testing.assert_allclose(ious, arrays["out/pooled_ious"], atol=1e-6)


def test_four_pixels_by_hand():
    # Class 0 keeps 2 of 3 pixels, the third is called 2, which is nowhere in the truth; class 1 is right.
    # IoUs 2/3, 1 and, for the class that is only predicted, 0.
    truth = torch.tensor([[0, 0], [0, 1]])
    prediction = torch.tensor([[0, 0], [2, 1]])
    matrix = confusion_matrix(prediction, truth, 3)
    assert matrix.tolist() == [[2, 0, 1], [0, 1, 0], [0, 0, 0]]
    assert matrix.dtype == torch.int64
    assert image_scores(matrix) == pytest.approx(((2 / 3 + 1) / 2, 3 / 4, (2 / 3 + 1) / 2))
    assert pooled_scores(matrix) == pytest.approx(((2 / 3 + 1 + 0) / 3, 3 / 4, (2 / 3 + 1) / 2))


def test_classes_neither_labelled_nor_predicted_do_not_count():
    matrix = torch.zeros(5, 5, dtype=torch.int64)
    matrix[1, 1] = 7
    assert image_scores(matrix) == pooled_scores(matrix) == (1.0, 1.0, 1.0)
    assert class_ious(matrix).isnan().tolist() == [True, False, True, True, True]


def test_ignored_truth_and_predictions_outside_the_classes_are_dropped():
    truth = torch.tensor([0, 0, 1, IGNORE, IGNORE])
    prediction = torch.tensor([0, 2, -1, 0, 2])
    matrix = confusion_matrix(prediction, truth, 2)
    assert matrix.tolist() == [[1, 0], [0, 0]]
    assert image_scores(matrix) == (1.0, 1.0, 1.0)


def test_an_image_without_labels_scores_zero():
    truth = torch.full((3, 4), IGNORE)
    matrix = confusion_matrix(torch.zeros_like(truth), truth, 4)
    assert matrix.sum() == 0
    assert image_scores(matrix) == pooled_scores(matrix) == (0.0, 0.0, 0.0)


def test_matrices_add_up():
    truth, prediction = torch.randint(-1, 6, (2, 10, 12)), torch.randint(0, 7, (2, 10, 12))
    parts = confusion_matrix(prediction[0], truth[0], 6) + confusion_matrix(prediction[1], truth[1], 6)
    assert torch.equal(parts, confusion_matrix(prediction, truth, 6))


def test_a_label_beyond_the_classes_is_an_error():
    with pytest.raises(ValueError, match="expected labels below 3, found 3"):
        confusion_matrix(torch.tensor([0, 1]), torch.tensor([0, 3]), 3)
