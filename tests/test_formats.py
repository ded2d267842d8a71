"""Image files of other programs: what their pixels mean, where they end, and how the rest is named."""

import numpy as np
import pytest
from helpers import load_folder
from image_files import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, encoded, png

from gpnerf.media import jpeg
from gpnerf.media.images import decode_image, decode_values, image_size, transparency
from gpnerf.system.errors import DataError

COLORS = bytes([10, 20, 30, 40, 50, 60, 70, 80, 90, 200, 100, 0])
# Four ids in a row, as a width at which no row fills its last byte.
IDS = np.array([[0, 1, 1], [1, 0, 0]])


def values(data, kind="semantic"):
    return decode_values(data, "map.png", kind)


@pytest.mark.parametrize("bits", (1, 2, 4, 8))
def test_the_pixels_of_a_palette_are_ids_in_a_map_and_colors_in_a_photograph(bits):
    ids = IDS if bits == 1 else np.array([[0, 1, 2], [3, 1, 0]])
    data = png(ids, bits, PALETTE, PLTE=COLORS)
    assert values(data).tolist() == ids.tolist()
    palette = np.frombuffer(COLORS, np.uint8).reshape(-1, 3)
    assert decode_image(data, "photograph.png").tolist() == palette[ids].tolist()


@pytest.mark.parametrize("bits", (1, 2, 4, 8, 16))
def test_grey_ids_are_what_the_file_holds_whatever_its_bits(bits):
    largest = 2**bits - 1
    ids = np.array([[0, 1, largest], [largest, 1, 0]])
    assert values(png(ids, bits, GREY)).tolist() == ids.tolist()


def test_transparent_entries_of_a_palette_are_ids_still():
    assert values(png(IDS, 8, PALETTE, PLTE=COLORS, tRNS=b"\0\x80")).tolist() == IDS.tolist()


@pytest.mark.parametrize("form", ("BMP", "TIFF"))
def test_palettes_of_other_formats(form, tmp_path):
    from PIL import Image

    picture = Image.fromarray(np.array([[0, 1], [2, 3]], np.uint8), "P")
    picture.putpalette(COLORS)
    picture.save(tmp_path / "map", form)
    assert values((tmp_path / "map").read_bytes()).tolist() == [[0, 1], [2, 3]]


def test_a_flipped_bit_in_a_palette_map_is_refused():
    data = bytearray(png(np.arange(64).reshape(8, 8) % 4, 8, PALETTE, PLTE=COLORS))
    data[data.index(b"IDAT") + 12] ^= 1
    with pytest.raises(DataError, match="found a PNG that is cut off or damaged"):
        values(bytes(data))


def test_an_alpha_channel_in_a_map_is_refused(scene_writer):
    writer = scene_writer(depth=True)
    (writer.folder / "depth/1.png").write_bytes(png(np.full((6, 8, 2), 2000), 16, GREY_ALPHA))
    with pytest.raises(DataError, match="depth/1.png: expected one channel, found 4"):
        load_folder(writer.write())


def test_transparent_pixels_lie_on_white():
    """Half of 100 and half of white: 0.5 * 100 + 0.5 * 255, by the alpha 128 / 255."""
    pixels = np.array([[[100, 0, 200, 0], [100, 0, 200, 255], [100, 0, 200, 128]]])
    half = [round(value * 128 / 255 + 255 * 127 / 255) for value in (100, 0, 200)]
    assert half == [177, 127, 227]
    expected = [[[255, 255, 255], [100, 0, 200], half]]
    assert decode_image(png(pixels, 8, RGBA), "photograph.png").tolist() == expected
    in_16_bits = decode_image(png(pixels * 257, 16, RGBA), "photograph.png")
    assert in_16_bits.dtype == np.uint16 and in_16_bits[0, :2].tolist() == [[65535] * 3, [25700, 0, 51400]]


def test_transparency_by_grey_palette_and_key_color():
    grey = png(np.array([[[9, 255], [9, 0]]]), 8, GREY_ALPHA)
    assert decode_image(grey, "photograph.png").tolist() == [[[9] * 3, [255] * 3]]
    palette = png(IDS[:1], 8, PALETTE, PLTE=COLORS, tRNS=b"\0")
    assert decode_image(palette, "photograph.png").tolist() == [[[255] * 3, [40, 50, 60], [40, 50, 60]]]
    key = png(np.array([[[1, 2, 3], [4, 5, 6]]]), 8, RGB, tRNS=bytes([0, 1, 0, 2, 0, 3]))
    assert decode_image(key, "photograph.png").tolist() == [[[255] * 3, [4, 5, 6]]]


def test_the_transparent_share(tmp_path):
    path = tmp_path / "photograph.png"
    for alpha, share in (([0, 255, 254, 255], 0.5), ([255] * 4, 0.0)):
        path.write_bytes(png(np.array([[[5, 5, 5, one] for one in alpha]]), 8, RGBA))
        assert transparency(path) == share
    path.write_bytes(png(np.zeros((2, 2, 3)), 8, RGB))
    assert transparency(path) == 0.0


