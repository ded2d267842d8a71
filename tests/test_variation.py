"""Varied examples: geometry that stays true, draws within their limits, and repetition."""

import numpy as np
import pytest
import torch
from helpers import load_folder, tiny_example, tiny_model
from script_runs import refusal, run_here
from sloping_wall import HEIGHT, WIDTH, colors_at, on_slope, sloping_scene

from gpnerf.datasets.examples import TrainingExamples
from gpnerf.datasets.variation import (
    COLOR,
    DAMAGE,
    EXPOSURE,
    KINDS,
    RANGE,
    SIZE,
    SOURCES,
    SPACING,
    UNIT,
    Variation,
    damaged,
    draw_colors,
    draw_crop,
    draw_gains,
    exposed,
)
from gpnerf.geometry.cameras import pixel_grid
from gpnerf.geometry.canonical import FAR
from gpnerf.geometry.rays import Rays
from gpnerf.training.checkpoint import latest_checkpoint


@pytest.fixture
def slope(scene_writer):
    return sloping_scene(scene_writer)


def training(scene, *vary, seed=0):
    size, every = (HEIGHT, WIDTH, 3, "distance"), range(8)
    return TrainingExamples([(scene, every, every)], *size, seed, 120, vary=vary)


def test_pixels_depth_and_cameras_of_a_varied_size_show_the_same_surface(slope):
    sizes = set()
    for step in range(12):
        example = training(slope, SIZE)[step]
        target, camera = example.target, example.target.camera
        assert target.image.shape[1:] == target.depth.shape == (camera.height, camera.width)
        origins, directions = camera.rays(pixel_grid(camera.height, camera.width))
        points = origins + target.depth.reshape(-1, 1) * directions
        points = points.reshape(camera.height, camera.width, 3)
        # A pixel of depth is at most half a stored pixel from its place: 0.5 / 80 * 2.5 m * the slope.
        error = points[..., 2] - (-2.0 + 0.3 * points[..., 0] + 0.2 * points[..., 1])
        assert error.abs().max() < 0.02 and error.mean().abs() < 5e-4
        views = [(target.image, camera)]
        views += [(image, example.sources.cameras[v]) for v, image in enumerate(example.sources.images)]
        for image, seen_by in views:
            error = (image - colors_at(on_slope(seen_by)))[:2, 1:-1, 1:-1]
            # Rounded twice to 8 bits; a shift by half a pixel would be 0.5 / 80 * 2 m * 0.2 = 0.0025.
            assert error.abs().max() < 5e-3 and error.mean(dim=(1, 2)).abs().max() < 8e-4
        left = on_slope(camera)[..., 0] < 0.0
        assert (target.semantic == left).float().mean() > 0.97
        sizes.add((camera.height, camera.width))
    assert len(sizes) > 8


def test_drawn_sizes_keep_their_limits_and_pixels_stay_square():
    random, lying, longer_sides = np.random.default_rng(0), 0, []
    for _ in range(500):
        box, height, width = draw_crop(random, 480, 640, 320, 17)
        assert height % 4 == width % 4 == 0 and 96 <= max(height, width) <= 320
        tall, wide = 480 * box.height, 640 * box.width
        assert wide / tall == pytest.approx(width / height)
        share = tall * wide / (min(480, 640 * height / width) * min(640, 480 * width / height))
        assert 0.6 <= share <= 1.0 + 1e-9
        assert box.top >= 0 and box.left >= 0 and box.top + box.height <= 1 + 1e-9
        lying += width > height
        longer_sides.append(max(height, width))
    assert 170 < lying < 260
    # Evenly in the logarithm: half lie below the geometric mean of 96 and 320, 175.
    assert 210 < sum(side < 175 for side in longer_sides) < 290


def test_small_frames_are_not_enlarged_and_no_side_is_below_what_the_method_needs():
    random = np.random.default_rng(0)
    for _ in range(200):
        box, height, width = draw_crop(random, 48, 64, 320, 17)
        assert max(height, width) <= 64 and min(height, width) >= 20
        assert max(height / (48 * box.height), width / (64 * box.width)) < 1.3


def test_a_varied_target_always_has_pixels_that_count(scene_writer):
    writer = scene_writer(frames=3, depth=True)
    writer.mask_from(2)
    scene = load_folder(writer.write())
    examples = TrainingExamples([(scene, range(3), range(3))], 6, 8, 2, "distance", 0, 60, vary=(SIZE,))
    masks = [examples[step].target.mask for step in range(60)]
    assert all(mask is None or mask.any() for mask in masks)


