"""Semantic-NeRF: the published arrays, its sizes, and what its losses train."""

from __future__ import annotations

import json

import pytest
import torch
from helpers import gradient_size, load_folder, tiny_example
from radiance_fields import (
    STAGES,
    Golden,
    assert_near,
    assert_resumes,
    parameters,
    tiny_field,
    write_field_config,
)
from script_runs import refusal, run_here
from torch.testing import assert_close

import gpnerf
from gpnerf.commands.options import parse_options
from gpnerf.datasets.labels import IGNORE
from gpnerf.geometry.rays import Rays
from gpnerf.methods.settings import Settings
from gpnerf.networks.encoding import frequency_encoding
from gpnerf.system.errors import ConfigError


@pytest.fixture
def arrays(golden):
    found = golden("baselines/semantic_nerf")
    return Golden("semantic_nerf", found, classes=found["out/sem_logits_fine"].shape[1], depths="z")


@pytest.fixture
def rays(arrays):
    found = arrays["in/rays"]
    near, far = found[0, 6:8].tolist()
    return Rays(found[:, :3], found[:, 3:6], near, far, arrays["in/c2w"])


def test_encoding_is_the_published_one(arrays):
    scale = arrays.model.function.position_scale
    network = arrays.model.coarse
    points = frequency_encoding(arrays["in/embed_pts"] / scale, network.frequencies)
    assert_near(points, arrays["out/embed_pts"])
    toward = frequency_encoding(arrays["in/embed_dirs"], network.direction_frequencies)
    assert_near(toward, arrays["out/embed_dirs"])


def test_network_is_the_published_one(arrays):
    place = arrays["out/embed_pts"].shape[1]
    encoded, golden = arrays["in/mlp_x"], arrays["out/mlp_rgb_sigma_sem"]
    found = arrays.model.coarse.of_encoded(encoded[:, :place], encoded[:, place:], labels=True)
    assert_near(torch.cat([found.color, found.density[:, None], found.labels], dim=-1), golden)


def test_rays_are_rendered_as_published(arrays, rays):
    arrays.assert_depths(rays)
    for stage, found in zip(STAGES, arrays.at_golden_depths(rays), strict=True):
        assert_near(found.color, arrays[f"out/rgb_{stage}"])
        assert_near(found.depth, arrays[f"out/depth_{stage}"])
        assert_near(found.weights, arrays[f"out/weights_{stage}"])
        assert_near(found.weights.sum(dim=1), arrays[f"out/acc_{stage}"])
        assert_near(found.semantic, arrays[f"out/sem_logits_{stage}"])


def test_losses_and_gradients_are_the_published_ones(arrays, rays):
    passes = arrays.at_golden_depths(rays)
    # Class c is stored as c + 1, and void as 0.
    labels = arrays["in/gt_label_void0"] - 1
    assert IGNORE in labels
    losses = arrays.model.label_losses(passes, rays, labels)
    losses["photometric"] = sum((one.color - arrays["in/gt_rgb"]).square().mean() for one in passes)
    for name, ours in (("img", "photometric"), ("semantic", "semantic")):
        assert_near(losses[ours], sum(arrays[f"out/loss/{name}_loss_{stage}"] for stage in STAGES))
    total = arrays.model.total(losses)
    assert_near(total, arrays["out/loss/total_loss"])
    arrays.assert_gradients(total)


def test_a_network_has_the_published_number_of_parameters():
    model = Settings.of("semantic_nerf", classes=20).build()
    assert parameters(model.coarse) == parameters(model.fine) == 631_320


def test_defaults_are_as_published():
    options = parse_options("", ["--method", "semantic_nerf"])
    expected = {
        "num_rays": 1024,
        "num_source_views": 0,
        "steps": 200_000,
        "decay_rate": 0.1,
        "decay_steps": 250_000,
        "samples": 64,
        "fine_samples": 128,
        "position_scale": 10.0,
        "density_noise": 1.0,
        "weight_semantic": 0.04,
        "lr_network": 5e-4,
    }
    assert {name: getattr(options, name) for name in expected} == expected


def losses_of(model, example, seed=0, rays=16):
    return model.losses(example, rays, torch.Generator().manual_seed(seed)).losses


def test_labels_train_the_density():
    model, example = tiny_field("semantic_nerf"), tiny_example()
    semantic = losses_of(model, example)["semantic"]
    for network in (model.coarse, model.fine):
        for part in (network.density, network.trunk, network.labels):
            assert gradient_size(semantic, part) > 0
        assert gradient_size(semantic, network.color) == 0


