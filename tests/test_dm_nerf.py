"""DM-NeRF: the published arrays, its sizes, its losses by hand, and what they train."""

from __future__ import annotations

import json
import math
from dataclasses import replace

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

from gpnerf.commands.options import parse_options
from gpnerf.datasets.instances import instance_ids
from gpnerf.datasets.labels import IGNORE
from gpnerf.geometry.rays import Rays
from gpnerf.media.images import read_image
from gpnerf.methods.dm_nerf.losses import emptiness_loss, set_losses
from gpnerf.methods.settings import Settings
from gpnerf.metrics.instance import assign_slots
from gpnerf.system.errors import ConfigError

LABEL_LOSSES = {"matching", "overlap", "unmatched", "emptiness"}
# Our names of the losses of a pass, and the golden ones.
LOSSES = {
    "matching": "valid_ce",
    "overlap": "soft_iou",
    "unmatched": "invalid_ce",
    "emptiness": "emptiness",
    "photometric": "rgb",
}


@pytest.fixture
def arrays(golden):
    found = golden("baselines/dm_nerf")
    return Golden("dm_nerf", found, classes=found["out/ins_fine"].shape[1], depths="z_vals")


@pytest.fixture
def rays(arrays):
    near, far = arrays["in/near_far"].tolist()
    return Rays(arrays["in/rays_o"], arrays["in/rays_d"], near, far, arrays["in/c2w"])


def test_network_is_the_published_one(arrays):
    place = arrays.model.coarse.trunk[0].in_features
    encoded, golden = arrays["in/mlp_x"], arrays["out/mlp_rgb_sigma_ins"]
    found = arrays.model.coarse.of_encoded(encoded[:, :place], encoded[:, place:], labels=True)
    assert_near(torch.cat([found.color, found.density[:, None], found.labels], dim=-1), golden)


def test_rays_are_rendered_as_published(arrays, rays):
    arrays.assert_depths(rays)
    for stage, found in zip(STAGES, arrays.at_golden_depths(rays), strict=True):
        assert_near(found.color, arrays[f"out/rgb_{stage}"])
        assert_near(found.depth, arrays[f"out/depth_{stage}"])
        assert_near(found.semantic, arrays[f"out/ins_{stage}"])


@pytest.mark.parametrize("stage", STAGES)
def test_labels_are_matched_to_the_published_slots(arrays, stage):
    labels, found = arrays["in/gt_label"], arrays[f"out/match_{stage}/gt_labels"]
    slots = assign_slots(arrays[f"out/ins_{stage}"].T, labels)
    expected = arrays[f"out/match_{stage}/slot_of_gt"]
    assert torch.equal(slots, expected[torch.searchsorted(found, labels)])


def test_losses_and_gradients_are_the_published_ones(arrays, rays):
    model, labels = arrays.model, arrays["in/gt_label"]
    total = 0.0
    for stage, found in zip(STAGES, arrays.at_golden_depths(rays), strict=True):
        losses = model.label_losses([found], rays, labels)
        losses["photometric"] = (found.color - arrays["in/gt_rgb"]).square().mean()
        assert set(losses) == set(model.loss_names)
        for name, value in losses.items():
            assert_near(value, arrays[f"out/loss_{stage}/{LOSSES[name]}"])
        total = total + model.total(losses)
    assert_near(total, arrays["out/loss_total"])
    arrays.assert_gradients(total)


@pytest.mark.parametrize(("name", "distance"), [("", None), ("_tolerance_0.6", 0.6)])
def test_the_emptiness_loss_is_the_published_one(arrays, name, distance):
    recipe = arrays.model.recipe
    found = emptiness_loss(
        arrays["in/empt_raw"][..., 4:],
        arrays["in/empt_z"],
        arrays["in/empt_depth"],
        arrays["in/empt_rays_d"],
        distance or recipe.surface_distance,
        recipe.surface_width,
    )
    assert_near(found, arrays[f"out/empt_loss{name}"])


def test_a_network_has_the_published_number_of_parameters():
    model = Settings.of("dm_nerf", classes=60).build()
    assert parameters(model.coarse) == parameters(model.fine) == 702_401


