"""Pictures: exact colours where they are defined, sizes, and stability over frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gpnerf.datasets.labels import IGNORE, palette
from gpnerf.media.visualize import (
    BACKGROUND,
    CAPTION_HEIGHT,
    GAP,
    UNKNOWN_DEPTH,
    FeaturePCA,
    colors,
    depth_map,
    depth_range,
    error_map,
    grid,
    label_map,
    legend,
)


def test_colors_clip_and_round():
    image = torch.tensor([-0.5, 0.5, 1.5]).view(3, 1, 1)
    assert colors(image).tolist() == [[[0, 128, 255]]]
    assert colors(image.numpy()).dtype == np.uint8


def test_colors_round_trip():
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    assert np.array_equal(colors(torch.from_numpy(pixels).permute(2, 0, 1).float() / 255.0), pixels)


def test_depth_map_is_even_in_inverse_depth_and_clips():
    # Inverse depths 1, 0.625 and 0.25 between near 1 and far 4: the middle one is at 1.6 m.
    pixels = depth_map(torch.tensor([[0.5, 1.0, 1.6, 4.0, 9.0]]), near=1.0, far=4.0)[0].astype(int)
    assert np.array_equal(pixels[0], pixels[1])
    assert np.array_equal(pixels[3], pixels[4])
    red, middle, blue = pixels[1], pixels[2], pixels[3]
    assert red[0] > red[2] and blue[2] > blue[0] and middle[1] > 200


def test_unknown_depth_is_dark_grey():
    pixels = depth_map(np.array([[0.0, np.nan, np.inf, 2.0]]), near=1.0, far=4.0)
    assert [tuple(pixel) for pixel in pixels[0, :3]] == [UNKNOWN_DEPTH] * 3
    assert tuple(pixels[0, 3]) != UNKNOWN_DEPTH


def test_depth_range_leaves_out_unknown_values_and_outliers():
    depth = torch.cat([torch.zeros(500), torch.linspace(2.0, 4.0, 1001), torch.tensor([90.0])])[None]
    near, far = depth_range(depth)
    assert near == pytest.approx(2.02, abs=0.01)
    assert far == pytest.approx(3.98, abs=0.01)
    assert depth_range(torch.zeros(2, 2)) == (1.0, 2.0)


def test_label_map_uses_the_palette_and_black():
    chosen = palette(3)
    pixels = label_map(torch.tensor([[0, 1, 2, IGNORE, 3]]), chosen)[0]
    assert np.array_equal(pixels[:3], chosen)
    assert not pixels[3:].any()
    assert pixels.dtype == np.uint8


def test_error_map_grows_with_the_error():
    truth = torch.zeros(3, 1, 4)
    prediction = torch.tensor([0.0, 0.1, 0.25, 0.9]).expand(3, 1, 4)
    brightness = error_map(prediction, truth)[0].astype(int).sum(-1)
    assert brightness[0] < 10
    assert brightness[0] < brightness[1] < brightness[2] == brightness[3]


def three_directions() -> torch.Tensor:
    """[8, 2, 12]: three orthogonal directions of falling strength, each alone on a third of the columns."""
    features = torch.zeros(8, 2, 12)
    for direction, strength in enumerate((9.0, 6.0, 3.0)):
        features[direction + 2, 0, 4 * direction : 4 * direction + 4] = strength
        features[direction + 2, 1, 4 * direction : 4 * direction + 4] = -strength
    return features


def test_pca_gives_each_direction_its_channel():
    pixels = FeaturePCA.fit(three_directions(), outliers=0.0)(three_directions())
    for direction in range(3):
        columns = slice(4 * direction, 4 * direction + 4)
        others = [channel for channel in range(3) if channel != direction]
        assert (pixels[0, columns, direction] == 255).all()
        assert (pixels[1, columns, direction] == 0).all()
        assert (np.abs(pixels[:, columns][..., others].astype(int) - 128) <= 1).all()


def test_pca_keeps_its_basis_over_frames_and_is_repeatable():
    features = torch.randn(32, 12, 16, generator=torch.Generator().manual_seed(0))
    state = torch.random.get_rng_state()
    pca = FeaturePCA.fit(features)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(5)
    assert np.array_equal(FeaturePCA.fit(features)(features), pca(features))
    # A crop has the colours that its cells had in the whole map.
    assert np.array_equal(pca(features[:, 2:7, 3:9]), pca(features)[2:7, 3:9])


def test_pca_of_a_constant_map():
    assert FeaturePCA.fit(torch.ones(4, 3, 5))(torch.ones(4, 3, 5)).shape == (3, 5, 3)


def test_legend_wraps_and_shows_only_the_classes_given():
    names = ["wall", "floor", "cabinet", "shower curtain", "other furniture"]
    wide, narrow = (legend(names, palette(5), width) for width in (900, 200))
    assert wide.shape[1] == 900 and narrow.shape[1] == 200
    assert narrow.shape[0] > wide.shape[0]
    found = {tuple(pixel) for pixel in narrow.reshape(-1, 3)}
    assert {tuple(color) for color in palette(5)} <= found
    assert tuple(palette(6)[5]) not in found


def test_legend_cuts_names_that_do_not_fit():
    strip = legend(["a name that is far too long for this width"], palette(1), 120)
    assert strip.shape[1] == 120
    assert (strip[:, -GAP // 2 :] == BACKGROUND).all()


def test_grid_enlarges_by_a_whole_factor_and_aligns_tiles():
    # The larger image is 100 x 80, so the factor is 3 and every tile 300 x 240.
    large = np.random.default_rng(0).integers(0, 255, (80, 100, 3), np.uint8)
    small = large[:40, :50]
    sheet = grid([[large, small], [large]], [["large", "small"], ["a caption that is too long " * 5]])
    assert sheet.shape == (2 * (240 + CAPTION_HEIGHT + GAP), GAP + 2 * (300 + GAP), 3)
    top = CAPTION_HEIGHT
    assert np.array_equal(sheet[top : top + 240, GAP : GAP + 300], large.repeat(3, 0).repeat(3, 1))
    left = 2 * GAP + 300
    assert np.array_equal(sheet[top : top + 240, left : left + 300], small.repeat(6, 0).repeat(6, 1))
    assert (sheet[:top, GAP:100] != BACKGROUND).any()
    assert (sheet[top + 240 + GAP :, left:] == BACKGROUND).all()


def test_grid_centres_other_aspect_ratios():
    wide, tall = np.zeros((240, 320, 3), np.uint8), np.full((240, 120, 3), 9, np.uint8)
    sheet = grid([[wide, tall]], [["", ""]])
    tile = sheet[CAPTION_HEIGHT:-GAP, 2 * GAP + 320 : -GAP]
    assert (tile[:, 100:220] == 9).all()
    assert (tile[:, :100] == BACKGROUND).all() and (tile[:, 220:] == BACKGROUND).all()
