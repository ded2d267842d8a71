"""A coarse pass of other rays guides fine samples: depths by hand, mixtures, whole views and training."""

import pytest
import torch
from helpers import prepared, rays_of, tiny_example, tiny_model

from gpnerf.geometry.cameras import pixel_grid
from gpnerf.geometry.guide_map import guide_map
from gpnerf.geometry.sampling import SPREAD, Guide, guided_depths, pixels_around
from gpnerf.rendering.view import Quality, render_view


def guided(weights, samples, spacing="linear", uniforms=None):
    depths = torch.tensor([[1.0, 2.0, 3.0, 5.0]])
    return guided_depths(Guide(depths, torch.tensor([weights])), samples, spacing, uniforms)


def test_guided_depths_by_hand():
    """Cells end at 1, 1.5, 2.5, 4 and 5; the third has all that is not spread and its part of what is."""
    depths = guided([0.0, 0.0, 1.0, 0.0], 4)
    before, third = SPREAD * 1.5 / 4, 1.0 - SPREAD + SPREAD * 1.5 / 4
    expected = [2.5 + 1.5 * (place - before) / third for place in (0.125, 0.375, 0.625, 0.875)]
    torch.testing.assert_close(depths, torch.tensor([expected]), atol=1e-3, rtol=0)


def test_guided_depths_of_equal_weights_per_length_are_even():
    depths = guided([0.5, 1.0, 1.5, 1.0], 8)
    torch.testing.assert_close(depths, torch.linspace(1.25, 4.75, 8)[None], atol=1e-3, rtol=0)
    even = 1.0 / torch.linspace(1.0, 0.2, 9)
    lengths = [1 - 3 / 4, 3 / 4 - 5 / 12, 5 / 12 - 4 / 15, 4 / 15 - 1 / 5]
    found = guided(lengths, 8, "inverse")
    torch.testing.assert_close(1.0 / found, 0.5 * (1.0 / even[1:] + 1.0 / even[:-1])[None], atol=1e-3, rtol=0)


@pytest.mark.parametrize("spacing", ["linear", "inverse"])
def test_guided_depths_rise_and_keep_a_share_for_what_the_guide_missed(spacing):
    uniforms = torch.rand(1, 20, generator=torch.Generator().manual_seed(0))
    depths = guided([0.0, 0.0, 1.0, 0.0], 20, spacing, uniforms)[0]
    assert (depths.diff() > 0).all() and depths.min() >= 1.0 and depths.max() <= 5.0
    outside = ((depths < 2.4) | (depths > 4.1)).sum().item()
    assert 2 <= outside <= 4


def test_no_gradient_flows_into_the_guide():
    weights = torch.tensor([[0.1, 0.2, 0.6, 0.1]], requires_grad=True)
    depths = guided_depths(Guide(torch.tensor([[1.0, 2.0, 3.0, 5.0]]), weights), 4, "linear")
    assert not depths.requires_grad


def test_pixels_around_are_near_inside_and_counted():
    generator = torch.Generator().manual_seed(0)
    pixels = torch.tensor([[0, 0], [9, 4], [5, 2]]).repeat(200, 1)
    around = pixels_around(pixels, 2, 5, 10, generator, None)
    assert (around - pixels).abs().max() == 2
    assert around.min() == 0 and around[:, 0].max() == 9 and around[:, 1].max() == 4
    mask = torch.zeros(5, 10, dtype=torch.bool)
    mask[2, 5:7] = True
    around = pixels_around(torch.tensor([[5, 2]] * 50), 2, 5, 10, generator, mask)
    assert set(map(tuple, around.tolist())) == {(5, 2), (6, 2)}


def test_a_guide_map_has_its_rays_and_mixes_those_between():
    """Weights rise with the column in the first sample, with the row in the second."""
    depths = torch.tensor([1.0, 2.0])

    def render(pixels):
        return Guide(depths.expand(len(pixels), 2), pixels.float())

    found = guide_map(7, 10, 4, torch.device("cpu"), render)
    assert found.rows.tolist() == [0, 4, 6] and found.columns.tolist() == [0, 4, 8, 9]
    pixels = pixel_grid(7, 10)
    guide = found.at(pixels)
    torch.testing.assert_close(guide.weights, pixels.float())
    assert torch.equal(guide.depths, depths.expand(70, 2))


@torch.no_grad()
def test_a_view_guided_at_every_pixel_is_the_view():
    model, example = tiny_model().eval(), tiny_example()
    sources, camera = prepared(model, example), example.target.camera
    rays = rays_of(example, pixel_grid(24, 32))
    own = model.coarse_pass(*sources, rays)
    (guided_pass,) = model.render_rays(*sources, rays, True, guide=Guide(own.depths, own.weights))
    plain = model.render_rays(*sources, rays, True)[-1]
    torch.testing.assert_close(guided_pass.color, plain.color, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(guided_pass.semantic, plain.semantic, atol=1e-5, rtol=1e-4)
    best, rough = (
        render_view(model, sources, camera, 0.5, 5.0, Quality(guide=guide)).color for guide in (1, 2)
    )
    torch.testing.assert_close(rough[:, ::2, ::2], best[:, ::2, ::2], atol=1e-5, rtol=1e-4)
    assert (rough - best).abs().max() > 1e-5
    assert (rough - best).abs().mean() < 0.01


@torch.no_grad()
def test_a_model_without_a_guided_pass_ignores_the_guide():
    for changes in ({"last_pass": "all"}, {"fine_samples": 0}):
        model, example = tiny_model(**changes).eval(), tiny_example()
        sources, camera = prepared(model, example), example.target.camera
        views = [render_view(model, sources, camera, 0.5, 5.0, Quality(guide=guide)) for guide in (1, 4)]
        assert torch.equal(views[0].color, views[1].color)


@torch.no_grad()
def test_a_guided_view_renders_the_coarse_pass_on_few_rays():
    model, example = tiny_model().eval(), tiny_example()
    count, coarse_pass = [0], model.coarse_pass

    def counted(record, cameras, rays):
        count[0] += len(rays)
        return coarse_pass(record, cameras, rays)

    model.coarse_pass = counted
    render_view(model, prepared(model, example), example.target.camera, 0.5, 5.0, Quality(guide=4))
    # Rows 0, 4, ..., 20 and 23; columns 0, 4, ..., 28 and 31.
    assert count == [7 * 9]


def test_training_renders_one_coarse_ray_for_several_fine_ones_near_it():
    model, example = tiny_model(rays_per_guide=3, guide_distance=2, weight_depth=1.0), tiny_example()
    seen, render = [], model._render

    def watched(record, cameras, rays, depths, *wanted):
        seen.append((rays, depths))
        return render(record, cameras, rays, depths, *wanted)

    model._render = watched
    losses, _ = model.losses(example, 20, torch.Generator().manual_seed(0))
    (coarse, coarse_depths), (fine, fine_depths) = seen
    assert coarse_depths.shape == (6, 6) and fine_depths.shape == (18, 4)
    # Neighbouring pixels differ by 1 / focal length, which is the width of the image.
    apart = 32 * (fine.directions - coarse.directions.repeat(3, 1)).abs()
    assert 0.5 < apart.max() < 2.01
    assert losses["depth"] > 0 and losses["photometric"] > 0
