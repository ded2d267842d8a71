"""Distortion is removed so that no pixel comes from outside the photograph, and the camera follows."""

import cv2
import numpy as np
import pytest
import torch
from conftest import real_data
from helpers import load_folder

from gpnerf.datasets.pixels.lens import Lens

HEIGHT, WIDTH = 72, 96
INTRINSICS = np.array([[57.2, 0.0, 47.5], [0.0, 57.2, 35.5], [0.0, 0.0, 1.0]])


def lens(**coefficients):
    names = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
    stored = np.array([coefficients.get(name, 0.0) for name in names])
    return Lens(INTRINSICS, stored, HEIGHT, WIDTH)


@pytest.mark.parametrize(
    "coefficients",
    [
        {"k1": 0.1},
        {"k1": -0.1},
        {"k1": 0.058, "k2": -0.03, "p1": 0.001, "p2": -0.002},
        {"k1": -0.2, "k2": 0.15},
        {"p1": 0.02, "p2": -0.03},
        {"k1": 0.3, "k4": 0.2},
    ],
)
def test_every_pixel_lies_in_the_photograph(coefficients):
    found = lens(**coefficients)
    white = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    assert found.removed(white, cv2.INTER_LINEAR).min() == 255
    assert found.covered().all()


@pytest.mark.parametrize("k1", [-0.4, -0.9])
def test_where_the_distortion_turns_back_nothing_counts(k1):
    """r (1 + k1 r^2) grows up to r = 1 / sqrt(-3 k1); beyond, the picture would be mirrored."""
    wide = INTRINSICS * [[0.5], [0.5], [1.0]] + [[0, 0, 47.5 / 2], [0, 0, 35.5 / 2], [0, 0, 0]]
    found = Lens(wide, np.array([k1] + [0.0] * 7), HEIGHT, WIDTH)
    columns, rows = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    x, y = (
        (columns - found.pinhole[0, 2]) / found.pinhole[0, 0],
        (rows - found.pinhole[1, 2]) / found.pinhole[1, 1],
    )
    radius, turns = np.hypot(x, y), 1.0 / np.sqrt(-3.0 * k1)
    assert not found.covered()[radius > turns + 0.05].any()
    assert found.covered()[radius < turns - 0.05].all()
    assert found.covered().any()


def test_a_lens_without_distortion_leaves_all_as_it_is():
    pixels = np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH)
    assert lens().removed(pixels, cv2.INTER_NEAREST) is pixels
    assert np.array_equal(lens().pinhole, INTRINSICS)


def test_a_lens_that_bends_outwards_keeps_its_camera():
    """Its photograph covers more than the camera without distortion sees."""
    np.testing.assert_allclose(lens(k1=-0.1).pinhole, INTRINSICS, rtol=1e-12)


def test_the_camera_that_is_left_sees_each_point_where_the_picture_shows_it():
    """A smooth picture painted by direction: undistorted, each pixel shows the direction of its ray."""
    found = lens(k1=0.1, p2=0.004)
    grid = np.stack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT)), axis=-1).reshape(-1, 1, 2).astype(float)
    painted = cv2.undistortPoints(grid, INTRINSICS, np.array([0.1, 0.0, 0.0, 0.004]))
    shown = found.removed(painted.reshape(HEIGHT, WIDTH, 2).astype(np.float32), cv2.INTER_LINEAR)
    rays = (grid[:, 0] - found.pinhole[:2, 2]) / found.pinhole[[0, 1], [0, 1]]
    np.testing.assert_allclose(shown.reshape(-1, 2), rays, atol=2e-3)
    # A cushion: the middle of the left side is what limits it, r^2 = (47.5 / 57.2)^2 = 0.69 at k1 = 0.1.
    assert found.pinhole[0, 0] > INTRINSICS[0, 0]


def test_a_photograph_with_a_cushion_has_no_black_strips_in_any_map(scene_writer):
    writer = scene_writer(depth=True, semantic=True)
    writer.top["k1"] = 0.3
    for frame in writer.top["frames"]:
        writer.save(frame["file_path"], np.full((6, 8, 3), 200, np.uint8))
        writer.save(frame["semantic_path"], np.full((6, 8), 2, np.uint8))
    frame = load_folder(writer.write()).read(1, 6, 8)
    assert frame.image.min() == pytest.approx(200 / 255)
    assert (
        (frame.semantic == 2).all()
        and torch.allclose(frame.depth, torch.tensor(2.001))
        and frame.mask is None
    )
    assert frame.camera.intrinsics[0, 0] > 4.0 and torch.equal(frame.camera.intrinsics[2], torch.eye(3)[2])


def test_photographs_of_a_phone_have_no_black_strips():
    """Fifty portraits, k1 = 0.058, poses without scale: read as they are once near and far are given."""
    scene = load_folder(real_data("fox"), depth_range=(1.0, 20.0))
    assert len(scene.views) == 50 and not scene.index.warnings
    image = scene.read_image(0, 1920, 1080)
    sides = (image[:, 0], image[:, -1], image[:, :, 0], image[:, :, -1])
    assert all((side.amax(dim=0) > 0).float().mean() > 0.99 for side in sides)
    assert scene.read_mask(0, 1920, 1080) is None
    intrinsics = scene.view(0).camera.intrinsics
    # Four columns left and right and nine rows above were black: 1375.52 * 1080 / 1072 = 1385.8 and more.
    assert 1380 < intrinsics[0, 0] < 1400 and 1374.5 < intrinsics[1, 1] < 1395