def test_defaults_are_as_published():
    options = parse_options("", ["--method", "dm_nerf"])
    expected = {
        "num_rays": 3072,
        "num_source_views": 0,
        "target": "instance",
        "instance_matching": "hungarian",
        "steps": 500_000,
        "decay_rate": 0.1,
        "decay_steps": 500_000,
        "samples": 64,
        "fine_samples": 128,
        "position_scale": 1.0,
        "density_noise": 0.0,
        "surface_distance": 0.05,
        "surface_width": 0.05,
        "lr_network": 5e-4,
    }
    assert {name: getattr(options, name) for name in expected} == expected


def test_set_losses_by_hand():
    """Slot 1 has the first ray, slot 2 the second, slots 0 and 3 none; the third ray belongs to no slot."""
    scores = torch.tensor([[0.1, 0.8, 0.5, 0.0], [0.3, 0.2, 0.5, 0.0], [0.2, 0.5, 0.5, 0.6]])
    found = set_losses(scores, torch.tensor([1, 2, IGNORE]))
    first = -(math.log(0.8) + math.log(0.8) + math.log(0.5)) / 3
    assert found.matching.item() == pytest.approx((first + math.log(2.0)) / 2, abs=1e-6)
    # Soft IoU: 0.8 of 0.8 + 0.2 + 0.5 + 1 - 0.8, and 0.5 of 1.5 + 1 - 0.5.
    overlap = (1 - 0.8 / 1.7 + 1 - 0.5 / 2.0) / 2
    assert found.overlap.item() == pytest.approx(overlap, abs=1e-5)
    assert found.unmatched.item() == pytest.approx((0.2 + 0.2) / 2, abs=1e-6)


def test_set_losses_without_labels_or_without_free_slots_are_zero():
    nothing = set_losses(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long))
    assert [one.item() for one in nothing] == [0.0, 0.0, 0.0]
    assert set_losses(torch.full((2, 2), 0.5), torch.tensor([0, 1])).unmatched.item() == 0.0


def test_the_emptiness_loss_by_hand():
    """A surface at depth 2 along a direction of length 2; one sample before it, at it and behind it."""
    labels = torch.tensor([[[0.5, 2.0], [3.0, -1.0], [9.0, 9.0]]])
    depths, direction = torch.tensor([[1.9, 1.97, 2.5]]), torch.tensor([[0.0, 0.0, 2.0]])
    found = emptiness_loss(labels, depths, torch.tensor([2.0]), direction, distance=0.05, width=0.05)

    def surface(distance):
        return math.exp(-0.5 * (distance / 0.05) ** 2) / (0.4 * math.sqrt(2 * math.pi))

    before = (math.log1p(math.exp(0.5)) + math.log1p(math.exp(-2.0))) / 2 * (1 - surface(0.2))
    middle = math.log1p(math.exp(-1.0)) * surface(0.06)
    assert found.item() == pytest.approx(before + middle, rel=1e-5)


def losses_of(model, example):
    return model.losses(example, 16, torch.Generator().manual_seed(0)).losses


def objects(**changes):
    """A tiny example whose three classes are objects 7, 8 and 9."""
    example = tiny_example()
    return replace(example, target=replace(example.target, instance=example.target.semantic + 7))


def test_labels_train_the_label_branch_alone():
    model = tiny_field("dm_nerf")
    losses = losses_of(model, objects())
    assert set(losses) == LABEL_LOSSES | {"photometric"}
    for network in (model.coarse, model.fine):
        for name in LABEL_LOSSES - {"unmatched"}:
            assert gradient_size(losses[name], network.labels) > 0
            assert gradient_size(losses[name], network.density) == 0
            assert gradient_size(losses[name], network.trunk) == 0
        assert gradient_size(losses["photometric"], network.labels) == 0
        assert gradient_size(losses["photometric"], network.density) > 0


def test_matched_slots_are_learned_of_objects_and_fixed_ones_of_classes():
    matched = tiny_field("dm_nerf")
    assert set(losses_of(matched, tiny_example())) == {"photometric"}
    fixed = tiny_field("dm_nerf", instance_matching="fixed")
    assert set(losses_of(fixed, tiny_example())) == LABEL_LOSSES | {"photometric"}
    colors = tiny_field("dm_nerf", classes=0)
    assert set(losses_of(colors, objects())) == {"photometric"}


