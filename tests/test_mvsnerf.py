"""MVSNeRF's networks, volume and rendering: the reference's numbers, and the margin of its volume."""

from dataclasses import replace

import pytest
import torch
from helpers import tiny_example
from mvsnerf_arrays import golden_scene
from torch.testing import assert_close

from gpnerf.geometry.compositing import composite, compositing_weights, opacities
from gpnerf.geometry.sampling import LINEAR, coarse_depths
from gpnerf.methods.mvsnerf.cost_volume import cost_volume, normalized, warp
from gpnerf.methods.mvsnerf.frustum import Frustum
from gpnerf.methods.mvsnerf.scene_volume import SourceVolume, pixels_of, sample_volume
from gpnerf.methods.settings import Settings
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


def test_networks_have_the_published_numbers_of_parameters():
    def count(network):
        return sum(one.numel() for one in network.parameters())

    model, labelled = (Settings.of("mvsnerf", classes=classes).build() for classes in (0, 20))
    assert (count(model.encoder.features), count(model.encoder.volume)) == (41_208, 299_736)
    assert (count(model.encoder), count(model.field)) == (340_944, 126_788)
    # Linear 128 -> 64 and 64 -> 21.
    assert count(labelled) == count(model) + 128 * 64 + 64 + 64 * 21 + 21


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        # 256 / 4 + 48 = 112 and 320 / 4 + 48 = 128, which 8 divides: the published margin alone.
        ((256, 320), (112, 128)),
        ((480, 640), (168, 208)),
        # 240 / 4 + 48 = 108: four more rows. 90 / 4 is 22.5, so 23 + 48 = 71: one more.
        ((240, 320), (112, 128)),
        ((90, 121), (72, 80)),
    ],
)
def test_the_margin_grows_to_what_the_network_over_the_volume_divides(size, shape):
    assert Frustum(*size, 128, 24, 0.1, 10.0).shape == (128, *shape)


def test_coordinates_count_the_added_margin():
    # 20 / 4 = 5 columns and 12 / 4 = 3 rows, 2 + 2 more, rounded up to 16 and 8.
    frustum = Frustum(12, 20, 16, 2, 1.0, 5.0)
    pixels = torch.tensor([[0.0, 0.0], [19.0, 11.0], [9.5, 5.5]])
    found = frustum.coordinates(pixels, torch.tensor([1.0, 5.0, 2.0]))
    expected = [[2 / 16, 2 / 8, 0.0], [7 / 16, 5 / 8, 1.0], [4.5 / 16, 3.5 / 8, 0.25]]
    assert_close(found, torch.tensor(expected))


def matrices(cameras):
    """From features of the first view, times depth, to features of each other: [V - 1, 4, 4], as released."""
    scale = torch.diag(torch.tensor([0.25, 0.25, 1.0]))
    projections = torch.eye(4).repeat(len(cameras.intrinsics), 1, 1)
    world_to_camera = torch.linalg.inv(cameras.camera_to_world.float())
    projections[:, :3] = scale @ cameras.intrinsics @ world_to_camera[:, :3]
    return projections[1:] @ torch.linalg.inv(projections[0])


@torch.no_grad()
def test_every_cell_shows_what_the_published_matrices_say_the_added_margin_too():
    """24 x 40 pixels: 6 + 4 rows are 10, and 10 + 4 columns are 14; both become 16."""
    example = tiny_example(24, 40)
    frustum = Frustum(24, 40, 16, 2, example.near, example.far)
    maps = torch.rand(2, 5, 6, 10, generator=torch.Generator().manual_seed(0))
    found, seen = warp(maps, example.sources, frustum)
    assert found.shape == (2, 16, 16, 16, 5)
    depths = torch.linspace(example.near, example.far, 16)[:, None, None]
    rows, columns = torch.meshgrid(torch.arange(16.0) - 2, torch.arange(16.0) - 2, indexing="ij")
    places = torch.stack([columns * depths, rows * depths, depths.expand(16, 16, 16), torch.ones(16, 16, 16)])
    image = torch.einsum("vij,jdhw->vdhwi", matrices(example.sources.cameras), places)
    pixels = image[..., :2] / image[..., 2:3]
    grid = 2 * pixels / torch.tensor([9.0, 5.0]) - 1
    inside = (grid.abs() < 1).all(dim=-1)
    expected = torch.nn.functional.grid_sample(maps, grid.flatten(1, 2), align_corners=True)
    assert_close(found, expected.movedim(1, -1).unflatten(1, (16, 16)), atol=1e-4, rtol=1e-4)
    # The cameras stand side by side, so that whole rows of cells lie on the border of an image.
    clear = ((grid.abs() - 1).abs() > 1e-4).all(dim=-1)
    assert torch.equal(seen & clear, inside & clear)
    # The added margin lies in the view of the camera to the right.
    assert inside[..., 14:].any()


@torch.no_grad()
def test_masked_pixels_are_seen_by_no_view(scene):
    masks = torch.ones(3, *scene.sources.images.shape[-2:], dtype=torch.bool)
    features, images = scene.arrays["out/features"], normalized(scene.sources.images)
    depths = scene.arrays["out/z"]

    def both(masks):
        sources = replace(scene.sources, masks=masks)
        volume = cost_volume(sources, images, features, scene.frustum)
        record = SourceVolume(volume[:8], pixels_of(sources), sources.cameras, scene.frustum)
        return volume, sample_volume(record, scene.rays, depths).features

    for one, other in zip(both(None), both(masks), strict=True):
        assert_close(one, other)
    masks[1] = False
    volume, read = both(masks)
    assert (volume[3:6] == 0).all() and (volume[6:9] != 0).any()
    # Behind the features of the volume: three colours and a bit for each view.
    seen = read[..., [8 + 3, 8 + 7, 8 + 11]]
    assert (seen[..., 1] == 0).all() and (seen[..., 0] == 1).any() and (seen[..., 2] == 1).any()
