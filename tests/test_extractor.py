"""The feature extractor: the reference's numbers, any image size, and where gradients stop."""

import pytest
import torch
from helpers import (
    DECODER_NAMES,
    ENCODER_NAMES,
    PYRAMID_NAMES,
    assert_golden,
    gradient_size,
    tensors,
    weights,
)

from gpnerf.networks.extractor import Extractor

FIRST_PARTS = "(conv1|bn1|layer)"


# In the deepest level float32 rounding alone reaches 7e-5: so far off is the reference from float64.
ROUNDING = 1e-4


def small_extractor(**changes):
    torch.manual_seed(0)
    return Extractor((8, 8, 16, 32), (1, 1, 1), color_features=5, level_width=4, **changes)


@pytest.fixture(scope="module")
def published():
    return Extractor((64, 64, 128, 256), (3, 4, 6), color_features=32, level_width=128)


@torch.no_grad()
def test_levels_and_color_features_match_the_reference(golden, published):
    arrays = tensors(golden("feature_net"))
    published.encoder.load_state_dict(weights(arrays, ENCODER_NAMES, start=FIRST_PARTS))
    published.decoder.load_state_dict(weights(arrays, DECODER_NAMES, start=f"(?!{FIRST_PARTS})"))
    levels = published.encoder(arrays["in/image"])
    for number, level in enumerate(levels):
        assert_golden(level, arrays[f"out/x{number}"], atol=ROUNDING if number == 3 else 2e-5)
    assert_golden(published.colors(levels), arrays["out/rgb_feat"])
    # 70 x 90 pixels: the skips are smaller than the enlarged features and are padded.
    odd = published.encoder(arrays["in/image_odd"])
    assert [list(level.shape) for level in odd] == arrays["out/shapes_odd"].tolist()
    assert_golden(odd[3], arrays["out/x3_odd"], atol=ROUNDING)
    assert_golden(published.colors(odd), arrays["out/rgb_feat_odd"])


@torch.no_grad()
def test_the_pyramid_matches_the_reference(golden, published):
    arrays = tensors(golden("fpn"))
    published.pyramid.fpn.load_state_dict(weights(arrays, PYRAMID_NAMES))
    levels = [arrays[f"in/x{number}"] for number in range(4)]
    assert_golden(published.pyramid(levels), arrays["out/concat"])


@pytest.mark.parametrize(
    ("size", "half", "deepest"),
    [((96, 128), (48, 64), (6, 8)), ((97, 131), (49, 66), (7, 9)), ((33, 40), (17, 20), (3, 3))],
)
@torch.no_grad()
def test_any_size_gives_semantics_at_half_and_colors_at_four_times_the_deepest(size, half, deepest):
    extractor = small_extractor()
    levels = extractor.encoder(torch.rand(1, 3, *size))
    assert levels[3].shape[-2:] == deepest
    assert extractor.semantics(levels, blocked=False).shape == (1, 4 * 4, *half)
    assert extractor.colors(levels).shape == (1, 5, 4 * deepest[0], 4 * deepest[1])


@torch.no_grad()
def test_an_image_is_encoded_independently_of_the_others():
    extractor, images = small_extractor(), torch.rand(3, 3, 48, 64)
    together = extractor.encoder(images)
    alone = extractor.encoder(images[1:2])
    for level, one in zip(together, alone, strict=True):
        torch.testing.assert_close(level[1:2], one, atol=1e-5, rtol=1e-4)
    semantics = extractor.semantics(together, blocked=False)[1:2]
    torch.testing.assert_close(semantics, extractor.semantics(alone, False), atol=1e-5, rtol=1e-4)
    colors = extractor.colors(together)[1:2]
    torch.testing.assert_close(colors, extractor.colors(alone), atol=1e-5, rtol=1e-4)


def test_blocked_semantics_have_the_same_values_and_no_gradient():
    extractor = small_extractor()
    levels = extractor.encoder(torch.rand(1, 3, 48, 64))
    blocked, free = extractor.semantics(levels, blocked=True), extractor.semantics(levels, blocked=False)
    assert torch.equal(blocked, free)
    assert not blocked.requires_grad
    for part in (extractor.pyramid, extractor.encoder.conv1, extractor.encoder.layer3):
        assert gradient_size(free.square().mean(), part) > 1e-6
    assert gradient_size(free.square().mean(), extractor.decoder) == 0.0


def test_detaching_the_decoder_keeps_the_color_loss_out_of_the_deepest_stage_only():
    joined, detached = small_extractor(), small_extractor(detach_decoder=True)
    image = torch.rand(1, 3, 48, 64)
    colors = {one: one.colors(one.encoder(image)) for one in (joined, detached)}
    assert torch.equal(colors[joined], colors[detached])
    assert gradient_size(colors[joined].square().mean(), joined.encoder.layer3) > 1e-6
    loss = colors[detached].square().mean()
    assert gradient_size(loss, detached.encoder.layer3) == 0.0
    for part in (detached.encoder.conv1, detached.encoder.layer1, detached.encoder.layer2, detached.decoder):
        assert gradient_size(loss, part) > 1e-6
    # The option concerns colours alone.
    semantics = detached.semantics(detached.encoder(image), blocked=False)
    assert gradient_size(semantics.square().mean(), detached.encoder.layer3) > 1e-6


def test_published_sizes_have_the_published_number_of_parameters(published):
    counts = {
        name: sum(one.numel() for one in part.parameters()) for name, part in published.named_children()
    }
    assert counts["encoder"] + counts["decoder"] == 8_877_056
    assert counts["pyramid"] == 656_384
