"""Both transformers: the reference's numbers, a literal transcription, masks, symmetry, gradients."""

import pytest
import torch
import torch.nn.functional as F
from helpers import (
    ADAPTOR_NAMES,
    TRANSFORMER_NAMES,
    assert_golden,
    gradient_size,
    tensors,
    weights,
)
from literal import literal_field_layer, literal_transformer
from torch import nn

from gpnerf.methods.gpnerf.field_transformer import FieldAggregationLayer, merge
from gpnerf.methods.gpnerf.linear import of_views
from gpnerf.methods.gpnerf.semantic_field import (
    Adaptor,
    group_channels,
    render_semantics,
    ungroup_channels,
    weigh,
)
from gpnerf.methods.gpnerf.transformer import JointTransformer
from gpnerf.networks.encoding import frequency_encoding

RAYS, SAMPLES, VIEWS, WIDTH = 3, 5, 4, 16
BOTH = {"semantics": True, "point_semantics": True}


def golden_transformer(arrays, layers):
    transformer = JointTransformer(35, 64, layers, 4, 10, dropout=0.1).eval()
    transformer.load_state_dict(weights(arrays, TRANSFORMER_NAMES, start="(?!semantic_adaptor)"))
    return transformer


def golden_inputs(arrays):
    """The reference has the views third; here they come first."""
    names = ("in/rgb_feat", "in/ray_diff", "in/mask")
    features, difference, mask = (arrays[name].movedim(2, 0) for name in names)
    return features, difference, mask[..., 0] > 0, arrays["in/pts"], arrays["in/ray_d"]


def small_transformer(**changes):
    torch.manual_seed(0)
    sizes = {"input_width": 8, "width": WIDTH, "layers": 3, "heads": 4, "frequencies": 2, "dropout": 0.0}
    return JointTransformer(**{**sizes, **changes})


def small_inputs():
    """Point (0, 0) is seen by no view, (0, 1) by view 2 alone, the others by all."""
    generator = torch.Generator().manual_seed(1)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    seen = torch.ones(VIEWS, RAYS, SAMPLES, dtype=torch.bool)
    seen[:, 0, 0] = False
    seen[:, 0, 1] = torch.tensor([False, False, True, False])
    return (
        normal(VIEWS, RAYS, SAMPLES, 8),
        normal(VIEWS, RAYS, SAMPLES, 4),
        seen,
        normal(RAYS, SAMPLES, 3),
        normal(RAYS, 3),
    )


def rendered_from(features, found):
    """Semantics of rays and of points from features [V, R, S, D/C, C] and what the transformers found."""
    return render_semantics(
        lambda view: weigh(features[view], found.joint_weights[view], found.field_weights[view]),
        len(features),
    )


@pytest.mark.parametrize(
    ("name", "layers"), [("gnt_transformer", 2), ("gnt_transformer_d8", 8), ("gpnerf_transformer", 2)]
)
@torch.no_grad()
def test_colors_and_ray_weights_match_the_reference(golden, name, layers):
    arrays = tensors(golden(name))
    found = golden_transformer(arrays, layers)(*golden_inputs(arrays))
    assert_golden(found.color, arrays["out/rgb"])
    assert_golden(found.ray_weights, arrays["out/weights"])
    assert found.field_weights is None and found.joint_weights is None


@torch.no_grad()
def test_single_layers_match_the_reference(golden):
    arrays = tensors(golden("gnt_transformer"))
    transformer = golden_transformer(arrays, 2)
    features, difference, seen, points, directions = golden_inputs(arrays)
    views = transformer.embed(features)
    layer, unseen = transformer.field_layers[0], ~seen[..., None]
    query, _ = layer(views.amax(dim=0), views, difference, unseen, *merge([layer]))
    assert_golden(query, arrays["mid/q_view0"])
    encoded = frequency_encoding(points, 10), frequency_encoding(F.normalize(directions, dim=-1), 10)
    query = transformer.mixers["0"](query, *encoded)
    assert_golden(query, arrays["mid/q_fc0"])
    query, first_row, _ = transformer.ray_layers[0](query)
    assert_golden(query, arrays["mid/q_ray0"])
    assert_golden(first_row.mean(dim=1), arrays["mid/weights0"])


