"""Photographs are copied upright, and the sharpest frames are chosen."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gpnerf.media.images import ORIENTATIONS, UPRIGHT, orientation, read_image, write_image
from gpnerf.media.photographs import copy_upright
from gpnerf.media.sharpness import sharpest_of_every, sharpness
from gpnerf.system.errors import DataError

# Orientation -> what a camera stores of an upright image, the inverse of what ORIENTATIONS says.
STORED = {
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: np.fliplr(np.rot90(pixels, -1)),
    6: lambda pixels: np.rot90(pixels, 1),
    7: lambda pixels: np.fliplr(np.rot90(pixels, 1)),
    8: lambda pixels: np.rot90(pixels, -1),
}
IN_EXIF, FOCAL_35_MM = 0x8769, 0xA405


def with_orientation(upright: np.ndarray, number: int, form: str) -> bytes:
    """The file of a photograph that a camera held so, with a focal length of 28 mm in its EXIF data."""
    exif = Image.Exif()
    exif[0x0112] = number
    exif.get_ifd(IN_EXIF)[FOCAL_35_MM] = 28
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(STORED[number](upright))).save(file, form, exif=exif, quality=95)
    return file.getvalue()


@pytest.mark.parametrize("number", ORIENTATIONS)
def test_a_photograph_that_lies_on_its_side_is_copied_upright(number: int, tmp_path: Path):
    upright = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 14
    source, target = tmp_path / "source.png", tmp_path / "target.png"
    source.write_bytes(with_orientation(upright, number, "PNG"))
    assert orientation(source) == number
    assert copy_upright(source, target)
    np.testing.assert_array_equal(read_image(target), upright)
    assert orientation(target) == UPRIGHT
    with Image.open(target) as image:
        assert image.getexif().get_ifd(IN_EXIF)[FOCAL_35_MM] == 28


def test_an_upright_photograph_is_copied_byte_for_byte(tmp_path: Path):
    write_image(tmp_path / "source.jpg", np.full((8, 8, 3), 77, np.uint8))
    assert not copy_upright(tmp_path / "source.jpg", tmp_path / "target.jpg")
    assert (tmp_path / "target.jpg").read_bytes() == (tmp_path / "source.jpg").read_bytes()


def test_an_image_without_colours_is_no_photograph(tmp_path: Path):
    write_image(tmp_path / "source.png", np.zeros((8, 8), np.uint8))
    with pytest.raises(DataError, match="expected an 8-bit colour image"):
        copy_upright(tmp_path / "source.png", tmp_path / "target.png")
    assert not (tmp_path / "target.png").exists()


def spot(brightness: int) -> np.ndarray:
    """A black frame with one grey pixel in its middle."""
    frame = np.zeros((5, 5, 3), np.uint8)
    frame[2, 2] = brightness
    return frame


def test_sharpness_by_hand():
    """The Laplacian of a spot of 10 is -40 there and 10 at its four neighbours: (1600 + 4 * 100) / 25."""
    assert sharpness(spot(10)) == pytest.approx(80.0)
    assert sharpness(np.full((5, 5, 3), 200, np.uint8)) == 0.0


def test_the_sharpest_of_every_three_frames():
    frames = [spot(brightness) for brightness in (5, 9, 7, 4, 4, 1, 2)]
    chosen = list(sharpest_of_every(iter(frames), 3))
    assert [number for number, _ in chosen] == [1, 3, 6]
    assert [int(frame[2, 2, 0]) for _, frame in chosen] == [9, 4, 2]
    assert [number for number, _ in sharpest_of_every(frames, 1)] == list(range(7))
