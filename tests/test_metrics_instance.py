"""Average precision of instances: the published arrays, small images by hand, and what must not matter."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gpnerf.datasets.labels import IGNORE
from gpnerf.metrics.instance import (
    THRESHOLDS,
    UNMATCHED,
    Detections,
    assign_slots,
    average_precision,
    in_slots,
    match_instances,
    strict_average_precision,
)


@pytest.mark.parametrize("case", range(5))
def test_golden(golden, case):
    arrays = golden("metrics")
    confidence, prediction = torch.from_numpy(arrays[f"in/ap_pred_{case}"]).max(dim=-1)
    truth = torch.from_numpy(arrays[f"in/ap_gt_{case}"])
    if f"in/ap_mask_{case}" in arrays:
        truth[torch.from_numpy(arrays[f"in/ap_mask_{case}"]) == 0] = IGNORE
    detections = match_instances(prediction, confidence, truth, int(arrays[f"in/ap_num_{case}"]))
    assert detections.slot.tolist() == arrays[f"out/ap_matched_{case}"].tolist()
    found = [average_precision(detections, threshold) for threshold in THRESHOLDS]
    np.testing.assert_allclose(found, arrays[f"out/ap_{case}"], atol=1e-6)


def test_golden_curve(golden):
    arrays = golden("metrics")
    missed = int(arrays["in/apcurve_gt_number"]) - 7
    detections = Detections(
        slot=np.append(np.arange(7), [UNMATCHED] * missed),
        confidence=np.append(arrays["in/apcurve_conf"], np.zeros(missed)),
        iou=np.append(arrays["in/apcurve_iou"], np.zeros(missed)),
        spurious=np.zeros(0),
    )
    found = [average_precision(detections, threshold) for threshold in THRESHOLDS]
    np.testing.assert_allclose(found, arrays["out/apcurve"], atol=1e-6)


# The truth is 40 pixels of id 3 and 60 of id 70. Slot 2 has 30 pixels of the first and 10 of the second; slot
# 0 the other 50 of the second, and slot 5 the other 10 of the first.
TRUTH = torch.tensor([3] * 40 + [70] * 60).view(10, 10)
SLOTS = torch.tensor([2] * 30 + [5] * 10 + [2] * 10 + [0] * 50).view(10, 10)


def test_two_instances_by_hand():
    confidence = torch.tensor([0.1, 0.1, 0.1, 0.1, 0.1, 0.9])[SLOTS]
    confidence.view(-1)[0:19] = 0.2
    confidence.view(-1)[19:30] = 0.7
    confidence.view(-1)[40:50] = 0.8
    detections = match_instances(SLOTS, confidence, TRUTH, num_slots=6)
    # Slot 2: 19 pixels of 0.2, 11 of 0.7, 10 of 0.8, so 0.7 are both in the middle.
    assert detections.slot.tolist() == [2, 0]
    assert detections.iou == pytest.approx([30 / 50, 50 / 60])
    assert detections.confidence == pytest.approx([0.7, 0.1])
    assert detections.spurious == pytest.approx([0.9])

    # At 0.5 both are right; at 0.75 the surer of the two is wrong: precision 1/2 at recall 1/2.
    assert average_precision(detections, 0.5) == pytest.approx(1.0)
    assert average_precision(detections, 0.75) == pytest.approx(0.25)
    assert average_precision(detections, 0.85) == 0.0
    # Slot 5 comes before all others: precision 2/3 at recall 1, later 1/3 at recall 1/2.
    assert strict_average_precision(detections, 0.5) == pytest.approx(2 / 3)
    assert strict_average_precision(detections, 0.75) == pytest.approx(1 / 6)


def test_a_picture_of_the_truth_has_the_numbers_of_the_matched_slots():
    truth, sure = TRUTH.clone(), torch.ones(10, 10)
    truth[0, 0], truth[9, 9], truth[9, 8] = IGNORE, 80, 90
    # Slot 2 lies in id 3, slot 0 in id 70; slot 1 is the first that nobody predicts, then 3.
    expected = torch.full((10, 10), IGNORE)
    for number, slot in ((3, 2), (70, 0), (80, 1), (90, 3)):
        expected[truth == number] = slot
    assert torch.equal(in_slots(SLOTS, sure, truth, num_slots=6), expected)
    # Of three slots, none is left for the last.
    expected[truth == 90] = IGNORE
    assert torch.equal(in_slots(SLOTS, sure, truth, num_slots=3), expected)
    unlabelled = torch.full((10, 10), IGNORE)
    assert torch.equal(in_slots(SLOTS, sure, unlabelled, num_slots=6), unlabelled)


def test_a_match_needs_more_than_the_threshold():
    truth = torch.tensor([[1, 1, 1, 1, 0, 0, 0, 0]])
    prediction = torch.tensor([[1, 1, 1, 0, 0, 0, 0, 0]])
    detections = match_instances(prediction, 0.9 - 0.1 * prediction, truth, num_slots=2)
    assert detections.iou.tolist() == [0.8, 0.75]
    assert average_precision(detections, 0.74) == 1.0
    assert average_precision(detections, 0.75) == 0.5
    assert average_precision(detections, 0.8) == 0.0


def test_an_even_number_of_pixels_has_the_mean_of_the_middle_two_as_median():
    confidence = torch.tensor([[0.9, 0.1, 0.3, 0.6]])
    blank = torch.zeros(1, 4, dtype=torch.int64)
    assert match_instances(blank, confidence, blank, num_slots=1).confidence == pytest.approx([0.45])
    odd = match_instances(blank[:, :3], confidence[:, :3], blank[:, :3], num_slots=1)
    assert odd.confidence == pytest.approx([0.3])


def test_equal_confidences_count_together_in_any_order():
    for order in itertools.permutations(range(3)):
        iou = np.array([0.9, 0.2, 0.8])[list(order)]
        detections = Detections(np.arange(3), np.full(3, 0.5), iou, np.array([0.5]))
        # Two of three right at recall 2/3; two of four with the spurious one.
        assert average_precision(detections, 0.5) == pytest.approx(4 / 9)
        assert strict_average_precision(detections, 0.5) == pytest.approx(1 / 3)


def test_a_perfect_prediction_scores_one():
    prediction, confidence, truth = random_image(0)
    detections = match_instances(truth % 7, confidence, truth % 7, num_slots=9)
    assert detections.slot.tolist() == list(range(7))
    for threshold in THRESHOLDS:
        assert average_precision(detections, threshold) == 1.0
        assert strict_average_precision(detections, threshold) == 1.0


def random_image(seed: int, slots: int = 9, instances: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    """prediction, confidence, truth [24, 32]; blocks of the truth, most of them with a slot of their own."""
    noise = torch.Generator().manual_seed(seed)
    truth = torch.randint(instances, (6, 8), generator=noise).repeat_interleave(4, 0).repeat_interleave(4, 1)
    prediction = torch.randint(slots, (instances,), generator=noise)[truth]
    stray = torch.rand(24, 32, generator=noise) < 0.3 * torch.rand(1, generator=noise)
    prediction[stray] = torch.randint(slots, (int(stray.sum()),), generator=noise)
    return prediction, torch.rand(24, 32, generator=noise), truth


def mask_iou(instance: Tensor, mask: Tensor) -> float:
    """Soft IoU of two masks [N] in [0, 1]; the usual one if they are hard."""
    shared = (instance * mask).sum()
    return (shared / (instance.sum() + mask.sum() - shared)).item()


def mask_cost(instance: Tensor, mask: Tensor) -> float:
    terms = instance * (mask + 1e-8).log() + (1 - instance) * (1 - mask + 1e-8).log()
    return 1 - terms.mean().item() - mask_iou(instance, mask)


def cheapest(costs: list[list[float]]) -> tuple[int, ...]:
    """Of all ways to give each row a column of its own, the one of the least sum."""
    choices = itertools.permutations(range(len(costs[0])), len(costs))
    return min(choices, key=lambda columns: sum(row[k] for row, k in zip(costs, columns, strict=True)))


@pytest.mark.parametrize("seed", range(8))
def test_the_match_is_the_cheapest_of_all_mask_by_mask(seed):
    prediction, confidence, truth = random_image(seed, slots=6, instances=4)
    truth[:, :5] = IGNORE
    detections = match_instances(prediction, confidence, truth, num_slots=6)
    instances = [(truth == i).double() for i in truth[truth != IGNORE].unique()]
    masks = [((prediction == k) & (truth != IGNORE)).double() for k in range(6)]
    costs = [[mask_cost(instance, mask) for mask in masks] for instance in instances]
    best = cheapest(costs)
    for number, k in enumerate(best):
        if masks[k].any():
            assert detections.slot[number] == k
            assert detections.iou[number] == pytest.approx(mask_iou(instances[number], masks[k]))
            scores = confidence[masks[k].bool()].numpy()
            assert detections.confidence[number] == pytest.approx(np.median(scores), abs=1e-7)
        else:
            assert detections.slot[number] == UNMATCHED
    spurious = [
        np.median(confidence[m.bool()].numpy()) for k, m in enumerate(masks) if m.any() and k not in best
    ]
    assert detections.spurious == pytest.approx(spurious, abs=1e-7)


@pytest.mark.parametrize("seed", range(4))
def test_numbers_of_slots_and_instances_do_not_matter(seed):
    prediction, confidence, truth = random_image(seed)
    expected = match_instances(prediction, confidence, truth, num_slots=9)
    slots = torch.randperm(9, generator=torch.Generator().manual_seed(seed))
    ids = 1000 * torch.randperm(8, generator=torch.Generator().manual_seed(seed)) + 17
    found = match_instances(slots[prediction], confidence, ids[truth], num_slots=9)
    for threshold in THRESHOLDS:
        assert average_precision(found, threshold) == pytest.approx(average_precision(expected, threshold))
        strict = strict_average_precision(expected, threshold)
        assert strict_average_precision(found, threshold) == pytest.approx(strict)


def test_the_strict_precision_is_never_higher_and_sometimes_lower():
    differences = []
    for seed in range(40):
        detections = match_instances(*random_image(seed), num_slots=9)
        for threshold in THRESHOLDS:
            lenient = average_precision(detections, threshold)
            differences.append(lenient - strict_average_precision(detections, threshold))
            assert 0.0 <= lenient <= 1.0
    assert min(differences) >= 0.0
    assert max(differences) > 0.1


def test_more_instances_than_slots_leaves_some_unmatched():
    truth = torch.tensor([[0, 0, 0, 1, 1, 2]])
    prediction = torch.tensor([[0, 0, 0, 1, 1, 1]])
    detections = match_instances(prediction, torch.full((1, 6), 0.5), truth, num_slots=2)
    assert detections.slot.tolist() == [0, 1, UNMATCHED]
    assert detections.iou == pytest.approx([1.0, 2 / 3, 0.0])
    assert detections.confidence.tolist() == [0.5, 0.5, 0.0]
    assert average_precision(detections, 0.5) == pytest.approx(2 / 3)
    assert strict_average_precision(detections, 0.5) == pytest.approx(2 / 3)


def test_unlabelled_pixels_do_not_count():
    prediction, confidence, truth = random_image(3)
    truth[5:15, 3:20] = IGNORE
    expected = match_instances(prediction, confidence, truth, num_slots=9)
    prediction[truth == IGNORE] = torch.arange(170) % 9
    confidence[truth == IGNORE] = 1.0
    for found, wanted in zip(match_instances(prediction, confidence, truth, 9), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_an_image_without_labels_has_no_detections():
    blank = torch.full((3, 4), IGNORE)
    assert match_instances(torch.zeros_like(blank), torch.ones(3, 4), blank, num_slots=5) is None


@pytest.mark.parametrize("nothing", [-1, 5])
def test_an_empty_prediction_finds_nothing(nothing):
    truth = torch.tensor([[0, 0, 1, 1]])
    prediction = torch.full_like(truth, nothing)
    detections = match_instances(prediction, torch.ones(1, 4), truth, num_slots=5)
    assert detections.slot.tolist() == [UNMATCHED, UNMATCHED]
    assert len(detections.spurious) == 0
    assert average_precision(detections, 0.5) == strict_average_precision(detections, 0.5) == 0.0


@pytest.mark.parametrize("seed", range(4))
def test_assign_slots_recovers_a_permutation(seed):
    noise = torch.Generator().manual_seed(seed)
    slots = torch.randperm(12, generator=noise)[:8]
    truth = random_image(seed)[2]
    logits = 4.0 * F.one_hot(slots[truth], 12) + torch.randn(24, 32, 12, generator=noise)
    probabilities = logits.softmax(-1).permute(2, 0, 1)
    found = assign_slots(probabilities, 100 * truth + 7)
    assert torch.equal(found, slots[truth])
    assert torch.equal(assign_slots(probabilities.flatten(1), truth.flatten()), found.flatten())


def test_assign_slots_is_the_cheapest_assignment():
    for seed in range(30):
        noise = torch.Generator().manual_seed(seed)
        truth = torch.randint(-1, 3, (14,), generator=noise).clamp(max=2)
        truth[:3] = torch.arange(3)
        probabilities = torch.rand(5, 14, generator=noise) ** (10 * torch.rand(5, 1, generator=noise))
        labelled = truth != IGNORE
        masks, given = F.one_hot(truth[labelled]).T.double(), probabilities[:, labelled].double()
        costs = [[mask_cost(mask, p) for p in given] for mask in masks]
        expected = torch.where(labelled, torch.tensor(cheapest(costs))[truth], IGNORE)
        assert torch.equal(assign_slots(probabilities, truth), expected)


def test_assign_slots_with_too_few_slots_leaves_the_worst_instance_out():
    truth = torch.tensor([4, 4, 4, 9, 9, 6, IGNORE])
    slots = torch.tensor([1, 1, 1, 0, 0, 0, 1])
    probabilities = F.one_hot(slots, 2).T * 0.98 + 0.01
    expected = [1, 1, 1, 0, 0, IGNORE, IGNORE]
    assert assign_slots(probabilities, truth).tolist() == expected


def test_assign_slots_on_unlabelled_pixels_gives_only_unlabelled():
    truth = torch.full((2, 3), IGNORE)
    assert torch.equal(assign_slots(torch.rand(4, 2, 3), truth), truth)


def test_assign_slots_bears_certain_and_rounded_probabilities_and_stops_gradients():
    # Rendered probabilities may exceed one by rounding; a certain, wrong one costs -log(1e-8) per pixel.
    truth = torch.tensor([0, 0, 1, 1])
    probabilities = torch.tensor([[0.0, 0.0, 1.0, 1.0 + 1e-6], [1.0, 1.0, 0.0, 0.0]], requires_grad=True)
    found = assign_slots(probabilities, truth)
    assert found.tolist() == [1, 1, 0, 0]
    assert not found.requires_grad
    with pytest.raises(ValueError):
        assign_slots(torch.full((2, 4), math.nan), truth)
