"""Depth in metres whatever its file, and its faults."""

import numpy as np
import pytest
from helpers import load_folder

from gpnerf.datasets.pixels.maps import read_depth
from gpnerf.media.images import write_image
from gpnerf.system.errors import DataError


def saved(folder, array, name="0.npy"):
    with open(folder / name, "wb") as file:
        np.save(file, array)
    return folder / name


@pytest.mark.parametrize("dtype", (np.float16, np.float32, np.float64, ">f4"))
def test_floats_are_metres_where_16_bits_are_millimetres(tmp_path, dtype):
    path = saved(tmp_path, np.array([[0.5, 2.0], [3.25, 60.0]], dtype))
    depth = read_depth(path, None)
    assert depth.dtype == np.float32 and depth.tolist() == [[0.5, 2.0], [3.25, 60.0]]


@pytest.mark.parametrize("unit", (0.25, 0.001))
def test_a_unit_that_is_stated_is_that_of_floats_too(tmp_path, unit):
    depth = read_depth(saved(tmp_path, np.array([[3000.0]])), unit)
    assert depth.tolist() == [[pytest.approx(3000.0 * unit)]]


def test_16_bit_arrays_are_read_as_images_are(tmp_path):
    stored = np.array([[2000, 65535], [0, 65534]], np.uint16)
    write_image(tmp_path / "0.png", stored)
    for path in (saved(tmp_path, stored), tmp_path / "0.png"):
        np.testing.assert_allclose(read_depth(path, None), [[2.0, 0.0], [0.0, 65.534]], rtol=1e-6)


def test_what_no_sensor_reads_is_unknown(tmp_path):
    """1e10 is what renderers write for nothing, 65504 the largest number of 16 bits."""
    path = saved(tmp_path, np.array([[np.nan, np.inf, -np.inf, -1.0, 0.0, 1e10, 1e300, 4.0]]))
    assert read_depth(path, None).tolist() == [[0.0] * 7 + [4.0]]
    path = saved(tmp_path, np.array([[65504.0, np.inf, 4.0]], np.float16))
    assert read_depth(path, None).tolist() == [[0.0, 0.0, 4.0]]


def test_an_axis_of_one_channel_is_dropped(tmp_path):
    assert read_depth(saved(tmp_path, np.ones((4, 5, 1))), None).shape == (4, 5)


@pytest.mark.parametrize(
    "array, finding",
    (
        (np.ones((3, 4, 2)), r"expected an array of shape \[height, width\], found \[3, 4, 2\]"),
        (np.ones(4), r"expected an array of shape \[height, width\], found \[4\]"),
        (
            np.ones((3, 4), np.int32),
            "expected depth of 16 bits or of floats, found int32; save it as",
        ),
        (np.ones((3, 4), complex), "expected depth of 16 bits or of floats, found complex128"),
        (np.array([[{}]]), "expected an .npy array of numbers, found a file that is cut off or damaged"),
    ),
)
def test_other_arrays_are_refused(tmp_path, array, finding):
    path = tmp_path / "0.npy"
    np.save(path, array, allow_pickle=True)
    with pytest.raises(DataError, match=rf"0\.npy: {finding}"):
        read_depth(path, None)


def test_cut_and_damaged_arrays_are_refused_or_read(tmp_path):
    path = saved(tmp_path, np.full((6, 8), 2.0, np.float32))
    content = path.read_bytes()
    for length in range(6, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"0\.npy: expected an .npy array of numbers, found"):
            read_depth(path, None)
    for place in range(6, content.index(b"\n")):
        for flip in (1, 8, 0x80):
            path.write_bytes(content[:place] + bytes([content[place] ^ flip]) + content[place + 1 :])
            try:
                assert read_depth(path, None).dtype == np.float32
            except DataError as error:
                assert "0.npy: expected" in str(error)


def npy_scene(writer, **top):
    """A scene whose depth lies in .npy files, all 2 m but for a row of infinity."""
    depth = np.full((6, 8), 2.0, np.float32)
    depth[0] = np.inf
    for frame in writer.top["frames"]:
        frame["depth_file_path"] = frame["depth_file_path"].replace(".png", ".npy")
        saved(writer.folder, depth, frame["depth_file_path"])
    writer.top |= top
    return writer


def test_a_scene_with_npy_depth(scene_writer):
    scene = load_folder(npy_scene(scene_writer(depth=True)).write())
    assert scene.count("depth") == 3
    assert (scene.near, scene.far) == (2.0 / 1.25, 2.0 * 1.25)
    depth = scene.read_map(1, "depth", 6, 8)
    assert depth[0].tolist() == [0.0] * 8 and (depth[1:] == 2.0).all()


@pytest.mark.parametrize("key", ("depth_unit_scale_factor", "integer_depth_scale"))
def test_npy_depth_in_stated_millimetres(scene_writer, key):
    writer = npy_scene(scene_writer(depth=True), **{key: 0.001})
    for number in range(3):
        saved(writer.folder, np.full((6, 8), 2500.0, np.float32), f"depth/{number}.npy")
    scene = load_folder(writer.write())
    assert scene.read_map(1, "depth", 6, 8).unique().tolist() == pytest.approx([2.5])
    assert scene.far == pytest.approx(2.5 * 1.25)


def test_npy_depth_of_another_shape_is_told_when_the_scene_is_indexed(scene_writer):
    writer = npy_scene(scene_writer(depth=True))
    saved(writer.folder, np.ones((8, 6), np.float32), "depth/1.npy")
    with pytest.raises(DataError, match=r"depth/1\.npy: expected 8x6 pixels as in transforms.json"):
        load_folder(writer.write())


def test_the_largest_value_is_neither_depth_nor_part_of_the_range(scene_writer):
    writer = scene_writer(depth=True)
    depth = np.full((6, 8), 2000, np.uint16)
    depth[:2] = 65535
    for number in range(3):
        writer.save(f"depth/{number}.png", depth)
    scene = load_folder(writer.write())
    assert scene.far == pytest.approx(2.5)
    assert (scene.read_map(0, "depth", 6, 8) == 0.0).sum() == 16