# A progressive file has several scans with tables between them.
PHOTOGRAPHS = [
    encoded(np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8), "JPEG", **options)
    for options in ({}, {"progressive": True}, {"restart_marker_blocks": 2}, {"comment": b"\xff\xda\xff\xd9"})
]
# A film by chance, the marks of one by ill chance, and the second photograph of a brightness map.
TAILS = [
    np.random.default_rng(1).integers(0, 256, 60_000, np.uint8).tobytes(),
    b"\0\0\0\x18ftypmp42\xff\xd9\xff\xda",
    PHOTOGRAPHS[0][:-2],
]


@pytest.mark.parametrize("tail", TAILS, ids=("random", "film", "cut second one"))
@pytest.mark.parametrize("photograph", PHOTOGRAPHS, ids=("plain", "progressive", "restarts", "comment"))
def test_what_follows_a_photograph_is_no_part_of_it(photograph, tail):
    assert jpeg.photograph(photograph + tail) == photograph
    alone = decode_image(photograph, "0.jpg")
    assert (decode_image(photograph + tail, "0.jpg") == alone).all()


@pytest.mark.parametrize("photograph", PHOTOGRAPHS, ids=("plain", "progressive", "restarts", "comment"))
def test_cut_photographs_are_refused_wherever_they_are_cut(photograph):
    for length in range(2, len(photograph)):
        assert jpeg.photograph(photograph[:length]) is None, length
    with pytest.raises(
        DataError, match="0.jpg: .*found a JPEG that is cut off or damaged; copy the file again"
    ):
        decode_image(photograph[:-1], "0.jpg")


def test_a_thumbnail_in_front_does_not_end_a_cut_photograph():
    thumbnail, photograph = PHOTOGRAPHS[0], PHOTOGRAPHS[1]
    note = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    whole = photograph[:2] + note + photograph[2:]
    assert jpeg.photograph(whole) == whole
    assert jpeg.photograph(whole[: len(note) + 300]) is None


FOREIGN = {
    "a HEIC photograph": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "a HEIF photograph": b"\0\0\0\x18ftypmif1\0\0\0\0",
    "an AVIF photograph": b"\0\0\0\x18ftypavif\0\0\0\0",
    "a camera's raw photograph": b"\0\0\0\x18ftypcrx \0\0\0\x01",
    "a video": b"\0\0\0\x18ftypisom\0\0\x02\0",
    "an OpenEXR file": b"\x76\x2f\x31\x01\x02\0\0\0",
    "a zip archive, such as .npz": b"PK\x03\x04\x2d\0",
    "an HDF5 file": b"\x89HDF\r\n\x1a\n",
    "a GIF": b"GIF89a",
    "a PFM file": b"Pf\n1",
    "a TIFF that cannot be decoded": b"II*\0\x08\0\0\0",
    "a WebP file that cannot be decoded": b"RIFF\x24\0\0\0WEBPVP8 ",
    "a git-LFS pointer in place of the file": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a",
    "a web page, such as a failed download leaves": b"\n<!DOCTYPE html><html>Not found",
    "an empty file": b"",
    "5 bytes that cannot be decoded as one": b"hello",
}
REMEDIES = {
    "a git-LFS pointer in place of the file": "fetch the file itself with `git lfs pull`.",
    "a web page, such as a failed download leaves": "download the file itself.",
    "an empty file": "copy the file again from its source.",
    "5 bytes that cannot be decoded as one": "copy the file again from its source.",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_files_are_named_with_a_remedy_that_helps(name, tmp_path):
    path = tmp_path / "0.png"
    path.write_bytes(FOREIGN[name])
    remedy = REMEDIES.get(name, "save it as an 8-bit PNG or JPEG.")
    sentence = f"{path}: expected an image, found {name}; {remedy}"
    for refuse in (lambda: image_size(path), lambda: decode_image(FOREIGN[name], str(path))):
        with pytest.raises(DataError) as refused:
            refuse()
        assert str(refused.value) == sentence


def test_the_preview_in_a_raw_photograph_is_not_taken_for_it(tmp_path):
    path = tmp_path / "0.NEF"
    path.write_bytes(encoded(np.zeros((6, 8, 3), np.uint8), "TIFF"))
    for refuse in (lambda: image_size(path), lambda: decode_image(path.read_bytes(), str(path))):
        with pytest.raises(
            DataError, match="found a camera's raw photograph; save it as an 8-bit PNG or JPEG"
        ):
            refuse()


def test_every_foreign_file_is_told_once_and_by_its_kind(scene_writer):
    writer = scene_writer(depth=True, semantic=True)
    (writer.folder / "depth/1.png").write_bytes(FOREIGN["an OpenEXR file"])
    with pytest.raises(DataError) as refused:
        load_folder(writer.write())
    assert str(refused.value) == (
        f"{writer.folder}/depth/1.png: expected an image, found an OpenEXR file; save it as a 16-bit PNG in "
        "units such as millimetres, or as an .npy array in metres."
    )


def test_a_gif_is_refused_as_a_map_too():
    with pytest.raises(DataError, match="found a GIF; save the ids as an 8-bit or 16-bit PNG"):
        values(encoded(np.arange(4, dtype=np.uint8).reshape(2, 2), "GIF"))