def test_the_number_of_sources_is_drawn_from_3_to_10_and_from_those_there_are():
    variation = Variation((SOURCES,), 0, 320)
    drawn = [variation.count(step, -1, 23) for step in range(800)]
    drawn = [number for number in drawn if number != -1]
    assert 350 < len(drawn) < 450
    assert all(30 < drawn.count(number) < 75 for number in range(3, 11)) and set(drawn) == set(range(3, 11))
    assert {variation.count(step, 4, 5) for step in range(60)} == {3, 4, 5}
    assert {variation.count(step, 2, 2) for step in range(20)} == {2}
    assert Variation((), 0, 320).count(0, 4, 23) == 4


def test_spacing_keeps_every_second_or_third_frame_while_there_is_a_choice():
    variation, frames = Variation((SPACING,), 0, 320), list(range(24))
    drawn = [tuple(variation.candidates(step, frames, 4)) for step in range(200)]
    assert set(drawn) == {tuple(frames[first::k]) for k in (1, 2, 3) for first in range(k)}
    assert {len(variation.candidates(step, frames, 5)) for step in range(50)} == {24, 12}
    assert {len(variation.candidates(step, frames, 7)) for step in range(50)} == {24}


def test_equal_gains_of_all_sources_are_those_of_the_target():
    image = torch.full((3, 2, 2), 0.4)
    gains = torch.tensor([[0.1, -0.2, 0.3]]).expand(5, 3)
    target, sources = exposed(image, image.expand(5, 3, 2, 2), gains)
    for one in (target, *sources):
        torch.testing.assert_close(one[:, 0, 0], 0.4 * torch.tensor([0.1, -0.2, 0.3]).exp())


def test_the_target_has_the_mean_of_the_gains_and_what_is_too_bright_is_white():
    gains = torch.tensor([[0.5, 0.5, 0.5], [-0.1, -0.1, -0.1]])
    target, sources = exposed(torch.full((3, 1, 1), 0.7), torch.full((2, 3, 1, 1), 0.7), gains)
    assert target.flatten().tolist() == pytest.approx([0.7 * np.exp(0.2)] * 3)
    assert sources[0].flatten().tolist() == [1.0] * 3
    assert sources[1].flatten().tolist() == pytest.approx([0.7 * np.exp(-0.1)] * 3)


def test_gains_are_mostly_of_whole_photographs():
    gains = draw_gains(np.random.default_rng(0), 4000)
    assert gains.mean(dim=1).std().item() == pytest.approx((0.2**2 + 0.06**2 / 3) ** 0.5, rel=0.05)
    assert (gains - gains.mean(dim=1, keepdim=True)).std().item() == pytest.approx(
        0.06 * (2 / 3) ** 0.5, rel=0.05
    )


def test_damage_spares_the_target_and_some_sources(slope):
    clean, harmed = training(slope), training(slope, DAMAGE)
    errors = []
    for step in range(40):
        before, after = clean[step], harmed[step]
        assert torch.equal(before.target.image, after.target.image)
        assert after.sources.images.dtype == torch.float32
        assert after.sources.images.min() >= 0.0 and after.sources.images.max() <= 1.0
        errors += (after.sources.images - before.sources.images).square().mean(dim=(1, 2, 3)).sqrt().tolist()
    # Half of the examples are spared, and in the others, each of three kinds spares half of the views.
    assert 0.45 < sum(error == 0.0 for error in errors) / len(errors) < 0.67
    assert 0.01 < max(errors) < 0.1


def test_damage_of_a_grey_image_is_noise_alone():
    """Blur and JPEG keep an even grey, up to the rounding to 8 bits."""
    grey = torch.full((3, 32, 32), 128 / 255)
    spread = [damaged(np.random.default_rng(seed), grey).std().item() for seed in range(60)]
    assert 15 < sum(one < 1e-6 for one in spread) < 45 and max(spread) < 0.035


def test_each_kind_is_repeated_by_its_step_and_leaves_the_others_alone(slope):
    def shown(examples, step):
        example = examples[step]
        return [example.target.image, example.sources.images, example.sources.cameras.intrinsics]

    varied, again = training(slope, *KINDS), training(slope, *KINDS)
    everything = [shown(varied, step) for step in range(6)]
    assert all(map(torch.equal, shown(again, 4), everything[4]))
    assert len({one[0].shape for one in everything}) > 3
    other = training(slope, *KINDS, seed=1)
    assert [shown(other, step)[0].shape for step in range(6)] != [one[0].shape for one in everything]
    changed = []
    for step in range(12):
        sized, both = shown(training(slope, SIZE), step), shown(training(slope, SIZE, EXPOSURE), step)
        assert torch.equal(sized[2], both[2])
        changed.append(not torch.equal(sized[1], both[1]))
    assert 3 <= sum(changed) <= 9


