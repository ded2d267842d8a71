"""Depth scores, worked out by hand."""

import pytest
import torch

from gpnerf.metrics.depth import depth_scores


def test_scores_by_hand():
    truth = torch.tensor([[1.0, 2.0], [4.0, 0.0]])
    found = depth_scores(torch.tensor([[1.1, 2.0], [2.0, 9.0]]), truth)
    assert found.absolute_relative == pytest.approx((0.1 + 0.0 + 0.5) / 3)
    assert found.rmse == pytest.approx(((0.01 + 0.0 + 4.0) / 3) ** 0.5)
    assert found.delta == pytest.approx(2 / 3)


def test_the_limit_of_a_quarter_holds_both_ways_and_is_itself_outside():
    truth = torch.full((1, 4), 4.0)
    assert depth_scores(torch.tensor([[5.0, 4.99, 3.19, 3.21]]), truth).delta == 0.5


def test_a_depth_behind_the_camera_is_never_near_enough():
    assert depth_scores(torch.tensor([[-1.0, 0.0]]), torch.ones(1, 2)).delta == 0.0


def test_the_unit_changes_the_root_mean_squared_error_alone():
    truth = torch.rand(5, 7, generator=torch.Generator().manual_seed(0)) + 0.5
    metres, feet = depth_scores(truth * 1.1, truth), depth_scores(truth * 1.1 * 3.28, truth * 3.28)
    assert feet.absolute_relative == pytest.approx(metres.absolute_relative)
    assert feet.delta == metres.delta
    assert feet.rmse == pytest.approx(3.28 * metres.rmse)


def test_nothing_is_said_where_no_depth_is_known():
    assert depth_scores(torch.ones(2, 2), torch.zeros(2, 2)) is None