def test_with_fixed_slots_an_id_is_its_slot():
    model, example = tiny_field("dm_nerf", instance_matching="fixed"), tiny_example()
    rays = Rays.through(torch.tensor([[3, 4], [20, 10]]), example.target.camera, 0.5, 5.0)
    passes = model.render_rays(None, None, rays, semantics=True)
    labels = torch.tensor([2, 0])
    found = model.label_losses(passes[1:], rays, labels)
    assert_close(found["matching"], set_losses(passes[1].semantic, labels).matching)


def test_unlabelled_rays_do_not_count():
    model, example = tiny_field("dm_nerf"), objects()
    rays = Rays.through(torch.tensor([[3, 4], [20, 10], [9, 9]]), example.target.camera, 0.5, 5.0)
    passes = model.render_rays(None, None, rays, semantics=True)
    found = model.label_losses(passes, rays, torch.tensor([4, IGNORE, 6]))
    fewer = model.render_rays(None, None, rays[::2], semantics=True)
    expected = model.label_losses(fewer, rays[::2], torch.tensor([4, 6]))
    for name in ("matching", "overlap", "unmatched"):
        assert_close(found[name], expected[name])
    nothing = model.label_losses(passes, rays, torch.full((3,), IGNORE))
    assert nothing["matching"].item() == 0.0 and nothing["emptiness"].item() > 0.0


def test_a_label_is_the_slot_with_the_largest_score():
    scores = torch.tensor([[0.2, 0.9, 0.0], [0.7, 0.8, 0.1]])[..., None]
    labels, confidence, _ = tiny_field("dm_nerf").labels(scores, 3, 1)
    assert labels.flatten().tolist() == [1, 0, 1]
    assert_close(confidence.flatten(), torch.tensor([0.7, 0.9, 0.1]))


def test_a_surface_of_no_width_is_refused():
    with pytest.raises(ConfigError, match="Expected --surface_width above 0, found 0"):
        tiny_field("dm_nerf", surface_width=0.0)


def test_a_room_goes_through_all_scripts(rooms_config, tmp_path):
    """Its slots are as many as all its training views have objects together."""
    config = write_field_config(tmp_path, rooms_config, "dm_nerf")
    checkpoint = assert_resumes(config)
    room = load_folder(rooms_config.parent / "rooms" / "v6_24x32_5" / "room_0000")
    assert len(checkpoint.class_names) == len(instance_ids(room, [0, 2, 3, 4], 24, 32))
    assert checkpoint.class_names[:2] == ("slot 0", "slot 1")
    run_here("eval.py", "--config", config, "--table", "2")
    folder = tmp_path / "out" / "dm_nerf"
    found = json.loads((folder / "eval" / "metrics.json").read_text())
    assert 0.0 <= found["overall"]["ap_50"] <= 1.0 and found["made_by"]["setting"] == "per scene"
    assert read_image(folder / "eval" / "room_0000" / "0001" / "labels.png").any()
    run_here("render.py", "--config", config)
    assert (folder / "render" / "room_0000_interpolate.mp4").is_file()


def test_classes_are_learned_with_fixed_slots_alone(rooms_config, tmp_path):
    config = write_field_config(tmp_path, rooms_config, "dm_nerf", target="semantic", steps=1)
    sentence = refusal("train.py", "--config", config)
    assert "Expected --target instance with --instance_matching hungarian, found semantic" in sentence
    fixed = [config, "--instance_matching", "fixed"]
    run_here("train.py", "--config", *fixed)
    run_here("eval.py", "--config", *fixed)
    scores = json.loads((tmp_path / "out" / "dm_nerf" / "eval" / "metrics.json").read_text())["overall"]
    assert 0.0 <= scores["miou"] <= 1.0


def test_a_scene_without_instances_is_refused(scene_writer, rooms_config, tmp_path):
    scene_writer(frames=5, semantic=True, name="office").write()
    place = {
        "dataset": "transforms",
        "data_root": tmp_path,
        "train_scenes": "office",
        "test_scenes": "office",
    }
    config = write_field_config(tmp_path, rooms_config, "dm_nerf", **place)
    sentence = refusal("train.py", "--config", config)
    assert "office: expected instance maps for --target instance, found none; add them" in sentence
