"""Zips of label maps: what was packed comes out, and every fault in a file is a sentence."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from sens_writer import COLOR_SIZE, image_bytes, label_png, picture, write_zip

from gpnerf.preparation.map_archive import MapArchive
from gpnerf.system.errors import DataError


def test_a_zip_cut_off_anywhere_is_a_fault(tmp_path: Path):
    path = tmp_path / "labels.zip"
    write_zip(path, {f"label-filt/{number}.png": label_png(number) for number in range(2)})
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"labels\.zip: expected a zip file.*download the file again"):
            MapArchive(path, "label-filt", COLOR_SIZE)


def test_flipped_bytes_in_a_zip_are_faults_or_read_as_before(tmp_path: Path):
    path = tmp_path / "labels.zip"
    write_zip(path, {f"label-filt/{number}.png": label_png(number) for number in range(2)})
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    faults = 0
    for position in range(len(whole)):
        data = bytearray(whole)
        data[position] ^= int(random.integers(1, 256))
        path.write_bytes(data)
        try:
            with MapArchive(path, "label-filt", COLOR_SIZE) as archive:
                for number in archive.numbers & {0, 1}:
                    np.testing.assert_array_equal(
                        archive.pixels(number), read_png(label_png(number)), err_msg=str(position)
                    )
        except DataError:
            faults += 1
    assert faults > len(whole) // 2


def test_a_member_that_inflates_to_more_than_it_says_is_not_inflated(tmp_path: Path):
    path = tmp_path / "labels.zip"
    write_zip(path, {"label-filt/0.png": bytes(40_000_000)})
    honest, lie = struct.pack("<I", 40_000_000), struct.pack("<I", 1000)
    assert path.read_bytes().count(honest) == 2
    path.write_bytes(path.read_bytes().replace(honest, lie))
    with MapArchive(path, "label-filt", COLOR_SIZE) as archive:
        tracemalloc.start()
        with pytest.raises(DataError, match=r"label-filt/0\.png in it, found a damaged member"):
            archive.png(0)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
        tracemalloc.stop()


def read_png(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def test_only_maps_of_the_kind_are_taken_from_a_zip(tmp_path: Path):
    path = tmp_path / "labels.zip"
    stray = ["label/7.png", "__MACOSX/label-filt/8.png", "../label-filt/9.png", "label-filt/._0.png"]
    stray += ["label-filt/", "label-filt/x.png", "label-filt/3.txt", "xlabel-filt/4.png"]
    members = {"scene0000_00/label-filt/0.png": label_png(0), "label-filt/12.png": label_png(12)}
    write_zip(path, members | dict.fromkeys(stray, b"stray"))
    with MapArchive(path, "label-filt", COLOR_SIZE) as archive:
        assert archive.numbers == {0, 12}
        assert archive.png(12) == label_png(12)


@pytest.mark.parametrize(
    "members, sentence",
    [
        (
            {"label/0.png": b"x", "label/1.png": b"x"},
            "members label-filt/N.png, found label/0.png, label/1.png",
        ),
        ({}, "members label-filt/N.png, found nothing"),
        ({"label-filt/0.png": b"no image"}, "a png image in label-filt/0.png, found 8 bytes that are none"),
        ({"label-filt/0.png": bytes(10**6)}, "label-filt/0.png of at most 66304 bytes, found 1000000"),
        (
            {"label-filt/0.png": image_bytes(np.zeros((13, 16), np.uint8), "PNG")},
            "label-filt/0.png of at most 12x16 pixels, found 13x16",
        ),
        ({"label-filt/0.png": image_bytes(picture(0), "PNG")}, "a map of ids in .*, found a colour image"),
    ],
)
def test_zips_with_other_contents_are_sentences(tmp_path: Path, members, sentence):
    path = tmp_path / "labels.zip"
    write_zip(path, members)
    with (
        pytest.raises(DataError, match=rf"labels\.zip: expected {sentence}.*download the file again"),
        MapArchive(path, "label-filt", COLOR_SIZE) as archive,
    ):
        archive.pixels(0)
