"""NeuRay's networks: the reference's numbers, and the rules that its descendants share."""

import pytest
import torch
from helpers import gradient_size, tensors
from neuray_arrays import (
    AGGREGATION,
    DECODER,
    FIELDS,
    UNET,
    VISIBILITY,
    cameras_of,
    field_weights,
    golden_samples,
    golden_scene,
    part,
)
from torch.testing import assert_close

from gpnerf.geometry.compositing import composite, compositing_weights, opacities
from gpnerf.geometry.sampling import INVERSE, Guide, cell_depths, coarse_depths
from gpnerf.methods.neuray_family.objective import photometric_loss
from gpnerf.networks.extractor import ResidualUNet
from gpnerf.networks.neuray.aggregation import Aggregation, Widths
from gpnerf.networks.neuray.field import Field
from gpnerf.networks.neuray.hit_probability import HitDecoder, cells
from gpnerf.networks.neuray.label_branches import NONE
from gpnerf.networks.neuray.layers import positions
from gpnerf.networks.neuray.ray_features import (
    DepthFeatures,
    VisibilityEncoder,
    consistency_maps,
    normalized_depth,
)
from gpnerf.networks.neuray.source_samples import (
    SourceSamples,
    sample_sources,
)

# Of the network over depth maps, besides its U-Net: names of the reference and ours.
OTHERS = (("depth_skip", "depth_skip"), ("conv_out", "out"))
PUBLISHED = Widths(features=32, ray_features=32, inside=32, heads=4)


def near_golden(actual, expected, tolerance=1e-4):
    assert_close(actual, expected, atol=tolerance, rtol=tolerance)


@pytest.fixture
def scene(golden):
    return golden_scene(golden("baselines/neuray"), "out/vis_encoder")


def published_field(arrays, one):
    field = Field(PUBLISHED, False, NONE, 0)
    field.load_state_dict(field_weights(arrays, one))
    return field


@torch.no_grad()
def test_the_image_encoder_matches_the_reference(golden):
    arrays = tensors(golden("baselines/neuray_image_encoder"))
    network = ResidualUNet((16, 32, 64, 128), (1, 2, 6), 32)
    network.load_state_dict(part(arrays, "image_encoder.", UNET))
    near_golden(network(arrays["in/image"]), arrays["out/image_encoder"], 2e-5)


@torch.no_grad()
def test_features_from_depth_match_the_reference(golden):
    arrays = tensors(golden("baselines/neuray_depth_init"))
    images, depths = arrays["in/imgs"], arrays["in/depth"][:, 0]
    near, far = arrays["in/depth_range"].tolist()
    cameras = cameras_of(arrays["in/K"], arrays["in/poses_w2c"], *depths.shape[1:])
    near_golden(normalized_depth(depths, near, far), arrays["out/depth_normalised"], 2e-4)
    agreement = consistency_maps(images, depths, cameras, near, far)
    near_golden(agreement, arrays["out/diff_feats"], 2e-4)
    network = DepthFeatures(32, (2, 2, 2), 32)
    unet = part(arrays, "init_net.res_net.", UNET)
    others = [part(arrays, f"init_net.{name}.", ((r"^", f"{ours}."),)) for name, ours in OTHERS]
    network.load_state_dict({f"network.{name}": one for name, one in unet.items()} | others[0] | others[1])
    found = network(images, arrays["out/depth_normalised"], arrays["out/diff_feats"])
    near_golden(found, arrays["out/ray_feats"], 2e-4)


@torch.no_grad()
def test_the_visibility_encoder_matches_the_reference(golden):
    arrays = tensors(golden("baselines/neuray"))
    network = VisibilityEncoder(32, 32)
    network.load_state_dict(part(arrays, "vis_encoder.", VISIBILITY))
    near_golden(network(arrays["in/img_feats"], arrays["in/ray_feats_raw"]), arrays["out/vis_encoder"])


@torch.no_grad()
def test_what_views_show_of_samples_matches_the_reference(scene):
    arrays = scene.arrays
    samples, _ = golden_samples(arrays, "coarse")
    found = sample_sources(scene.maps, scene.cameras, scene.rays, arrays["out/depth_coarse"][0])
    assert torch.equal(found.seen, samples.seen)
    for name in ("colors", "features", "ray_features", "depths", "directions"):
        near_golden(getattr(found, name), getattr(samples, name))


@torch.no_grad()
def test_hit_mixtures_match_the_reference(scene):
    arrays = scene.arrays
    decoder = HitDecoder(32, False)
    decoder.load_state_dict(part(arrays, "dist_decoder.", DECODER))
    found = decoder.decode(arrays["in/decoder_feats"])
    for one, name in ((found.means, "mean"), (found.scales, "var"), (found.share, "aw")):
        near_golden(one, arrays[f"out/decoder_{name}"])


