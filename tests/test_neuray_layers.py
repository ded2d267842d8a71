"""NeuRay by hand: attention, hit probabilities, projection, agreement of depth maps, fine samples."""

import pytest
import torch
from helpers import camera_at
from torch.testing import assert_close

from gpnerf.geometry.cameras import Camera
from gpnerf.geometry.rays import Rays
from gpnerf.geometry.sampling import Guide, cell_depths
from gpnerf.methods.neuray_family.objective import photometric_loss
from gpnerf.networks.neuray.hit_probability import HitMixture, cells, normalized
from gpnerf.networks.neuray.layers import NORM_EPSILON, Elu, SelfAttention, moments
from gpnerf.networks.neuray.ray_features import consistency_maps, normalized_depth
from gpnerf.networks.neuray.source_samples import (
    SourceMaps,
    project_either_side,
    read_features,
    sample_sources,
)


def test_a_masked_member_attends_to_all_alike_and_is_attended_to():
    torch.manual_seed(0)
    attention, inputs = SelfAttention(8, 2, 3), torch.rand(4, 8)
    assert attention.norm.eps == NORM_EPSILON == 1e-6
    mask = torch.tensor([True, True, True, False])
    found = attention(inputs, mask)
    uniform = attention.norm(attention.out(attention.value(inputs).mean(dim=0)) + inputs[3])
    assert_close(found[3], uniform)
    changed = torch.cat([inputs[:3], inputs[3:] + 1.0])
    assert (attention(changed, mask)[:3] - found[:3]).abs().max() > 1e-3
    assert_close(found[:3], attention(inputs, torch.ones(4, dtype=torch.bool))[:3])


def test_our_elu_is_pytorchs():
    inputs = torch.linspace(-30.0, 30.0, 121, dtype=torch.float64, requires_grad=True)
    found, expected = Elu()(inputs), torch.nn.functional.elu(inputs)
    assert_close(found, expected)
    slopes = (torch.autograd.grad(one.sum(), inputs)[0] for one in (found, expected))
    assert_close(*slopes)


def test_moments_by_hand():
    values = torch.tensor([[[1.0]], [[3.0]]])
    assert moments(values, torch.tensor([[[0.25]], [[0.75]]])).tolist() == [[2.5, 0.75]]
    # Weights that do not sum to 1 are used as they are.
    assert moments(values, torch.tensor([[[0.5]], [[0.0]]])).tolist() == [[0.5, 0.125]]


def test_depths_are_normalised_in_their_inverse():
    depths = torch.tensor([0.5, 1.0, 2.0, 0.0])
    assert normalized(depths, 0.5, 2.0)[:3].tolist() == pytest.approx([0.0, 2 / 3, 1.0])
    assert normalized_depth(depths[None, None], 0.5, 2.0).flatten().tolist() == pytest.approx(
        [0, 2 / 3, 1, 0]
    )


def test_cells_are_as_long_as_the_gaps_on_the_ray_and_the_last_has_no_end():
    depths = 1.0 / torch.tensor([[1.0, 0.8, 0.4]])
    before, until = cells(1.0 / torch.tensor([[[0.9, 0.5, 0.5]]]), depths, 1.0, 10.0)
    scale = 1.0 - 0.1
    expected = torch.tensor([0.1 - 0.1, 0.5 - 0.1, 0.5 - 0.2]) / scale
    assert_close(before[0, 0], expected)
    assert_close(until[0, 0, :2], torch.tensor([0.1 + 0.1, 0.5 + 0.2]) / scale)
    assert until[0, 0, 2] > 1e5


def test_a_ray_ends_somewhere_unless_it_may_not():
    ends = HitMixture(torch.tensor([0.3, 0.6]), torch.tensor([9.0, 4.0]), torch.tensor([0.25]), None)
    edges = torch.linspace(-5.0, 5.0, 30)
    whole = ends.mixed(ends.cumulative(edges[1:]) - ends.cumulative(edges[:-1]))
    assert whole.sum().item() == pytest.approx(1.0) and whole.min() >= 0
    half = ends._replace(visible=torch.tensor([0.5]))
    assert_close(half.mixed(half.cumulative(edges)), 0.5 * ends.mixed(ends.cumulative(edges)))
    assert ends.mixed(ends.cumulative(torch.tensor([0.3]))).item() == pytest.approx(
        0.25 * 0.5 + 0.75 * (0.5 + 0.5 * torch.tanh(torch.tensor(-1.2)).item())
    )


