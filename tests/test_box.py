"""Boxes of photographs: their pixels, maps, masks and cameras belong together."""

import numpy as np
import pytest
import torch
from helpers import load_folder
from sloping_wall import HEIGHT, WIDTH, sloping_scene

from gpnerf.datasets.frame_reader import CroppedReader, KeptFrames
from gpnerf.datasets.pixels.box import WHOLE, Box


@pytest.fixture
def slope(scene_writer):
    return sloping_scene(scene_writer)


def test_a_box_that_is_not_resized_is_what_the_frame_shows_there(slope):
    box = Box(0.25, 0.5, 0.5, 0.25)
    cropped, kept = CroppedReader(box, 48, 32, KeptFrames()), KeptFrames()
    whole, frame = CroppedReader(WHOLE, HEIGHT, WIDTH, kept).frame(slope, 1), cropped.frame(slope, 1)
    assert box.pixels(HEIGHT, WIDTH) == (24, 64, 48, 32)
    for name in ("image", "depth", "semantic"):
        assert torch.equal(getattr(frame, name), getattr(whole, name)[..., 24:72, 64:96])
    assert torch.equal(cropped.photograph(slope, 1).image, frame.image)
    moved = whole.camera.intrinsics - frame.camera.intrinsics
    assert moved.tolist() == [[0, 0, 64], [0, 0, 24], [0, 0, 0]]


def test_a_whole_frame_is_what_is_read_without_variation(slope):
    whole = CroppedReader(WHOLE, 48, 64, KeptFrames()).frame(slope, 2)
    plain = slope.read(2, 48, 64)
    for name in ("image", "depth", "semantic"):
        assert torch.equal(getattr(whole, name), getattr(plain, name))
    assert torch.equal(whole.camera.intrinsics, plain.camera.intrinsics)


def test_a_box_of_any_shares_has_pixels_within_the_frame():
    random = np.random.default_rng(0)
    for height, width in ((1, 1), (2, 3), (96, 128)):
        for _ in range(100):
            tall, wide = random.random(2)
            box = Box(random.uniform(0, 1 - tall), random.uniform(0, 1 - wide), tall, wide)
            top, left, rows, columns = box.pixels(height, width)
            assert 0 <= top < top + rows <= height and 0 <= left < left + columns <= width


def test_masks_are_cropped_with_their_photographs(scene_writer):
    writer = scene_writer(frames=3, depth=True)
    writer.mask_from(5)
    scene = load_folder(writer.write())

    def read(first, last, height=6):
        """Reads columns first to last - 1; their shape stays the same."""
        columns = last - first
        box = Box(0.0, first / 8, 1.0, columns / 8)
        return CroppedReader(box, height, columns * height // 6, KeptFrames())

    middle = read(3, 7)
    assert middle.frame(scene, 0).mask.tolist() == [[True, True, False, False]] * 6
    assert middle.frame(scene, 0).depth[0].tolist() == pytest.approx([2.0, 2.0, 0.0, 0.0])
    assert middle.sources(scene, [1, 2]).masks.tolist() == [[[True, True, False, False]] * 6] * 2
    assert read(0, 5).frame(scene, 0).mask is None
    assert not read(5, 8).photograph(scene, 0).mask.any()
    # The second pixel shows columns 3, 4 and 5, of which the last is masked.
    half = read(0, 6, height=2).frame(scene, 0)
    assert half.mask[0].tolist() == [True, False] and half.depth[0].tolist() == [2.0, 0.0]
