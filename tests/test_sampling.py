"""Depths and pixels against hand numbers, identities and the reference implementation."""

import pytest
import torch
from helpers import assert_golden, tensors

from gpnerf.geometry.sampling import coarse_depths, fine_depths, inverse_cdf, random_pixels

SPACINGS = {"lin": "linear", "inv": "inverse"}


def test_pixels_are_in_range_and_never_repeat():
    pixels = random_pixels(5, 7, 20, torch.Generator().manual_seed(0))
    assert pixels.shape == (20, 2)
    assert len(set(map(tuple, pixels.tolist()))) == 20
    assert pixels[:, 0].min() >= 0 and pixels[:, 0].max() < 7
    assert pixels[:, 1].min() >= 0 and pixels[:, 1].max() < 5


def test_asking_for_too_many_pixels_gives_each_once():
    pixels = random_pixels(2, 3, 100, torch.Generator().manual_seed(1))
    assert sorted(map(tuple, pixels.tolist())) == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]


def test_pixels_repeat_with_their_generator_and_cover_the_image_evenly():
    first, again, other = (random_pixels(9, 9, 8, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    generator = torch.Generator().manual_seed(0)
    columns = torch.cat([random_pixels(10, 20, 50, generator)[:, 0] for _ in range(40)])
    assert columns.float().mean().item() == pytest.approx(9.5, abs=0.5)


def test_linear_depths_by_hand():
    depths = coarse_depths(1.0, 4.0, 2, 4, "linear")
    torch.testing.assert_close(depths, torch.tensor([[1.0, 2.0, 3.0, 4.0]] * 2))


def test_inverse_depths_by_hand():
    # 1/z = 1, 3/4, 1/2, 1/4.
    depths = coarse_depths(1.0, 4.0, 1, 4, "inverse")
    torch.testing.assert_close(depths, torch.tensor([[1.0, 4.0 / 3.0, 2.0, 4.0]]))


def test_a_single_sample_lies_at_the_near_end():
    torch.testing.assert_close(coarse_depths(2.0, 4.0, 1, 1, "inverse"), torch.tensor([[2.0]]))


def test_jitter_moves_a_depth_between_the_middles_to_its_neighbours():
    jitter = torch.tensor([[0.0] * 4, [0.5] * 4, [1.0] * 4])
    depths = coarse_depths(1.0, 4.0, 3, 4, "linear", jitter)
    expected = [[1.0, 1.5, 2.5, 3.5], [1.25, 2.0, 3.0, 3.75], [1.5, 2.5, 3.5, 4.0]]
    torch.testing.assert_close(depths, torch.tensor(expected))


def test_inverse_cdf_by_hand():
    # Three quarters of the mass lie in [0, 2], evenly, the rest in [2, 3].
    drawn = inverse_cdf(
        torch.tensor([[0.0, 2.0, 3.0]]), torch.tensor([[3.0, 1.0]]), torch.tensor([[0.0, 0.375, 0.75, 0.875]])
    )
    torch.testing.assert_close(drawn, torch.tensor([[0.0, 1.0, 2.0, 2.5]]), atol=1e-4, rtol=0)


def test_an_empty_ray_is_sampled_evenly():
    drawn = inverse_cdf(torch.tensor([[0.0, 1.0, 2.0]]), torch.zeros(1, 2), torch.linspace(0.0, 1.0, 5)[None])
    torch.testing.assert_close(drawn, torch.tensor([[0.0, 0.5, 1.0, 1.5, 2.0]]))


def test_inverse_cdf_gathers_samples_in_proportion_to_the_mass():
    uniforms = torch.rand(1, 4000, generator=torch.Generator().manual_seed(0))
    drawn = inverse_cdf(torch.tensor([[0.0, 1.0, 2.0, 3.0]]), torch.tensor([[0.2, 0.7, 0.1]]), uniforms)
    shares = torch.histc(drawn, bins=3, min=0.0, max=3.0) / 4000
    torch.testing.assert_close(shares, torch.tensor([0.2, 0.7, 0.1]), atol=0.03, rtol=0)


@pytest.mark.parametrize("spacing", SPACINGS.values())
def test_fine_depths_gather_at_the_peak_and_lie_behind_the_nearest_coarse_one(spacing):
    depths = coarse_depths(0.5, 8.0, 1, 12, spacing)
    weights = torch.zeros(1, 12)
    weights[0, 5] = 1.0
    fine = fine_depths(depths, weights, 8, spacing)
    assert fine.shape == (1, 8)
    # The first and last are the ends of the distribution; all others come from the bin of sample 5.
    added = sorted(fine[0].tolist())
    assert depths[0, 0] < added[0] and added[-1] < depths[0, -1]
    assert all(depths[0, 4] < depth < depths[0, 6] for depth in added[1:-1])


def test_no_gradient_flows_into_the_weights():
    weights = torch.rand(2, 6, requires_grad=True)
    assert not fine_depths(coarse_depths(1.0, 4.0, 2, 6, "inverse"), weights, 3, "inverse").requires_grad


@pytest.mark.parametrize("interval", "abc")
@pytest.mark.parametrize("short", SPACINGS)
def test_depths_match_the_reference(golden, short, interval):
    arrays = tensors(golden("sampling"))
    near, far = arrays[f"in/depth_range_{interval}"][0].tolist()
    coarse = coarse_depths(near, far, 4, 12, SPACINGS[short])
    # To the last bit but one: the positional encoding magnifies differences in rounding.
    torch.testing.assert_close(coarse, arrays[f"out/coarse_z_{short}_{interval}"], atol=0, rtol=2e-7)
    finer = fine_depths(coarse, arrays[f"in/weights_{short}_{interval}"], 7, SPACINGS[short])
    fine = torch.cat([coarse, finer], dim=-1).sort(dim=-1).values
    assert_golden(fine, arrays[f"out/fine_z_{short}_{interval}"])


def test_random_depths_match_the_reference_for_its_uniforms(golden):
    arrays = tensors(golden("sampling"))
    near, far = arrays["in/depth_range_b"][0].tolist()
    jittered = coarse_depths(near, far, 4, 12, "inverse", arrays["in/strat_u"])
    assert_golden(jittered, arrays["out/strat_z_inv_b"])
    drawn = inverse_cdf(arrays["in/pdf_bins"], arrays["in/pdf_weights"], arrays["in/pdf_u"])
    assert_golden(drawn, arrays["out/pdf_samples_u"])
    even = torch.linspace(0.0, 1.0, 11).expand(4, 11)
    drawn = inverse_cdf(arrays["in/pdf_bins"], arrays["in/pdf_weights"], even)
    assert_golden(drawn, arrays["out/pdf_samples"])
