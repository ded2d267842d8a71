"""Panoptic quality: the definition's cases by hand, per image and over the views of a scene."""

from __future__ import annotations

import pytest
import torch

from gpnerf.datasets.labels import IGNORE
from gpnerf.metrics.panoptic import count_overlaps, panoptic_quality, pool_overlaps, renumbered


def segments(*runs: tuple[int, int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Maps of classes and instances, one row; runs: (class, instance, number of pixels)."""
    columns = [torch.tensor([run[i] for run in runs]) for i in range(3)]
    return tuple(one.repeat_interleave(columns[2])[None] for one in columns[:2])


def scores(prediction, truth):
    return panoptic_quality(count_overlaps(segments(*prediction), segments(*truth)))


def test_overlaps_count_pairs_of_segments_and_void():
    prediction = segments((0, 1, 3), (1, 1, 2), (IGNORE, 7, 1))
    truth = segments((0, 5, 2), (0, IGNORE, 2), (1, 0, 2))
    void = IGNORE
    assert count_overlaps(prediction, truth).tolist() == [
        [void, void, 0, 1, 1],
        [void, void, 1, 1, 1],
        [0, 5, 0, 1, 2],
        [1, 0, void, void, 1],
        [1, 0, 1, 1, 1],
    ]


def test_two_classes_by_hand():
    """Class 0: a match of IoU 8/10, one missed; class 1: a match of IoU 1, two errors."""
    truth = [(0, 1, 10), (0, 2, 4), (1, 3, 6)]
    prediction = [(0, 1, 8), (1, 2, 2), (1, 3, 4), (1, 4, 6)]
    found = scores(prediction, truth)
    assert found.quality == pytest.approx((0.8 / 1.5 + 1.0 / 2.0) / 2)
    assert found.segmentation == pytest.approx((0.8 + 1.0) / 2)
    assert found.recognition == pytest.approx((1 / 1.5 + 1 / 2.0) / 2)


def test_a_perfect_prediction_has_the_quality_1_whatever_its_ids():
    assert scores([(0, 9, 3), (0, 8, 2), (2, 9, 1)], [(0, 1, 3), (0, 2, 2), (2, 3, 1)]) == (1.0, 1.0, 1.0)


def test_an_iou_of_exactly_one_half_is_no_match():
    assert scores([(0, 1, 2), (IGNORE, 0, 2)], [(0, 1, 4)]) == (0.0, 0.0, 0.0)
    assert scores([(0, 1, 3), (IGNORE, 0, 2)], [(0, 1, 5)]) == (pytest.approx(0.6), pytest.approx(0.6), 1.0)


def test_another_class_is_no_match_but_two_errors():
    """Both classes are present, the second by its error alone: means of 0 and 0."""
    assert scores([(1, 1, 4)], [(0, 1, 4)]) == (0.0, 0.0, 0.0)
    found = scores([(1, 1, 4), (0, 2, 4)], [(0, 1, 4), (0, 2, 4)])
    assert found.quality == pytest.approx((1 / 1.5 + 0.0) / 2)


def test_void_pixels_of_the_truth_are_left_out_of_the_iou():
    """The predicted segment has 4 right pixels and 6 void ones: IoU 4/4."""
    assert scores([(0, 1, 10)], [(0, 1, 4), (IGNORE, 0, 6)]).quality == 1.0


@pytest.mark.parametrize("void, errors", [(3, 0), (2, 1), (1, 1)])
def test_a_segment_that_is_mostly_void_is_no_error(void, errors):
    """The second predicted segment of 4 pixels has no match; half void is not mostly void."""
    truth = [(0, 1, 20), (IGNORE, 0, void)]
    prediction = [(0, 1, 20 - (4 - void)), (0, 2, 4)]
    found = scores(prediction, truth)
    assert found.recognition == pytest.approx(1 / (1 + errors / 2))


def test_pixels_without_a_predicted_segment_count_in_the_size_of_the_true_one():
    assert scores([(0, 1, 6), (IGNORE, 0, 4)], [(0, 1, 10)]).quality == pytest.approx(0.6)


def test_without_true_segments_there_is_no_score():
    assert scores([(0, 1, 4)], [(IGNORE, IGNORE, 4)]) is None
    assert scores([(IGNORE, IGNORE, 4)], [(0, 1, 4)]) == (0.0, 0.0, 0.0)


def test_ids_that_flip_between_views_show_in_the_scene_alone():
    """Two chairs, each right in both views. In the scene, each predicted id is half of either: IoU 4 / 12."""
    truth = segments((0, 1, 4), (0, 2, 4))
    steady, flipped = segments((0, 1, 4), (0, 2, 4)), segments((0, 2, 4), (0, 1, 4))
    views = [count_overlaps(prediction, truth) for prediction in (steady, flipped)]
    assert [panoptic_quality(view).quality for view in views] == [1.0, 1.0]
    assert panoptic_quality(pool_overlaps(views)).quality == 0.0
    assert panoptic_quality(pool_overlaps([views[0], views[0]])).quality == 1.0


def test_pooled_views_equal_one_large_image():
    generator = torch.Generator().manual_seed(0)
    maps = [torch.randint(-1, 3, (4, 6, 8), generator=generator) for _ in range(4)]
    views = [count_overlaps((a, b), (c, d)) for a, b, c, d in zip(*maps, strict=True)]
    whole = count_overlaps((maps[0], maps[1]), (maps[2], maps[3]))
    assert torch.equal(pool_overlaps(views), whole)


def test_quality_is_segmentation_times_recognition_for_one_class():
    generator = torch.Generator().manual_seed(1)
    truth = torch.arange(64).view(8, 8) // 7
    noise = torch.rand(8, 8, generator=generator)
    prediction = torch.where(noise < 0.2, torch.randint(0, 12, (8, 8), generator=generator), truth)
    one_class = torch.zeros_like(truth)
    found = panoptic_quality(count_overlaps((one_class, prediction), (one_class, truth)))
    assert 0.0 < found.quality < 1.0
    assert found.quality == pytest.approx(found.segmentation * found.recognition)


def test_new_ids_are_of_predicted_segments_alone():
    void = IGNORE
    table = torch.tensor([[0, 1, 2, 0, 5], [0, 0, 3, 1, 6], [void, void, void, void, 7]])
    assert renumbered(table, torch.tensor([8, 1])).tolist() == [
        [0, 1, 2, 8, 5],
        [0, 0, 3, 1, 6],
        [void, void, void, void, 7],
    ]
    assert table[0, 3] == 0