@torch.no_grad()
def test_semantics_match_the_reference(golden):
    arrays = tensors(golden("gpnerf_transformer"))
    inputs = golden_inputs(arrays)
    found = golden_transformer(arrays, 2)(*inputs, semantics=True, point_semantics=True)
    sampled = group_channels(arrays["in/deep_sem_feat"].movedim(2, 0), 64)
    rendered, points = rendered_from(sampled, found)
    assert_golden(rendered, arrays["mid/sem_before_adaptor"])
    assert_golden(points, arrays["out/sem_feat_3d"])
    adaptor = Adaptor(512)
    adaptor.load_state_dict(weights(arrays, ADAPTOR_NAMES, start="semantic_adaptor"))
    assert_golden(adaptor(rendered), arrays["out/sem_feat"])


def test_layer_norm_epsilons_are_the_published_ones():
    transformer = small_transformer()
    norms = {name: one.eps for name, one in transformer.named_modules() if isinstance(one, nn.LayerNorm)}
    assert norms.pop("norm") == 1e-5
    assert len(norms) == 4 * 3
    assert set(norms.values()) == {1e-6}


def test_the_merged_field_layer_equals_its_formula_view_by_view():
    torch.manual_seed(2)
    layer = FieldAggregationLayer(WIDTH, dropout=0.0).double()
    _, difference, seen, _, _ = small_inputs()
    query, views = torch.randn(RAYS, SAMPLES, WIDTH), torch.randn(VIEWS, RAYS, SAMPLES, WIDTH)
    views, difference, unseen = views.double(), difference.double(), ~seen[..., None]
    features, weights = layer(query.double(), views, difference, unseen, *merge([layer]))
    by_point = (one.movedim(0, 2) for one in (views, difference, unseen))
    expected, expected_weights = literal_field_layer(layer, query.double(), *by_point)
    # The layer's softmax runs in single precision.
    torch.testing.assert_close(features, expected, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(weights, expected_weights.movedim(2, 0), atol=1e-6, rtol=1e-6)


def test_a_product_of_views_is_the_linear_layer_with_its_gradients():
    torch.manual_seed(3)
    inputs, linear = torch.randn(VIEWS, RAYS, SAMPLES, 7, requires_grad=True), nn.Linear(7, 5)
    upstream = torch.randn(VIEWS, RAYS, SAMPLES, 5)
    operands = (inputs, linear.weight, linear.bias)
    expected, found = linear(inputs), of_views(*operands)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)
    gradients = (torch.autograd.grad(one, operands, upstream) for one in (found, expected))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_depth_weights_keep_full_precision_in_bfloat16():
    with torch.autocast("cpu", torch.bfloat16):
        found = small_transformer()(*small_inputs()).depth_weights
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.sum(dim=1), torch.ones(RAYS), atol=5e-3, rtol=0)


def test_frequency_encoding_by_hand():
    encoded = frequency_encoding(torch.tensor([0.5, 1.0, -2.0]), 2)
    x = torch.tensor([0.5, 1.0, -2.0])
    torch.testing.assert_close(encoded, torch.cat([x, x.sin(), x.cos(), (2 * x).sin(), (2 * x).cos()]))