def test_classes_do_not_depend_on_the_direction():
    model = tiny_field("semantic_nerf")
    points = torch.rand(2, 3, 3)
    one, other = (model.fine(points, directions, True) for directions in torch.randn(2, 2, 3))
    assert torch.equal(one.labels, other.labels) and torch.equal(one.density, other.density)
    assert not torch.equal(one.color, other.color)


def test_a_view_without_labels_has_only_the_loss_of_colours():
    model = tiny_field("semantic_nerf")
    assert set(losses_of(model, tiny_example(semantic=False))) == {"photometric"}
    assert set(losses_of(tiny_field("semantic_nerf", classes=0), tiny_example())) == {"photometric"}


def test_all_random_numbers_come_from_the_generator():
    model, example = tiny_field("semantic_nerf"), tiny_example()
    first, again, other = (losses_of(model, example, seed) for seed in (1, 1, 2))
    assert torch.equal(first["photometric"], again["photometric"])
    assert not torch.equal(first["photometric"], other["photometric"])


def test_noise_on_densities_is_for_training_alone():
    """Without noise and jitter, and with one sample that ends the ray, only noise could change the depth."""
    example = tiny_example()
    pixels = torch.tensor([[3, 4], [20, 10]])
    rays = Rays.through(pixels, example.target.camera, example.near, example.far)
    quiet, noisy = (tiny_field("semantic_nerf", density_noise=size) for size in (0.0, 5.0))
    depths = torch.linspace(example.near, example.far, 6).expand(2, -1)

    def weights(model, generator):
        return model._render(model.coarse, rays, depths, False, generator).weights

    def seeded():
        return torch.Generator().manual_seed(0)

    assert torch.equal(weights(quiet, None), weights(noisy, None))
    assert torch.equal(weights(quiet, None), weights(quiet, seeded()))
    assert not torch.equal(weights(quiet, None), weights(noisy, seeded()))


def test_the_unit_of_positions_is_free():
    """A scene twice as large, with positions divided by twice as much, is the same to the network."""
    points, directions = torch.rand(2, 5, 3), torch.randn(2, 3)
    small, large = (tiny_field("semantic_nerf", position_scale=scale) for scale in (10.0, 20.0))
    assert_close(small.fine(points, directions), large.fine(2.0 * points, directions))


def test_the_fine_pass_has_the_coarse_samples_too():
    model, example = tiny_field("semantic_nerf"), tiny_example()
    rays = Rays.through(torch.tensor([[3, 4]]), example.target.camera, example.near, example.far)
    coarse, fine = model.render_rays(None, None, rays, semantics=True)
    step = (example.far - example.near) / 5
    assert_close(coarse.depths[0], example.near + step * torch.arange(6.0))
    assert fine.depths.shape == (1, 10) and bool((fine.depths.diff() >= 0).all())
    assert set(coarse.depths[0].tolist()) <= set(fine.depths[0].tolist())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"samples": 2},
            "Expected --samples of at least 3, which the fine pass needs, found 2; increase it.",
        ),
        ({"position_scale": 0.0}, "Expected --position_scale above 0, found 0"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        tiny_field("semantic_nerf", **changes)


def test_a_room_goes_through_all_scripts(rooms_config, tmp_path):
    config = write_field_config(tmp_path, rooms_config, "semantic_nerf")
    assert_resumes(config)
    run_here("eval.py", "--config", config, "--table", "1,3")
    folder = tmp_path / "out" / "semantic_nerf"
    found = json.loads((folder / "eval" / "metrics.json").read_text())
    assert found["overall"]["psnr"] > 3.0 and 0.0 <= found["overall"]["miou"] <= 1.0
    assert found["made_by"]["setting"] == "per scene"
    assert "Semantic-NeRF" in (folder / "eval" / "table_1.md").read_text()
    camera = load_folder(rooms_config.parent / "rooms" / "v6_24x32_5" / "room_0000").view(1).camera
    view = gpnerf.load(folder).render(None, None, camera, 0.5, 5.0)
    assert view.color.shape == (3, 24, 32) and view.labels.shape == (24, 32)
    run_here("render.py", "--config", config)
    assert (folder / "render" / "room_0000_interpolate.mp4").is_file()
    sentence = refusal("train.py", "--config", config, "--train_scenes", "0,1000")
    assert "Expected one scene, because --method semantic_nerf learns a single one, found 2" in sentence


def test_objects_are_classes_of_the_scene_too(rooms_config, tmp_path):
    config = write_field_config(tmp_path, rooms_config, "semantic_nerf", target="instance", steps=1)
    run_here("train.py", "--config", config)
    run_here("eval.py", "--config", config)
    scores = json.loads((tmp_path / "out" / "semantic_nerf" / "eval" / "metrics.json").read_text())["overall"]
    assert 0.0 <= scores["ap_50"] <= 1.0 and scores["miou"] is None
