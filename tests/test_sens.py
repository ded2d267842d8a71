"""The .sens reader: what was written comes back, and every fault in a file is a sentence."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sens_writer import (
    COLOR_SIZE,
    INTRINSIC_COLOR,
    INTRINSIC_DEPTH,
    SensFile,
    depth_map,
    image_bytes,
    picture,
    pose,
)

from gpnerf.preparation.sens import SensFrame, read_frames, read_header
from gpnerf.system.errors import DataError


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """write(**fields of SensFile) -> path."""

    def write_file(data: bytes | None = None, **fields) -> Path:
        path = tmp_path / "scene.sens"
        path.write_bytes(SensFile(**fields).data() if data is None else data)
        return path

    return write_file


def read_all(path: Path) -> list[SensFrame]:
    return list(read_frames(read_header(path), range(100)))


def decode_all(path: Path) -> None:
    for frame in read_all(path):
        frame.color()
        frame.depth()


def test_header_is_what_was_written(write):
    header = read_header(write())
    assert (header.color_size, header.depth_size) == ((12, 16), (6, 8))
    assert (header.color_codec, header.depth_codec, header.depth_shift) == (2, 1, 1000.0)
    assert header.num_frames == 6
    np.testing.assert_array_equal(header.matrices["intrinsic_color"], INTRINSIC_COLOR)
    np.testing.assert_array_equal(header.matrices["intrinsic_depth"], INTRINSIC_DEPTH)
    np.testing.assert_array_equal(header.matrices["extrinsic_depth"], np.eye(4))


def test_frames_are_what_was_written(write):
    lost = np.full((4, 4), -np.inf, np.float32)
    path = write(poses={2: lost})
    frames = read_all(path)
    assert [frame.number for frame in frames] == list(range(6))
    for number, frame in enumerate(frames):
        assert frame.jpeg() == image_bytes(picture(number))
        np.testing.assert_array_equal(frame.depth(), depth_map(number))
        assert frame.depth().dtype == np.uint16
        np.testing.assert_array_equal(frame.camera_to_world, lost if number == 2 else pose(number))
        assert np.abs(frame.color().astype(int) - picture(number)).max() <= 12


def test_only_wanted_frames_are_read(write):
    path = write(colors={0: b"", 1: b"no image", 3: b"none either"})
    frames = list(read_frames(read_header(path), {2, 4}))
    assert [frame.number for frame in frames] == [2, 4]
    np.testing.assert_array_equal(frames[1].depth(), depth_map(4))


def test_one_frame_is_in_memory_at_a_time(write):
    size = (500, 1000)
    path = write(frames=20, codecs=(0, 1), color_size=size, colors=dict.fromkeys(range(20), bytes(1_500_000)))
    tracemalloc.start()
    for frame in read_frames(read_header(path), range(20)):
        assert len(frame.color_data) == 1_500_000
        del frame
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_500_000


@pytest.mark.parametrize("shift, expected", [(1000.0, 3000), (5000.0, 600), (2000.0, 1500), (10.0, 0)])
def test_depth_is_in_millimetres_whatever_the_unit(write, shift, expected):
    # 3000 units of 1/10 m are 300 m: more than 16 bits of millimetres hold, so unknown.
    units = np.full((6, 8), 3000, "<u2")
    path = write(frames=1, depth_shift=shift, depths={0: zlib.compress(units.tobytes())})
    np.testing.assert_array_equal(read_all(path)[0].depth(), np.full((6, 8), expected))


def test_raw_depth_and_raw_or_png_colours_are_read_exactly(write):
    raw = {"depths": {0: depth_map(0).astype("<u2").tobytes()}, "colors": {0: picture(0).tobytes()}}
    frame = read_all(write(frames=1, codecs=(0, 0), **raw))[0]
    np.testing.assert_array_equal(frame.depth(), depth_map(0))
    np.testing.assert_array_equal(frame.color(), picture(0))
    frame = read_all(write(frames=1, codecs=(1, 1), colors={0: image_bytes(picture(0), "PNG")}))[0]
    np.testing.assert_array_equal(frame.color(), picture(0))


def test_a_file_cut_off_anywhere_is_a_fault_even_if_its_last_frames_are_not_wanted(write):
    short = {0: b"forty bytes, as no colour is decoded here", 1: b"some others"}
    whole = SensFile(frames=2, colors=short).data()[:-8]
    for length in range(len(whole)):
        path = write(whole[:length])
        for wanted in (range(2), {0}):
            with pytest.raises(DataError, match=r"scene\.sens.*expected.*found.*download the file again"):
                list(read_frames(read_header(path), wanted))
    assert len(read_all(write(whole))) == 2


def test_a_cut_off_file_is_named_with_frame_and_bytes(write):
    whole = SensFile(frames=2).data()[:-8]
    with pytest.raises(
        DataError, match=r"frame 1: expected \d+ more bytes, found the end of the file after \d"
    ):
        read_all(write(whole[:-3]))


def test_flipped_bytes_are_faults_or_other_pixels_but_never_crashes(write):
    whole = SensFile(frames=2).data()
    random = np.random.default_rng(0)
    faults = 0
    for position in random.choice(len(whole), 400, replace=False):
        data = bytearray(whole)
        data[position] ^= int(random.integers(1, 256))
        try:
            decode_all(write(bytes(data)))
        except DataError:
            faults += 1
    assert 50 < faults < 400


@pytest.mark.parametrize(
    "fields, sentence",
    [
        ({"version": 3}, "expected version 4 of the .sens format, found 3"),
        ({"codecs": (2, 2)}, r"2 \(OCCI\) is unsupported, found 2"),
        ({"codecs": (3, 1)}, r"colour codec 0 \(raw\), 1 \(png\) or 2 \(jpeg\), found 3"),
        ({"codecs": (-1, 1)}, "colour codec.*found -1"),
        ({"color_size": (0, 16)}, "colour sides from 1 to 8192 pixels, found 0x16"),
        ({"depth_size": (6, 10**9)}, "depth sides from 1 to 8192 pixels, found 6x1000000000"),
        ({"depth_shift": 0.0}, "positive number of depth units per metre, found 0"),
        ({"depth_shift": float("nan")}, "positive number of depth units per metre, found nan"),
        ({"announced_frames": 2**60}, "as many frames as .* bytes can hold, found 1152921504606846976"),
        ({"announced_frames": 0}, "as many frames as .* bytes can hold, found 0"),
        ({"sensor": b"x" * 5000}, "the name of a sensor, found one of 5000 bytes"),
    ],
)
def test_impossible_headers_are_sentences(write, fields, sentence):
    with pytest.raises(DataError, match=rf"scene\.sens, header: .*{sentence}"):
        read_header(write(**fields))


def test_blobs_of_absurd_sizes_are_refused_before_they_are_read(write):
    data = bytearray(SensFile().data())
    place = len(SensFile().header()) + 64 + 16
    data[place : place + 8] = struct.pack("<Q", 2**50)
    with pytest.raises(
        DataError, match="frame 0: expected colour of about 576 bytes or less, found 1125899906"
    ):
        read_all(write(bytes(data)))


@pytest.mark.parametrize(
    "depth, sentence",
    [
        (zlib.compress(bytes(94)), "expected 96 bytes of depth, found 94 bytes"),
        (zlib.compress(bytes(98)), "expected 96 bytes of depth, found more than that"),
        (zlib.compress(bytes(40_000_000)), "expected 96 bytes of depth, found more than that"),
        (zlib.compress(bytes(range(96)))[:-2], "a whole depth map packed by zlib, found one without its end"),
        (zlib.compress(bytes(range(96)))[:50], "expected 96 bytes of depth, found 4. bytes"),
        (b"no zlib stream", "a depth map packed by zlib, found a fault in it"),
        (b"", "expected 96 bytes of depth, found 0 bytes"),
    ],
)
def test_depth_of_another_length_is_a_sentence_and_bombs_are_not_inflated(write, depth, sentence):
    frame = read_all(write(depths={5: depth}))[5]
    tracemalloc.start()
    with pytest.raises(DataError, match=f"frame 5: .*{sentence}"):
        frame.depth()
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


JPEG = image_bytes(picture(0))


@pytest.mark.parametrize(
    "color, sentence",
    [
        (JPEG[:-2], "from marker FFD8 to marker FFD9"),
        (JPEG[2:], "from marker FFD8 to marker FFD9"),
        (b"", "from marker FFD8 to marker FFD9"),
        (b"\xff\xd8 nothing \xff\xd9", "a JPEG image, found 13 bytes that are none"),
        (image_bytes(picture(0)[:, :8]), "a JPEG image of 12x16 pixels, found 12x8"),
    ],
)
def test_broken_jpegs_are_noticed_without_decoding_them(write, color, sentence):
    frame = read_all(write(colors={3: color}))[3]
    for read in (frame.jpeg, frame.color):
        with pytest.raises(DataError, match=f"frame 3: .*{sentence}.*download the file again"):
            read()


def test_zeros_behind_a_jpeg_are_no_fault(write):
    frame = read_all(write(colors={0: JPEG + bytes(7)}))[0]
    assert frame.jpeg() == JPEG + bytes(7)
    assert frame.color().shape == (*COLOR_SIZE, 3)


def test_raw_colours_of_another_length_are_a_sentence(write):
    frame = read_all(write(codecs=(0, 1), colors={0: bytes(575)}))[0]
    with pytest.raises(DataError, match="frame 0: expected 576 bytes of colour, found 575 bytes"):
        frame.color()
