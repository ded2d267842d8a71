"""Fades between source views: weights by hand, blended pictures, and labels of the blended label map."""

from __future__ import annotations

import pytest
import torch
from helpers import TINY, tiny_model

from gpnerf.rendering.fade import blend, fade_weights
from gpnerf.rendering.view import RenderedView

FIRST, SECOND = (0, 1), (1, 2)


def rendered(seed: int, height: int = 24, width: int = 32) -> RenderedView:
    generator = torch.Generator().manual_seed(seed)
    color, depth = torch.rand(3, height, width, generator=generator), torch.rand(height, width)
    features = torch.randn(4 * TINY["level_width"], height // 2, width // 2, generator=generator)
    labels = torch.zeros(height, width, dtype=torch.int64)
    return RenderedView(color, depth, features, labels, torch.rand(height, width))


def test_two_sets_take_turns_over_the_frames_around_their_change():
    chosen = [FIRST] * 5 + [SECOND] * 5
    weights = [fade_weights(chosen, frame, 2).get(SECOND, 0.0) for frame in range(10)]
    assert weights == [0, 0, 0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1]


def test_a_set_that_comes_for_one_frame_never_has_more_than_its_share():
    chosen = [FIRST] * 5 + [SECOND] + [FIRST] * 5
    weights = [fade_weights(chosen, frame, 1) for frame in range(11)]
    assert max(one.get(SECOND, 0.0) for one in weights) == pytest.approx(1 / 3)
    assert all(sum(one.values()) == pytest.approx(1) for one in weights)


def test_without_a_fade_every_frame_has_its_own_set_alone():
    assert [fade_weights([FIRST, SECOND], frame, 0) for frame in range(2)] == [{FIRST: 1.0}, {SECOND: 1.0}]


def test_a_blend_is_the_weighted_mean_and_has_the_labels_of_the_mean_label_map():
    model = tiny_model().eval()
    first, second = rendered(0), rendered(1)
    mixed = blend(model, [first, second], [0.25, 0.75])
    for part in ("color", "depth", "features"):
        expected = 0.25 * getattr(first, part) + 0.75 * getattr(second, part)
        torch.testing.assert_close(getattr(mixed, part), expected)
    with torch.no_grad():
        labels, confidence, _ = model.labels(mixed.features, 24, 32)
    assert torch.equal(mixed.labels, labels) and torch.equal(mixed.confidence, confidence)


def test_one_rendering_stays_as_it_is_and_colours_alone_have_no_labels():
    view = rendered(0)
    assert blend(tiny_model(), [view], [1.0]) is view
    mixed = blend(tiny_model(), [RenderedView(view.color, view.depth)] * 2, [0.5, 0.5])
    torch.testing.assert_close(mixed.color, view.color)
    assert mixed.labels is None and mixed.features is None