def test_the_order_of_the_source_views_changes_nothing():
    transformer, order = small_transformer(), torch.tensor([2, 0, 3, 1])
    features, difference, seen, points, directions = small_inputs()
    found = transformer(*small_inputs(), **BOTH)
    inputs = features[order], difference[order], seen[order]
    turned = transformer(*inputs, points, directions, **BOTH)
    torch.testing.assert_close(turned.color, found.color, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(turned.ray_weights, found.ray_weights, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(turned.joint_weights, found.joint_weights[order], atol=1e-5, rtol=1e-5)


def test_the_length_of_a_ray_direction_changes_nothing():
    transformer = small_transformer()
    *others, directions = small_inputs()
    found = transformer(*small_inputs()).color
    torch.testing.assert_close(transformer(*others, 7.0 * directions).color, found)


def test_all_weights_sum_to_one_per_layer_also_under_masks():
    found = small_transformer()(*small_inputs(), **BOTH)
    layers = 3.0
    torch.testing.assert_close(found.ray_weights.sum(dim=1), torch.ones(RAYS))
    torch.testing.assert_close(found.field_weights.sum(dim=0), torch.full((RAYS, SAMPLES, WIDTH), layers))
    torch.testing.assert_close(found.joint_weights.sum(dim=(0, 2)), torch.full((RAYS, WIDTH), layers))


def test_views_that_do_not_see_a_point_weigh_nothing_and_a_point_seen_by_none_weighs_all_alike():
    weights_of = small_transformer()(*small_inputs(), **BOTH).field_weights / 3.0
    torch.testing.assert_close(weights_of[:, 0, 0], torch.full((VIEWS, WIDTH), 1.0 / VIEWS))
    expected = torch.zeros(VIEWS, WIDTH)
    expected[2] = 1.0
    torch.testing.assert_close(weights_of[:, 0, 1], expected)


def test_rendering_by_merged_weights_equals_the_formulas_layer_by_layer():
    transformer = small_transformer()
    *inputs, points, directions = small_inputs()
    semantics = torch.randn(VIEWS, RAYS, SAMPLES, 2 * WIDTH)
    found = transformer(*inputs, points, directions, **BOTH)
    grouped = group_channels(semantics, WIDTH)
    rendered, by_point = rendered_from(grouped, found)
    by_point_first = (one.movedim(0, 2) for one in inputs)
    color, ray_weights, expected, expected_points = literal_transformer(
        transformer, *by_point_first, points, directions, semantics.movedim(0, 2)
    )
    torch.testing.assert_close(found.color, color, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(found.ray_weights, ray_weights, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(rendered, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(by_point, expected_points, atol=1e-5, rtol=1e-5)


def test_grouping_channels_puts_those_that_share_a_weight_under_each_other():
    features = torch.arange(8.0)
    assert group_channels(features, 4).tolist() == [[0.0, 2.0, 4.0, 6.0], [1.0, 3.0, 5.0, 7.0]]
    assert torch.equal(ungroup_channels(group_channels(features, 4)), features)


def test_joint_attention_lets_semantic_gradients_into_the_transformer_and_its_absence_stops_them():
    joint, frozen = small_transformer(), small_transformer(joint_attention=False)
    direction = torch.randn(VIEWS, RAYS, SAMPLES, WIDTH, generator=torch.Generator().manual_seed(4))
    found, stopped = (one(*small_inputs(), **BOTH) for one in (joint, frozen))
    assert torch.equal(found.joint_weights, stopped.joint_weights)
    semantic = (found.joint_weights * direction).sum()
    for part in (joint.embed, joint.field_layers[0].key, joint.ray_layers[2].query):
        assert gradient_size(semantic, part) > 1e-4
    assert gradient_size((stopped.joint_weights * direction).sum(), frozen) == 0.0
    assert gradient_size((stopped.field_weights * direction).sum(), frozen) == 0.0
    assert gradient_size(stopped.color.sum(), frozen) > 1e-4


def test_depth_weights_are_the_mean_attention_over_layers_heads_and_rows():
    transformer, attentions = small_transformer(), []
    for layer in transformer.ray_layers:
        # Its softmax, before the mean over rows.
        layer.dropout.register_forward_hook(lambda module, inputs, outputs: attentions.append(outputs))
    found = transformer(*small_inputs(), semantics=True)
    attentions = [one for one in attentions if one.dim() == 4]
    torch.testing.assert_close(found.depth_weights, torch.stack(attentions).mean(dim=(0, 2, 3)))
    torch.testing.assert_close(found.depth_weights.sum(dim=1), torch.ones(RAYS))
