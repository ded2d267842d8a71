"""Volume rendering, by hand."""

import math

import torch
from torch.testing import assert_close

from gpnerf.geometry.compositing import ENDLESS, composite, compositing_weights, opacities, spacings


def test_spacings_are_distances_along_the_ray_and_the_last_is_endless():
    found = spacings(torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([[0.0, 3.0, 4.0]]))
    assert_close(found, torch.tensor([[5.0, 10.0, 5.0 * ENDLESS]]))


def test_a_sample_is_as_opaque_as_its_density_over_its_length():
    densities = torch.tensor([[0.0, math.log(2.0), math.log(2.0)]])
    assert_close(opacities(densities), torch.tensor([[0.0, 0.5, 0.5]]))
    assert_close(opacities(densities, torch.tensor([[1.0, 2.0, 3.0]])), torch.tensor([[0.0, 0.75, 0.875]]))


def test_a_weight_is_the_opacity_times_the_light_that_is_left():
    weights = compositing_weights(torch.tensor([[0.5, 0.25, 1.0]]))
    assert_close(weights, torch.tensor([[0.5, 0.125, 0.375]]))


def test_nothing_behind_an_opaque_sample_is_seen():
    weights = compositing_weights(torch.tensor([[1.0, 1.0, 0.5]]))
    assert_close(weights, torch.tensor([[1.0, 0.0, 0.0]]))


def test_a_rendered_value_is_the_weighted_sum():
    values = torch.tensor([[[2.0, 0.0], [4.0, 8.0]]])
    assert_close(composite(torch.tensor([[0.5, 0.25]]), values), torch.tensor([[2.0, 2.0]]))
