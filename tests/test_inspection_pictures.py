"""Pictures of poses: marks where hand numbers put them, legible sizes for every image, and odd scenes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import camera_at, photograph
from torch import Tensor

from gpnerf.datasets.scene import Frame
from gpnerf.inspection.drawing import (
    FONT_SCALE,
    HATCH,
    PAPER,
    RING_RADIUS,
    draw_ring,
    hues,
    line_ends,
    paragraph,
    time_colors,
)
from gpnerf.inspection.path_map import MAP_WIDTH, floor_axes
from gpnerf.inspection.pictures import SHEET_WIDTH, epipolar_panel, path_panel, warp_panel
from gpnerf.media.visualize import BACKGROUND, CAPTION_HEIGHT, GAP, INK
from gpnerf.system.errors import DataError

QUARTER_TURN = math.pi / 2


def wall_frame(x: float, height: int = 96, width: int = 128) -> Frame:
    """A camera 2 m before a wavy wall with exact depth; the focal length is the width."""
    depth = torch.full((height, width), 2.0)
    return Frame("wall", f"{x:g}", camera_at(x, height, width), photograph(x, height, width), depth)


def tiles(panel: np.ndarray, columns: int, height: int) -> list[np.ndarray]:
    """The pictures of a sheet with one row, without captions and text."""
    width = (panel.shape[1] - GAP) // columns - GAP
    return [
        panel[CAPTION_HEIGHT : CAPTION_HEIGHT + height, GAP + i * (width + GAP) :][:, :width]
        for i in range(columns)
    ]


def pixels_of(picture: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    """Rows and columns [N, 2] of all pixels of exactly this colour."""
    return np.argwhere((picture == color).all(-1))


def look_along(*directions: float, pitch: float = 0.0) -> Tensor:
    """Poses [N, 4, 4] 1 m apart on a line along x, turned about the vertical y axis, pitched downwards."""
    poses = torch.eye(4, dtype=torch.float64).repeat(len(directions), 1, 1)
    for index, turn in enumerate(directions):
        across = torch.tensor([math.cos(turn), 0.0, -math.sin(turn)], dtype=torch.float64)
        level = torch.tensor([math.sin(turn), 0.0, math.cos(turn)], dtype=torch.float64)
        down = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
        forward = math.cos(pitch) * level + math.sin(pitch) * down
        poses[index, :3, 0], poses[index, :3, 2] = across, forward
        poses[index, :3, 1] = torch.linalg.cross(forward, across)
        poses[index, 0, 3] = index
    return poses.float()


@pytest.mark.parametrize("size", [(96, 128), (128, 96), (968, 1296)])
def test_sheets_are_of_one_width_for_every_size_of_image(size):
    target, source = wall_frame(0.0, *size), wall_frame(0.1, *size)
    ratio = min(1.0, size[1] / size[0])
    for panel, columns in ((epipolar_panel(target, source), 2), (warp_panel(target, source), 3)):
        assert panel.dtype == np.uint8
        assert panel.shape[1] == pytest.approx(
            GAP + columns * (ratio * (SHEET_WIDTH / columns - GAP) + GAP), abs=3
        )
        assert panel.shape[0] < 0.8 * SHEET_WIDTH


def test_source_and_target_of_other_sizes():
    panel = epipolar_panel(wall_frame(0.0, 96, 128), wall_frame(0.1, 200, 150))
    assert panel.shape[1] <= SHEET_WIDTH + GAP


def test_a_step_aside_draws_a_row_at_the_height_of_the_ring():
    source = wall_frame(0.25)
    grey = replace(source, image=torch.full_like(source.image, 0.5))
    red = hues(1)[0]
    panel = epipolar_panel(replace(wall_frame(0.0), depth=None), grey, points=1)
    left, right = tiles(panel, 2, 490)
    lowest = pixels_of(left, red)[:, 0].max()
    redness = (right[..., 0].astype(int) - right[..., 1])[:, 100:-100]
    row = redness.mean(1).argmax()
    assert redness[row].min() > 50
    assert row == pytest.approx(lowest - RING_RADIUS, abs=2)


def test_with_depth_the_ring_is_where_the_wall_moved_to():
    """0.25 m aside before a wall at 2 m is an eighth of the focal length, which is the width."""
    red = hues(1)[0]
    left, right = tiles(epipolar_panel(wall_frame(0.0), wall_frame(0.25), points=1), 2, 490)
    bottoms = []
    for picture in (left, right):
        found = pixels_of(picture, red)
        bottoms.append(found[found[:, 0] == found[:, 0].max()].mean(0))
    assert bottoms[0][0] == pytest.approx(bottoms[1][0], abs=1)
    assert bottoms[0][1] - bottoms[1][1] == pytest.approx(left.shape[1] / 8, abs=2)


def test_every_point_has_its_colour_in_both_pictures():
    left, right = tiles(epipolar_panel(wall_frame(0.0), wall_frame(0.25), points=6), 2, 490)
    for color in hues(6):
        assert len(pixels_of(left, color)) and len(pixels_of(right, color))


def test_cameras_that_share_nothing_and_walls_without_texture_still_give_a_panel():
    target = wall_frame(0.0)
    plain = replace(target, image=torch.full_like(target.image, 0.5))
    turned = replace(target.camera, camera_to_world=torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0])))
    above = torch.eye(4)
    above[1, 3] = -50.0
    high = replace(target.camera, camera_to_world=above)
    usual = epipolar_panel(target, wall_frame(0.25))
    for other in (replace(target, camera=turned), replace(target, camera=high), target):
        assert epipolar_panel(target, other).shape[1] == usual.shape[1]
    assert epipolar_panel(plain, wall_frame(0.25)).shape[1] == usual.shape[1]


def test_warp_panel_hatches_what_the_source_does_not_show():
    """The first eighth of the wall is outside the source; the rest fits, so its error is black."""
    panel = warp_panel(wall_frame(0.0), wall_frame(0.25))
    target, warped, error = tiles(panel, 3, 326)
    outside = round(warped.shape[1] / 8)
    for picture in (warped, error):
        colors = {tuple(color) for color in picture[:, : outside - 2].reshape(-1, 3).tolist()}
        assert colors == {PAPER, HATCH}
    inside = slice(outside + 2, None)
    difference = np.abs(warped[:, inside].astype(int) - target[:, inside])
    assert np.median(difference) <= 2
    assert np.median(error[:, inside]) < 10


def test_warp_panel_shows_errors_brightly():
    source = wall_frame(0.25)
    panel = warp_panel(wall_frame(0.0), replace(source, image=1.0 - source.image))
    error = tiles(panel, 3, 326)[2]
    assert error[:, 100:].mean() > 90


def test_warp_panel_needs_depth_in_the_target_alone():
    target, source = wall_frame(0.0), wall_frame(0.25)
    assert warp_panel(target, replace(source, depth=None)).shape[1] > 1000
    with pytest.raises(DataError, match="expected a depth map"):
        warp_panel(replace(target, depth=None), source)


def test_path_panel_is_to_scale():
    """Cameras at 0..4 m with 0.3 * 4 m around them: 6.4 m on 960 pixels, and a bar of 1 m."""
    picture = tiles(path_panel(look_along(0, 0, 0, 0, 0), 0.1, 10.0, QUARTER_TURN), 1, 500)[0]
    colors, middle = time_colors(5), 420 // 2
    assert picture.shape[1] == MAP_WIDTH
    assert tuple(picture[middle, 180]) == colors[0]
    assert tuple(picture[middle, 780]) == colors[-1]
    assert tuple(picture[middle, 480]) == colors[2]
    bar = picture[420 - 16, :400]
    assert (np.flatnonzero((bar == INK).all(-1)) < 200).any()
    assert (bar[16:166] == INK).all() and not (bar[170:176] == INK).all()


def test_path_panel_is_seen_from_above_and_not_mirrored():
    """Walking to the right while looking ahead of x: seen from above, z is then up in the picture."""
    picture = tiles(path_panel(look_along(0, 0, 0, 0, 0), 0.3, 10.0, 1.0), 1, 420)[0]
    above, below = picture[20:100, 300:700], picture[300:380, 300:700]
    assert (below == BACKGROUND).all()
    assert above[..., 0].mean() < 200 < above[..., 2].mean()


def test_path_panel_marks_held_out_frames():
    poses = look_along(0, 0.2, 0.4, 0.6, 0.8)
    plain = path_panel(poses, 0.1, 4.0, 1.0)
    marked = path_panel(poses, 0.1, 4.0, 1.0, test=[2])
    assert plain.shape == marked.shape
    changed = (plain != marked).any(-1)[CAPTION_HEIGHT : CAPTION_HEIGHT + 380]
    rows, columns = np.nonzero(changed)
    assert np.ptp(rows) <= 16 and np.ptp(columns) <= 16


@pytest.mark.parametrize("turns", [(0.0,), (0.0, 0.0), (0.0, 2.0)])
def test_path_panel_of_one_place(turns):
    poses = look_along(*turns)
    poses[:, :3, 3] = 1.0
    assert path_panel(poses, 0.5, 3.0, 1.0, test=[0]).shape[1] == MAP_WIDTH + 2 * GAP


def test_cameras_that_look_down_do_not_tilt_the_floor():
    """All pitched by 35 degrees the same way: their mean upward direction leans forward by nearly as much."""
    axes = floor_axes(look_along(0.0, 0.3, 0.6, 0.9, pitch=0.6).double().numpy())
    np.testing.assert_allclose(axes, [[1, 0], [0, 0], [0, -1]], atol=1e-6)


def test_cameras_that_do_not_turn_use_their_own_upward_direction():
    axes = floor_axes(look_along(0.0, 0.0, 0.0, pitch=0.6).double().numpy())
    up = np.cross(axes[:, 1], axes[:, 0])
    np.testing.assert_allclose(up, [0.0, -math.cos(0.6), math.sin(0.6)], atol=1e-6)


def test_line_ends_by_hand():
    """In an image of 11 x 5 pixels: a row, a column, a diagonal, and lines that miss it."""
    assert line_ends((0.0, 1.0, -2.0), 5, 11).tolist() == [[0.0, 2.0], [10.0, 2.0]]
    assert line_ends((2.0, 0.0, -6.0), 5, 11).tolist() == [[3.0, 0.0], [3.0, 4.0]]
    assert sorted(line_ends((1.0, -1.0, 0.0), 5, 11).tolist()) == [[0.0, 0.0], [4.0, 4.0]]
    assert line_ends((0.0, 1.0, -5.0), 5, 11) is None
    assert line_ends((1.0, 1.0, 1.0), 5, 11) is None
    assert line_ends((0.0, 0.0, 0.0), 5, 11) is None


def test_rings_leave_the_noiseinside_untouched():
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    picture = np.zeros_like(noise)
    draw_ring(picture, noise, (40.0, 30.0), (255, 0, 0))
    assert np.array_equal(picture[26:35, 36:45], noise[26:35, 36:45])
    assert not picture[:10].any()
    assert len(pixels_of(picture, (255, 0, 0))) > RING_RADIUS


def test_hues_differ_and_neighbours_are_far_apart():
    assert hues(0) == []
    for count in (1, 2, 8, 13):
        colors = np.array(hues(count)).astype(int)
        assert len({tuple(color) for color in colors.tolist()}) == count
        assert count < 3 or np.abs(np.diff(colors, axis=0)).sum(1).min() > 150


def test_paragraphs_stay_within_their_width():
    strip = paragraph("What is inside a ring must lie on the line of its colour. " * 6, 400)
    assert strip.shape[1] == 400
    assert (strip[:, -GAP + 2 :] == BACKGROUND).all()
    assert paragraph("short", 400).shape[0] < strip.shape[0]
    assert FONT_SCALE >= 0.5
