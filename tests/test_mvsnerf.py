"""MVSNeRF's networks, volume and rendering: the reference's numbers, and the margin of its volume."""

import pytest
import torch
from mvsnerf_arrays import golden_scene
from torch.testing import assert_close

from gpnerf.geometry.compositing import composite, compositing_weights, opacities
from gpnerf.geometry.sampling import LINEAR, coarse_depths
from gpnerf.methods.mvsnerf.cost_volume import cost_volume, normalized, warp
from gpnerf.methods.mvsnerf.scene_volume import SourceVolume, pixels_of, sample_volume
from gpnerf.networks.encoding import frequency_encoding

# Points near the border of an image flip with rounding.
MOST_FLIPPED = 2


def near_golden(actual, expected):
    assert_close(actual, expected, atol=2e-4, rtol=2e-4)


@pytest.fixture
def scene(golden):
    return golden_scene(golden("baselines/mvsnerf"))


@torch.no_grad()
def test_features_match_the_reference(scene):
    found = scene.model.encoder.features(normalized(scene.sources.images))
    near_golden(found, scene.arrays["out/features"])


@torch.no_grad()
def test_what_views_see_of_the_volume_matches_the_reference(scene):
    _, seen = warp(scene.arrays["out/features"][1:], scene.sources, scene.frustum)
    golden = scene.arrays["out/in_masks"]
    assert (golden[0] == 1).all() and golden.shape[1:] == scene.frustum.shape
    assert (seen != golden[1:].bool()).sum() <= MOST_FLIPPED


@torch.no_grad()
def test_the_cost_volume_matches_the_reference(scene):
    colors = normalized(scene.sources.images)
    found = cost_volume(scene.sources, colors, scene.arrays["out/features"], scene.frustum)
    near_golden(found, scene.arrays["out/cost_volume"])


@torch.no_grad()
def test_the_network_over_the_volume_matches_the_reference(scene):
    near_golden(
        scene.model.encoder.volume(scene.arrays["out/cost_volume"][None])[0],
        scene.arrays["out/feature_volume"],
    )


@torch.no_grad()
def test_what_samples_read_matches_the_reference(scene):
    arrays, rays = scene.arrays, scene.rays
    depths = coarse_depths(rays.near, rays.far, *arrays["out/z"].shape, LINEAR)
    near_golden(depths, arrays["out/z"])
    near_golden(rays.directions, arrays["out/rays_d"])
    volume = SourceVolume(
        arrays["out/feature_volume"], pixels_of(scene.sources), scene.sources.cameras, scene.frustum
    )
    found = sample_volume(volume, rays, depths)
    near_golden(found.places, arrays["out/ndc"])
    near_golden(found.features, arrays["out/point_features"])
    encoded = frequency_encoding(arrays["out/ndc"][:2, :2], 10, sines_first=True)
    near_golden(encoded, arrays["out/embed_ndc"])


@torch.no_grad()
def test_rendered_rays_match_the_reference(scene):
    arrays = scene.arrays
    directions = torch.nn.functional.normalize(arrays["out/rays_d"], dim=-1)
    directions = directions @ scene.sources.cameras.camera_to_world[0, :3, :3].float()
    found = scene.model.field(arrays["out/ndc"], arrays["out/point_features"], directions)
    near_golden(found.color.sigmoid(), arrays["out/mlp_rgb_sigma"][..., :3])
    near_golden(found.density.relu(), arrays["out/mlp_rgb_sigma"][..., 3])
    alpha = opacities(found.density.relu())
    rendered = compositing_weights(alpha)
    near_golden(alpha, arrays["out/alpha"])
    near_golden(rendered, arrays["out/weights"])
    near_golden(composite(rendered, found.color.sigmoid()), arrays["out/rgb"])
    near_golden((rendered * arrays["out/z"]).sum(dim=-1), arrays["out/depth"])
