"""Semantic-Ray's label branch and losses: the reference's numbers, and the sizes of the whole models."""

import pytest
import torch
from helpers import tensors
from neuray_arrays import DECODER, FIELDS, field_weights, golden_samples, golden_scene, part
from torch.testing import assert_close

from gpnerf.datasets.labels import IGNORE
from gpnerf.methods.neuray_family.objective import photometric_loss
from gpnerf.methods.settings import Settings
from gpnerf.metrics.semantic import semantic_loss
from gpnerf.networks.neuray.aggregation import Aggregation, Widths
from gpnerf.networks.neuray.field import Field
from gpnerf.networks.neuray.hit_probability import HitDecoder
from gpnerf.networks.neuray.label_branches import CROSS_REPROJECTION, HEAD
from gpnerf.networks.neuray.source_samples import sample_sources

WIDTHS = Widths(features=32, ray_features=32, inside=32, heads=4)


def near_golden(actual, expected):
    assert_close(actual, expected, atol=1e-4, rtol=1e-4)


@pytest.fixture
def scene(golden):
    return golden_scene(golden("baselines/semantic_ray"), "in/ray_feats")


def published_field(arrays, one):
    field = Field(WIDTHS, True, CROSS_REPROJECTION, arrays["out/pixel_label_nr"].shape[-1])
    field.load_state_dict(field_weights(arrays, one))
    return field


@torch.no_grad()
def test_mixtures_with_visibility_match_the_reference(golden):
    arrays = tensors(golden("baselines/semantic_ray"))
    decoder = HitDecoder(32, True)
    decoder.load_state_dict(part(arrays, "dist_decoder.", DECODER))
    found = decoder.decode(arrays["in/decoder_feats"])
    for one, name in zip(found, ("mean", "var", "aw", "vis"), strict=True):
        near_golden(one, arrays[f"out/decoder_{name}"])


@pytest.mark.parametrize("which", ["coarse", "blind"])
@torch.no_grad()
def test_logits_of_samples_match_the_reference_whatever_views_see(scene, which):
    network = published_field(scene.arrays, "coarse").aggregation
    found = network(*golden_samples(scene.arrays, which), labels=True)
    near_golden(found.densities, scene.arrays[f"mid/{which}/density"])
    near_golden(found.colors, scene.arrays[f"mid/{which}/colors"])
    near_golden(found.logits, scene.arrays[f"mid/{which}/logits"])


@pytest.mark.parametrize("one", FIELDS)
@torch.no_grad()
def test_rendered_rays_and_losses_match_the_reference(scene, one):
    arrays, rays, end = scene.arrays, scene.rays, "_fine" if one == "fine" else ""
    depths = arrays[f"out/depth_{one}"][0]
    views = sample_sources(scene.maps, scene.cameras, rays, depths)
    found = published_field(arrays, one)(views, depths, rays.near, rays.far, labels=True)
    near_golden(found.weights, arrays[f"out/hit_prob_nr{end}"][0])
    near_golden(found.colors, arrays[f"out/pixel_colors_nr{end}"][0])
    near_golden(found.logits, arrays[f"out/pixel_label_nr{end}"][0])
    # The file was made with other numbers than the published ones: 4 samples instead of 8.
    valid = (views.seen.sum(dim=0) > 2).sum(dim=-1) > 4
    assert torch.equal(valid, arrays[f"out/ray_mask{end}"][0])
    loss = 0.75 * photometric_loss(found.colors, scene.truth, arrays["out/ray_mask"][0])
    near_golden(loss, arrays[f"out/loss/loss_rgb_nr{end}"][0])


def test_the_semantic_loss_matches_the_reference(scene):
    arrays = scene.arrays
    labels = arrays["out/pixel_label_gt"][0, :, 0].long()
    logits = [arrays[f"out/pixel_label_nr{end}"][0] for end in ("", "_fine")]
    labels = torch.where(labels == logits[0].shape[-1] - 1, IGNORE, labels)
    near_golden(
        0.25 * sum(semantic_loss(one.T, labels) for one in logits), arrays["out/loss/loss_semantic"][0]
    )
    assert semantic_loss(logits[0].T, torch.full_like(labels, IGNORE)) == 0.0


def test_whole_models_have_the_published_numbers_of_parameters():
    def count(method, classes):
        return sum(one.numel() for one in Settings.of(method, classes=classes).build().parameters())

    assert count("neuray", 0) == 3_077_858
    assert count("semantic_ray", 20) == 3_093_870
    branch = Aggregation(WIDTHS, CROSS_REPROJECTION, 21).labels
    assert sum(one.numel() for one in branch.parameters()) == 5_861
    head = Aggregation(WIDTHS, HEAD, 21).labels
    # Linear 16 -> 16 and 16 -> 21, one in each pass.
    assert sum(one.numel() for one in head.parameters()) == 16 * 16 + 16 + 16 * 21 + 21
    assert count("neuray", 20) == 3_077_858 + 2 * 629
