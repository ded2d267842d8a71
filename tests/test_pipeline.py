"""Rays through both passes of the assembled model, against the reference; one ray points backwards."""

import pytest
import torch
from helpers import (
    ADAPTOR_NAMES,
    TRANSFORMER_NAMES,
    assert_golden,
    channels_last,
    golden_camera,
    tensors,
    weights,
)

from gpnerf.geometry.rays import Rays
from gpnerf.methods.gpnerf.model import SourceFeatures
from gpnerf.methods.gpnerf.semantic_field import group_channels
from gpnerf.methods.settings import Settings

COARSE, FINE = 9, 4
AS_PUBLISHED = {"coordinates": "world", "ray_weights": "published", "last_pass": "all"}


@pytest.fixture
def render(golden):
    """render(spacing, fine_samples) -> the passes of the reference's four rays, and its arrays."""
    arrays, parts = tensors(golden("pipeline")), tensors(golden("gpnerf_transformer"))
    semantics = group_channels(channels_last(arrays["in/deep_semantics"]), 64).flatten(start_dim=3)
    cameras = golden_camera(arrays["in/src_cameras"][0])
    sources = SourceFeatures(
        arrays["in/src_rgbs"][0],
        channels_last(arrays["in/featmaps"]),
        semantics,
    )
    near, far = arrays["in/depth_range"][0].tolist()

    @torch.no_grad()
    def start(spacing, fine_samples):
        sizes = {"encoder_width": 8, "encoder_blocks": (1, 1, 1), "layers": 2, "classes": 1}
        sampling = {"samples": COARSE, "fine_samples": fine_samples, "spacing": spacing, **AS_PUBLISHED}
        model = Settings.of("gpnerf", **sizes, **sampling).build().eval()
        model.transformer.load_state_dict(weights(parts, TRANSFORMER_NAMES, start="(?!semantic_adaptor)"))
        model.adaptor.load_state_dict(weights(parts, ADAPTOR_NAMES, start="semantic_adaptor"))
        rays = Rays(arrays["in/ray_o"], arrays["in/ray_d"], near, far, torch.eye(4))
        return model.render_rays(sources, cameras, rays, semantics=True, point_semantics=True), arrays

    return start


def assert_pass(rendered, arrays, name):
    assert_golden(rendered.color, arrays[f"out/{name}_rgb"])
    assert_golden(rendered.weights, arrays[f"out/{name}_weights"])
    published_depth = (rendered.weights * rendered.depths).sum(dim=-1)
    assert_golden(published_depth, arrays[f"out/{name}_depth"])


@pytest.mark.parametrize(("spacing", "short"), [("inverse", "inv"), ("linear", "lin")])
def test_both_passes_match_the_reference(render, spacing, short):
    (coarse, fine), arrays = render(spacing, FINE)
    assert coarse.depths.shape == (4, COARSE) and fine.depths.shape == (4, COARSE + FINE)
    assert_pass(coarse, arrays, f"{short}_coarse")
    assert_pass(fine, arrays, f"{short}_fine")
    assert coarse.semantic is None
    assert_golden(fine.semantic, arrays[f"out/{short}_fine_feats_out"])


@pytest.mark.parametrize(("spacing", "short"), [("inverse", "inv"), ("linear", "lin")])
def test_a_single_pass_renders_the_semantics_of_the_coarse_samples(render, spacing, short):
    (coarse,), arrays = render(spacing, 0)
    assert_pass(coarse, arrays, f"{short}_coarse")
    assert_golden(coarse.semantic, arrays[f"out/{short}_coarse_feats_out"])


def test_semantics_of_the_points_match_the_reference(render):
    (_, fine), arrays = render("inverse", FINE)
    by_point = fine.point_semantics
    assert_golden(by_point, arrays["out/inv_fine_feats_out_3d"])


def test_one_of_the_rays_points_backwards_and_all_are_finite(render):
    (_, fine), arrays = render("inverse", FINE)
    forward = golden_camera(arrays["in/query_camera"][0]).camera_to_world[:3, 2]
    assert (arrays["in/ray_d"] @ forward > 0).tolist() == [True, True, True, False]
    assert fine.color.isfinite().all() and fine.semantic.isfinite().all()