def test_training_with_all_kinds_resumes_with_the_weights_of_one_go(rooms_config, tmp_path):
    options = ["--config", rooms_config, "--out", tmp_path, "--vary", ",".join(KINDS)]
    run_here("train.py", *options, "--expname", "whole")
    run_here("train.py", *options, "--expname", "parts", "--steps", 3)
    assert "Resuming" in run_here("train.py", *options, "--expname", "parts")
    whole, parts = (latest_checkpoint(tmp_path / name).model for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_colors_change_alike_in_all_views():
    recolor = draw_colors(np.random.default_rng(0))
    red = torch.tensor([1.0, 0.0, 0.0])[:, None, None].expand(3, 4, 5)
    changed = recolor(red)
    assert (changed == changed[:, :1, :1]).all() and not torch.equal(changed, red)
    assert torch.equal(recolor(red.expand(2, 3, 4, 5))[1], changed)
    gray = torch.rand(4, 5).expand(3, 4, 5)
    for step in range(20):
        images = draw_colors(np.random.default_rng(step))(torch.rand(2, 3, 6, 7))
        assert images.min() >= 0 and images.max() <= 1
    black_and_white = torch.tensor([0.0, 1.0]).expand(3, 1, 2)
    assert torch.allclose(recolor(black_and_white), black_and_white, atol=1e-6)
    assert recolor(gray).isfinite().all()


def test_the_target_changes_its_colors_as_its_sources_do(slope):
    draws = Variation([COLOR], 0, 1)
    spared = 0
    for step in range(12):
        plain, varied = training(slope)[step], training(slope, COLOR)[step]
        random = draws._random(COLOR, step)
        recolor = (lambda images: images) if random is None else draw_colors(random)
        assert torch.equal(recolor(plain.target.image), varied.target.image)
        assert torch.equal(recolor(plain.sources.images), varied.sources.images)
        assert torch.equal(plain.target.depth, varied.target.depth)
        spared += random is None
    assert 3 <= spared <= 9


def test_range_and_unit_stay_within_their_factors_and_repeat(slope):
    drawn = [training(slope, RANGE, UNIT)[step] for step in range(120)]
    nearer, farther = ([getattr(one, end) / getattr(slope, end) for one in drawn] for end in ("near", "far"))
    assert 1 / 1.2 <= min(nearer) < 0.85 and 0.97 < max(nearer) <= 1.0
    assert 1.0 <= min(farther) < 1.03 and 1.17 < max(farther) <= 1.2
    varied = [pair for pair in zip(nearer, farther, strict=True) if pair != (1.0, 1.0)]
    assert 45 <= len(varied) <= 75 and sum(one.unit is not None for one in drawn) == len(varied)
    assert abs(np.corrcoef(*zip(*varied, strict=True))[0, 1]) < 0.4
    units = [one.unit / (slope.far / FAR) for one in drawn if one.unit]
    assert 0.5 <= min(units) < 0.55 and 1.85 < max(units) <= 2.0
    assert training(slope, UNIT)[7].unit == drawn[7].unit and training(slope, UNIT)[7].near == slope.near
    assert training(slope)[7].unit is None


def test_the_unit_changes_what_the_network_sees_and_not_the_depths_of_the_samples():
    model, example = tiny_model(), tiny_example()
    prepared, camera = model.prepare(example.sources, example.near, example.far), example.target.camera
    pixels = pixel_grid(camera.height, camera.width)[:7]

    def rendered(unit):
        rays = Rays.through(pixels, camera, example.near, example.far, unit)
        return model.render_rays(prepared, example.sources.cameras, rays, semantics=False)[0]

    usual, same, other = rendered(None), rendered(example.far / FAR), rendered(example.far)
    assert torch.equal(usual.color, same.color)
    assert torch.allclose(usual.depths, other.depths, rtol=1e-5)
    assert (usual.color - other.color).abs().max() > 1e-3


def test_world_coordinates_have_no_unit_to_vary(rooms_config):
    sentence = refusal("train.py", "--config", rooms_config, "--coordinates", "world", "--vary", "size,unit")
    assert "Expected --vary without unit in coordinates of the world" in sentence
    assert "or choose --method gpnerf --coordinates camera." in sentence
