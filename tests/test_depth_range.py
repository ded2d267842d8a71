"""Where near and far come from, in their order; and what is told of a range that cannot be right."""

import logging
import re

import numpy as np
import pytest
from helpers import load_folder
from layouts import HEIGHT, WIDTH, save, write_replica, write_scannet

from gpnerf.datasets.depth_range import depths_of_points
from gpnerf.datasets.run_scenes import describe_ranges
from gpnerf.system.errors import DataError
from scripts.check_data import main as check_data


def ply(points) -> bytes:
    lines = "".join(f"{x:g} {y:g} {z:g}\n" for x, y, z in points)
    axes = "property float x\nproperty float y\nproperty float z\n"
    return f"ply\nformat ascii 1.0\nelement vertex {len(points)}\n{axes}end_header\n{lines}".encode()


def wall(depth, count=20):
    """Points on a plane before the cameras, which look along -z in the axes of the file."""
    return [(0.05 * number - 0.4, 0.02 * number - 0.2, -depth) for number in range(count)]


@pytest.fixture
def unscaled(scene_writer):
    """Three frames, no depth, and points at z-depths of 20 and 40 units."""
    writer = scene_writer()
    del writer.top["near"], writer.top["far"]
    writer.top["ply_file_path"] = "sparse_pc.ply"
    (writer.folder / "sparse_pc.ply").write_bytes(ply([*wall(20.0), *wall(40.0)]))
    return writer


def test_the_depth_of_points_by_hand():
    """A camera at x = 1 that looks along z, f = 4, 8x6 pixels: only the first is before it and inside."""
    pose = np.eye(4)
    pose[0, 3] = 1.0
    intrinsics = np.array([[4.0, 0.0, 3.5], [0.0, 4.0, 2.5], [0.0, 0.0, 1.0]])
    points = np.array([[1.5, 0.0, 2.0], [1.0, 0.0, -2.0], [4.0, 0.0, 2.0], [1.0, 2.0, 2.0]])
    depths, seen = depths_of_points(points, intrinsics[None], pose[None], np.array([[6, 8]]))
    assert depths.tolist() == [2.0]
    assert seen.tolist() == [True, False, False, False]


def test_sparse_points_show_the_range(unscaled):
    scene = load_folder(unscaled.write())
    assert (scene.near, scene.far) == pytest.approx((20.0 / 1.25, 40.0 * 1.25))
    assert scene.range_source == "40 points of sparse_pc.ply"
    assert describe_ranges([scene, scene]) == [
        "tiny: depth range from near 16 to far 50 (40 points of sparse_pc.ply)."
    ]
    assert load_folder(unscaled.folder).range_source == scene.range_source


def test_what_is_given_goes_before_the_points(unscaled):
    unscaled.top["far"] = 60.0
    scene = load_folder(unscaled.write())
    assert (scene.near, scene.far) == pytest.approx((16.0, 60.0))
    assert scene.range_source == "its transforms.json and 40 points of sparse_pc.ply"
    scene = load_folder(unscaled.folder, near=3.0)
    assert (scene.near, scene.far) == (3.0, 60.0)


def test_depth_maps_go_before_the_points(scene_writer):
    writer = scene_writer(depth=True)
    writer.top["ply_file_path"] = "nowhere.ply"
    assert load_folder(writer.write()).range_source == "3 depth maps"


@pytest.mark.parametrize(
    "stated",
    (
        {"test_filenames": ["images/3.png"]},
        {"val_filenames": ["images/3.png"]},
        {"train_filenames": ["images/0.png", "images/1.png", "images/2.png"]},
        {"val_filenames": ["images/2.png"], "test_filenames": ["images/3.png"]},
    ),
)
def test_frames_that_are_scored_as_stated_say_nothing_of_the_range(scene_writer, stated):
    writer = scene_writer(frames=4, depth=True)
    writer.save("depth/3.png", np.full((6, 8), 60_000, np.uint16))
    writer.top |= stated
    scene = load_folder(writer.write())
    assert scene.far == pytest.approx(2.5, rel=1e-2)
    assert scene.range_source == "3 depth maps"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "sparse_pc.ply: expected a PLY file, found No such file or directory"),
        (b"nonsense", "sparse_pc.ply: expected a PLY file, found a first line other than 'ply'"),
        (
            ply(wall(-20.0)),
            "sparse_pc.ply: expected 10 points or more in the coordinates of the poses, found 0% of 20",
        ),
        (ply(wall(20.0, 2)), "found 100% of 2 points in a photograph, at 2 different places"),
        (ply(wall(20.0, 4) * 5), "found 100% of 20 points in a photograph, at 4 different places"),
    ],
)
def test_points_of_no_use_are_the_reason_of_a_refusal(unscaled, content, reason):
    path = unscaled.folder / "sparse_pc.ply"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(DataError, match=f"found no depth maps, and .*{reason}.*; give --near and --far"):
        load_folder(unscaled.write())
    assert load_folder(unscaled.folder, near=16.0, far=50.0).far == 50.0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../p.ply", "'ply_file_path' to be a path inside .*/tiny, found '../p.ply'; move the file there"),
        (3, "'ply_file_path' to be a non-empty text, found 3"),
        ("p" * 5000, "'ply_file_path' to be the path of a file, found 'ppp"),
        ("p\0.ply", "'ply_file_path' to be the path of a file, found"),
    ],
)
def test_what_names_no_file_of_points_is_told(unscaled, caplog, name, expected):
    """As a warning where the range is given, or else as the reason of a refusal."""
    unscaled.top["ply_file_path"] = name
    with pytest.raises(DataError, match=f"found no depth maps, and .*{expected}.*; give --near and --far"):
        load_folder(unscaled.write())
    assert re.search(expected, warned(caplog, unscaled.folder, near=0.1, far=10.0))