def test_points_are_seen_up_to_half_a_pixel_outside_and_behind_the_camera():
    camera = Camera.stack([camera_at(0.0, 24, 32)])
    directions = camera[0].rays(torch.tensor([[-0.49, 5.0], [-0.51, 5.0], [31.49, 5.0], [31.51, 5.0]]))[1]
    pixels, depths, seen = project_either_side(torch.stack([2.0 * directions, -2.0 * directions]), camera)
    assert seen.tolist() == [[[True, False, True, False]] * 2]
    assert_close(pixels[:, 0], pixels[:, 1], atol=1e-4, rtol=1e-5)
    assert_close(depths[0, 1], torch.full((4,), -2.0))
    _, depth, seen = project_either_side(torch.tensor([[0.0, 0.0, 0.5e-4]]), camera)
    assert depth.item() == pytest.approx(1e-3) and not seen.item()


def test_feature_maps_are_read_with_the_images_outer_pixels_on_their_edges():
    columns = torch.arange(8.0).expand(1, 6, 8)[..., None]
    pixels = torch.tensor([[[0.0, 9.0], [15.5, 9.0], [31.0, 9.0], [50.0, -9.0]]])
    assert_close(read_features(columns, pixels)[0, :, 0], torch.tensor([0.0, 3.5, 7.0, 7.0]))


def test_masked_pixels_are_not_seen():
    maps = SourceMaps(
        torch.ones(1, 24, 32, 3), torch.ones(1, 6, 8, 2), torch.ones(1, 6, 8, 2), torch.ones(1, 24, 32) > 0
    )
    maps.masks[:, :, 16:] = False
    camera = camera_at(0.0, 24, 32)
    rays = Rays.through(torch.tensor([[3, 9], [25, 9]]), camera, 1.0, 2.0)
    found = sample_sources(maps, Camera.stack([camera]), rays, torch.tensor([[1.0], [2.0]]))
    assert found.seen.flatten().tolist() == [True, False]
    assert found.colors[0, :, 0, 0].tolist() == [1.0, 0.0]


def test_a_surface_that_all_views_see_agrees_with_itself():
    cameras = Camera.stack([camera_at(x, 24, 32) for x in (0.0, 0.05)])
    gray = torch.full((2, 3, 24, 32), 0.5)
    agreement = consistency_maps(gray, torch.full((2, 24, 32), 2.0), cameras, 0.5, 5.0)
    assert_close(agreement, torch.zeros(2, 8, 24, 32), atol=1e-5, rtol=0)
    nearer = torch.full((2, 24, 32), 2.0)
    nearer[1] = 1.0
    # In the middle both views see the wall: half of the comparisons differ by (1/1 - 1/2) / (1/0.5 - 1/5).
    found = consistency_maps(gray, nearer, cameras, 0.5, 5.0)[0, :, 12, 16]
    assert found[6].item() == pytest.approx(0.5 * 0.5 / 1.8, abs=1e-4)
    assert found[7].item() == pytest.approx((0.5 * 0.5 / 1.8) ** 2, abs=1e-4)


def test_cell_depths_by_hand():
    depths, weights = torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([[0.0, 0.6, 0.0]])
    # Cells end at 1, 1.5, 3 and 4; all weight is in the middle one.
    found = cell_depths(Guide(depths, weights), 3, "linear")
    assert_close(found, torch.tensor([[1.75, 2.25, 2.75]]), atol=1e-3, rtol=0)
    unseen = cell_depths(Guide(depths, 0 * weights), 3, "linear")
    assert_close(unseen, torch.tensor([[1.25, 2.25, 3.5]]), atol=1e-3, rtol=0)
    drawn = cell_depths(Guide(depths, weights), 2, "inverse", torch.tensor([[0.9, 0.1]]))
    assert 1.0 <= drawn[0, 0] < drawn[0, 1] <= 4.0


def test_rays_of_which_few_views_see_enough_do_not_count():
    predicted, truth = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.5]]), torch.zeros(2, 3)
    loss = photometric_loss(predicted, truth, torch.tensor([True, False]))
    assert loss.item() == pytest.approx(1.0 / 1.001)
    assert photometric_loss(predicted, truth, torch.tensor([False, False])) == 0.0