@pytest.mark.parametrize("one", FIELDS)
@torch.no_grad()
def test_hits_match_the_reference(scene, one):
    arrays, field = scene.arrays, published_field(scene.arrays, one)
    depths = arrays[f"out/depth_{one}"][0]
    views = sample_sources(scene.maps, scene.cameras, scene.rays, depths)
    sides = cells(views.depths, depths, scene.rays.near, scene.rays.far)
    hits = field.hits(views.ray_features, *sides)
    near_golden(hits.visibility * views.seen, arrays[f"mid/{one}/prj_vis"][..., 0])
    near_golden(hits.probability * views.seen, arrays[f"mid/{one}/prj_hit_prob"][..., 0])


@pytest.mark.parametrize("which", ["coarse", "blind"])
@torch.no_grad()
def test_aggregation_matches_the_reference_whatever_views_see(scene, which):
    arrays = scene.arrays
    found = published_field(arrays, "coarse").aggregation(*golden_samples(arrays, which))
    near_golden(found.densities, arrays[f"mid/{which}/density"])
    near_golden(found.colors, arrays[f"mid/{which}/colors"])


@pytest.mark.parametrize("one", FIELDS)
@torch.no_grad()
def test_rendered_rays_match_the_reference(scene, one):
    arrays, rays, end = scene.arrays, scene.rays, "_fine" if one == "fine" else ""
    depths = arrays[f"out/depth_{one}"][0]
    views = sample_sources(scene.maps, scene.cameras, rays, depths)
    found = published_field(arrays, one)(views, depths, rays.near, rays.far, labels=False)
    near_golden(found.weights, arrays[f"out/hit_prob_nr{end}"][0])
    near_golden(found.colors, arrays[f"out/pixel_colors_nr{end}"][0])
    near_golden((found.weights * depths).sum(dim=-1), arrays[f"out/render_depth{end}"][0])


@torch.no_grad()
def test_depths_of_both_passes_match_the_reference(scene):
    arrays, rays = scene.arrays, scene.rays
    coarse, fine = arrays["out/depth_coarse"][0], arrays["out/depth_fine"][0]
    near_golden(coarse_depths(rays.near, rays.far, *coarse.shape, INVERSE), coarse)
    weights = arrays["out/hit_prob_nr"][0]
    near_golden(cell_depths(Guide(coarse, weights), fine.shape[1], INVERSE), fine)


def test_losses_match_the_reference(scene):
    arrays = scene.arrays
    for end in ("", "_fine"):
        loss = photometric_loss(
            arrays[f"out/pixel_colors_nr{end}"][0], scene.truth, arrays["out/ray_mask"][0]
        )
        near_golden(loss, arrays[f"out/loss/loss_rgb_nr{end}"][0])


@torch.no_grad()
def test_ibrnet_is_the_aggregation_without_hits(golden):
    arrays = tensors(golden("baselines/ibrnet"))
    features = arrays["in/rgb_feat"].movedim(2, 0)
    network = Aggregation(Widths(features.shape[-1] - 3, 0, 32, 4), NONE, 0, anti_alias=True)
    network.load_state_dict(part(arrays, "", AGGREGATION))
    seen = arrays["in/mask"].movedim(2, 0)[..., 0] > 0
    directions = arrays["in/ray_diff"].movedim(2, 0)
    views = SourceSamples(seen, features[..., :3], features[..., 3:], None, None, directions)
    found = network(views)
    near_golden(found.colors, arrays["out/raw_rgb_sigma"][..., :3], 2e-5)
    near_golden(found.densities, arrays["out/raw_rgb_sigma"][..., 3], 2e-5)
    near_golden(positions(seen.shape[2], 16, torch.device("cpu"))[None], arrays["out/pos_encoding"], 2e-5)
    weights = compositing_weights(opacities(found.densities))
    near_golden(weights, arrays["out/weights"], 2e-5)
    near_golden(composite(weights, found.colors), arrays["out/rgb"], 2e-5)


def test_parts_have_the_published_numbers_of_parameters():
    def count(network):
        return sum(one.numel() for one in network.parameters())

    assert count(ResidualUNet((16, 32, 64, 128), (1, 2, 6), 32)) == 2_041_840
    assert count(DepthFeatures(32, (2, 2, 2), 32)) == 908_216
    assert count(VisibilityEncoder(32, 32)) == 56_576
    assert (count(HitDecoder(32, False)), count(HitDecoder(32, True))) == (6_501, 8_646)
    assert count(Aggregation(PUBLISHED, NONE, 0)) == 29_112
    assert count(Aggregation(Widths(32, 0, 32, 4), NONE, 0, anti_alias=True)) == 20_136


def test_gradients_reach_every_network_of_a_pass(scene):
    arrays, rays = scene.arrays, scene.rays
    depths = arrays["out/depth_coarse"][0]
    field = published_field(arrays, "coarse")
    views = sample_sources(scene.maps, scene.cameras, rays, depths)
    colors = field(views, depths, rays.near, rays.far, labels=False).colors
    loss = (colors - scene.truth).square().sum()
    for network in (field.hits.means, field.hits.scales, field.hits.share, field.aggregation.base):
        assert gradient_size(loss, network) > 1e-7
    for network in (field.aggregation.density, field.aggregation.blend, field.aggregation.ray_attention):
        assert gradient_size(loss, network) > 1e-7