def test_new_points_renew_the_range(unscaled):
    load_folder(unscaled.write())
    (unscaled.folder / "sparse_pc.ply").write_bytes(ply([*wall(20.0), *wall(40.0), *wall(80.0)]))
    assert load_folder(unscaled.folder).far == pytest.approx(100.0)


def test_published_ranges_stay_and_are_told_once_for_all_scenes(tmp_path):
    scenes = [load_folder(write_scannet(tmp_path / f"scene000{n}_00", 3), "scannet") for n in range(3)]
    assert describe_ranges(scenes) == [
        "scene0000_00 and 2 more: depth range from near 0.1 to far 10 (as published for ScanNet)."
    ]


def warned(caplog, folder, dataset="transforms", **reading):
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        load_folder(folder, dataset, **reading)
    return caplog.text


def test_a_range_that_has_nothing_in_common_with_the_points_is_told(unscaled, caplog):
    text = warned(caplog, unscaled.write(), near=0.1, far=10.0)
    assert (
        "near 0.1 and far 10 (--near and --far) do not overlap the range of the scene, 16 to 50 (40 points"
        in text
    )
    assert not warned(caplog, unscaled.folder, near=10.0, far=60.0)


def test_cameras_farther_apart_than_the_range_are_told(scene_writer, caplog):
    writer = scene_writer(frames=5)
    for number, frame in enumerate(writer.top["frames"]):
        frame["transform_matrix"][0][3] = 6.0 * number
    assert "the cameras are spread over 24 units, though far is only 10" in warned(caplog, writer.write())
    assert not warned(caplog, writer.folder, near=0.1, far=20.0)


def test_cameras_much_nearer_to_each_other_than_to_the_range_are_told(scene_writer, caplog):
    """Three cameras, 0.2 units from the first to the last: 50 times that is 10."""
    writer = scene_writer()
    del writer.top["near"], writer.top["far"]
    assert "spread over only 0.2 units, though near is 10.5 (--near and --far)" in warned(
        caplog, writer.write(), near=10.5, far=60.0
    )
    assert not warned(caplog, writer.folder, near=9.5, far=60.0)


def test_cameras_in_one_place_say_nothing_of_the_range(scene_writer, caplog):
    writer = scene_writer()
    for frame in writer.top["frames"]:
        frame["transform_matrix"] = np.eye(4).tolist()
    assert "spread over" not in warned(caplog, writer.write(), near=1e4, far=1e5)


def test_depth_outside_the_published_range_is_told(tmp_path, caplog):
    """Depth stored with 6553.5 units per metre, read in millimetres."""
    sequence = write_replica(tmp_path / "office_0", 6)
    for number in range(6):
        save(sequence / f"depth/depth_{number}.png", np.full((HEIGHT, WIDTH), 13_107, np.uint16))
    text = warned(caplog, sequence, "replica")
    assert "100% of the depth in a few frames lies outside 0.1 to 6 (as published for Replica)" in text
    assert "its median is 13.1; check the unit of depth" in text


def test_the_report_names_the_source_and_calls_no_units_metres(unscaled, tmp_path, capsys):
    assert check_data([str(unscaled.write()), "--out", str(tmp_path / "report")]) == 0
    report = capsys.readouterr().out
    assert "depth range    16.00 to 50.00 (40 points of sparse_pc.ply)" in report
    assert " m," not in report and " m " not in report


def test_the_report_does_not_blame_the_sources_for_a_wrong_range(unscaled, tmp_path, capsys):
    for number, frame in enumerate(unscaled.top["frames"]):
        frame["transform_matrix"][0][3] = 4.0 * number
    unscaled.write()
    options = ["--near", "0.1", "--far", "10", "--num_source_views", "1", "--test_frames", "1:2"]
    assert check_data([str(unscaled.folder), "--out", str(tmp_path / "report"), *options]) == 0
    report = capsys.readouterr().out
    assert "do not overlap the range of the scene" in report
    assert "--num_source_views" not in report
