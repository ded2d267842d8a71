"""The median depth of a ray and its spread, by hand."""

import pytest
import torch

from gpnerf.geometry.ray_depth import depth_spread, median_depth


def found(depths, weights):
    depths, weights = torch.tensor([depths]), torch.tensor([weights])
    median = median_depth(depths, weights)
    return median.item(), depth_spread(depths, weights, median).item()


def test_a_ray_that_ends_at_one_sample_has_its_depth_and_no_spread():
    median, spread = found([1.0, 2.0, 4.0], [0.0, 1.0, 0.0])
    assert median == pytest.approx(2.0, rel=1e-5) and spread == pytest.approx(0.0, abs=1e-5)


def test_the_median_lies_between_two_samples_in_inverse_depth():
    # Half of the weight lies before the middle of 1/1 and 1/2: 1 / 0.75.
    median, spread = found([1.0, 2.0], [0.5, 0.5])
    assert median == pytest.approx(4 / 3, rel=1e-5)
    # |1/1 - 3/4| / (3/4) = |1/2 - 3/4| / (3/4) = 1/3.
    assert spread == pytest.approx(1 / 3, rel=1e-5)


def test_a_little_weight_far_behind_hardly_moves_the_median():
    depths, weights = [1.9, 2.0, 2.1, 9.0], [0.3, 0.4, 0.2, 0.1]
    mean = sum(depth * weight for depth, weight in zip(depths, weights, strict=True))
    assert mean == pytest.approx(2.69)
    # Shares before the samples' middles: 0.15, 0.5, 0.8, 0.95.
    assert found(depths, weights)[0] == pytest.approx(2.0, rel=1e-5)


def test_weights_need_not_sum_to_one():
    assert found([1.0, 2.0, 3.0], [0.1, 0.2, 0.1])[0] == pytest.approx(
        found([1.0, 2.0, 3.0], [1.0, 2.0, 1.0])[0]
    )


def test_an_empty_ray_is_spread_over_its_length():
    median, spread = found([1.0, 2.0, 4.0], [0.0, 0.0, 0.0])
    assert median == pytest.approx(2.0)
    assert spread == pytest.approx((1.0 + 0.0 + 0.5) / 3, rel=1e-4)


def test_one_sample_is_enough():
    assert found([3.0], [0.7])[0] == pytest.approx(3.0)
