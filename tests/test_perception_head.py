"""The perception head: sizes, the place of every cell, context, and the two ways to combine."""

import pytest
import torch
from helpers import gradient_size

from gpnerf.methods.gpnerf.perception_head import UNetHead, to_pixels

PART = 8


def head_of(**changes):
    torch.manual_seed(0)
    return UNetHead(PART, classes=5, **changes)


@pytest.mark.parametrize("norm", ["group", "none"])
@pytest.mark.parametrize("combination", ["concat", "add"])
@pytest.mark.parametrize(
    ("pixels", "cells"), [((97, 131), (49, 66)), ((96, 128), (48, 64)), ((33, 40), (17, 20))]
)
@torch.no_grad()
def test_logits_have_the_size_of_the_image(combination, norm, pixels, cells):
    logits = head_of(combination=combination, norm=norm)(torch.randn(1, 4 * PART, *cells), *pixels)
    assert logits.shape == (1, 5, *pixels)
    assert logits.isfinite().all()


@torch.no_grad()
def test_maps_of_a_batch_do_not_depend_on_each_other():
    head, features = head_of(), torch.randn(2, 4 * PART, 12, 20)
    together = head(features, 24, 40)
    for number in range(2):
        alone = head(features[number : number + 1], 24, 40)
        torch.testing.assert_close(alone, together[number : number + 1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(97, 131), (96, 128), (97, 128)])
def test_cells_lie_exactly_at_even_pixels(height, width):
    cells = torch.randn(1, 3, (height + 1) // 2, (width + 1) // 2)
    pixels = to_pixels(cells, height, width)
    assert pixels.shape == (1, 3, height, width)
    torch.testing.assert_close(pixels[..., ::2, ::2], cells, atol=1e-6, rtol=0)


def test_pixels_between_cells_are_their_mean_and_beyond_the_last_its_copy():
    cells = torch.tensor([[[[0.0, 4.0], [8.0, 16.0]]]])
    expected = [[0.0, 2.0, 4.0, 4.0], [4.0, 7.0, 10.0, 10.0], [8.0, 12.0, 16.0, 16.0]]
    assert to_pixels(cells, 3, 4)[0, 0].tolist() == expected


@pytest.mark.parametrize("combination", ["concat", "add"])
@torch.no_grad()
def test_a_change_of_one_cell_is_felt_farther_than_one_cell_away(combination):
    # Without norm, which would spread any change over the whole image.
    head, features = head_of(combination=combination, norm="none"), torch.randn(1, 4 * PART, 32, 32)
    before = head(features, 64, 64)
    features[:, :, 16, 16] += 10.0
    changed = (head(features, 64, 64) - before).abs().amax(dim=1)[0] > 1e-6
    rows, columns = changed.nonzero().T
    assert (rows - 32).abs().max() > 8 and (columns - 32).abs().max() > 8


@torch.no_grad()
def test_part_i_is_read_at_the_resolution_of_level_i():
    head, features = head_of(norm="none"), torch.randn(1, 4 * PART, 16, 16)
    before = head(features, 32, 32)
    for part in range(4):
        # Exchanging two neighbours keeps the mean of every block of 2 x 2 cells and more.
        changed = features.clone()
        own = slice(part * PART, (part + 1) * PART)
        changed[:, own, 4, [4, 5]] = features[:, own, 4, [5, 4]]
        difference = (head(changed, 32, 32) - before).abs().max().item()
        assert difference > 1e-3 if part == 0 else difference < 1e-4


def test_adding_needs_fewer_weights_than_concatenating():
    counts = {
        kind: sum(one.numel() for one in head_of(combination=kind).parameters()) for kind in ("concat", "add")
    }
    # Three levels, each with a first convolution of PART more inputs.
    assert counts["concat"] - counts["add"] == 3 * PART * PART * 9


def test_every_part_of_the_head_learns():
    head = head_of()
    features = torch.randn(1, 4 * PART, 16, 16, requires_grad=True)
    loss = head(features, 32, 32).square().mean()
    for part in (head.bottom, *head.enlarge, *head.levels, head.classify):
        assert gradient_size(loss, part) > 1e-6
    (gradient,) = torch.autograd.grad(loss, features)
    assert (gradient.unflatten(1, (4, PART)).abs().amax(dim=(0, 2, 3, 4)) > 1e-7).all()


def test_a_shortcut_starts_without_effect_and_then_reads_every_part_of_its_own_cell():
    """What it adds to the logits of a cell is its weights times the features of that cell."""
    head, features = head_of(norm="none", shortcut=True), torch.randn(1, 4 * PART, 13, 11)
    expected = head_of(norm="none")
    expected.load_state_dict(head.state_dict(), strict=False)
    before = head(features, 26, 22)
    torch.testing.assert_close(before, expected(features, 26, 22), atol=0, rtol=0)
    with torch.no_grad():
        head.shortcut.weight.normal_()
    difference = head(features, 26, 22) - before
    by_hand = torch.einsum("kd,dhw->khw", head.shortcut.weight[..., 0, 0], features[0])
    torch.testing.assert_close(difference[0, :, ::2, ::2], by_hand, atol=1e-4, rtol=1e-4)


def test_a_shortcut_learns_at_once_though_it_starts_at_zero():
    head = head_of(shortcut=True)
    loss = head(torch.randn(1, 4 * PART, 16, 16), 32, 32).square().mean()
    assert gradient_size(loss, head.shortcut) > 1e-6
