"""Where near and far come from, in their order; and what is told of a range that cannot be right."""

import logging
import re

import cv2
import numpy as np
import pytest
from conftest import real_data
from helpers import load_folder
from layouts import HEIGHT, WIDTH, save, write_replica, write_scannet

from gpnerf.commands.options import parse_options
from gpnerf.datasets import depth_range
from gpnerf.datasets.depth_evidence import project_points
from gpnerf.datasets.run_scenes import describe_ranges, load_scenes
from gpnerf.datasets.views import FrameRule
from gpnerf.system.errors import ConfigError, DataError
from scripts.check_data import main as check_data


def ply(points) -> bytes:
    lines = "".join(f"{x:g} {y:g} {z:g}\n" for x, y, z in points)
    axes = "property float x\nproperty float y\nproperty float z\n"
    return f"ply\nformat ascii 1.0\nelement vertex {len(points)}\n{axes}end_header\n{lines}".encode()


def wall(depth, count=20):
    """Points on a plane before the cameras, which look along -z in the axes of the file."""
    return [(0.05 * number - 0.4, 0.02 * number - 0.2, -depth) for number in range(count)]


LACKING = "found no near and far in its transforms.json, no depth maps, "
REMEDY = "; give --depth_range NEAR,FAR in the units of the poses, or write near and far into the file.$"


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
    depths, seen = project_points(points, intrinsics[None], pose[None], np.array([[6, 8]]))
    assert [one.tolist() for one in depths] == [[2.0]]
    assert seen.tolist() == [True, False, False, False]


def test_sparse_points_show_the_range(unscaled):
    scene = load_folder(unscaled.write())
    assert (scene.near, scene.far) == pytest.approx((20.0 / 1.25, 40.0 * 1.25))
    assert scene.range.source == "40 points of sparse_pc.ply"
    assert describe_ranges([scene, scene]) == [
        "tiny: depth range from near 16 to far 50 (40 points of sparse_pc.ply)."
    ]
    assert load_folder(unscaled.folder).range == scene.range


def test_what_is_given_goes_before_the_points(unscaled):
    unscaled.top["far"] = 60.0
    scene = load_folder(unscaled.write())
    assert (scene.near, scene.far) == pytest.approx((16.0, 60.0))
    assert scene.range.source == "its transforms.json and 40 points of sparse_pc.ply"
    unscaled.top["near"] = 3.0
    scene = load_folder(unscaled.write())
    assert (scene.near, scene.far, scene.range.source) == (3.0, 60.0, "its transforms.json")
    scene = load_folder(unscaled.folder, depth_range=(4.0, 50.0))
    assert (scene.near, scene.far, scene.range.source) == (4.0, 50.0, "--depth_range")


def test_depth_maps_go_before_the_points(scene_writer):
    writer = scene_writer(depth=True)
    writer.top["ply_file_path"] = "nowhere.ply"
    scene = load_folder(writer.write())
    # All readings lie between 2.0 and 2.002 m; the range is a quarter wider at either end.
    assert (scene.near, scene.far) == pytest.approx((2.0 / 1.25, 2.002 * 1.25), rel=1e-3)
    assert scene.range.source == "3 depth maps"
    writer.top["far"] = 7.0
    scene = load_folder(writer.write())
    assert (scene.near, scene.far) == pytest.approx((1.6, 7.0), rel=1e-3)
    assert scene.range.source == "its transforms.json and 3 depth maps"


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
    assert scene.range.source == "3 depth maps"


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
    with pytest.raises(DataError, match=f"{LACKING}.*{reason}.*, and 0 matches of 3 photographs .*{REMEDY}"):
        load_folder(unscaled.write())
    assert load_folder(unscaled.folder, depth_range=(16.0, 50.0)).far == 50.0


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
    with pytest.raises(DataError, match=f"{LACKING}.*{expected}.*{REMEDY}"):
        load_folder(unscaled.write())
    assert re.search(expected, warned(caplog, unscaled.folder, depth_range=(0.1, 10.0)))


def test_new_points_renew_the_range(unscaled):
    load_folder(unscaled.write())
    (unscaled.folder / "sparse_pc.ply").write_bytes(ply([*wall(20.0), *wall(40.0), *wall(80.0)]))
    assert load_folder(unscaled.folder).far == pytest.approx(100.0)


def test_published_ranges_stay_and_are_told_once_for_all_scenes(tmp_path):
    folders = [write_scannet(tmp_path / f"scene000{number}_00", 3) for number in range(3)]
    scenes = [load_folder(folder, "scannet", depth_range="published") for folder in folders]
    assert describe_ranges(scenes) == [
        "scene0000_00 and 2 more: depth range from near 0.1 to far 10 (as published for ScanNet)."
    ]


def warned(caplog, folder, dataset="transforms", **reading):
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        load_folder(folder, dataset, **reading)
    return caplog.text


def test_a_range_that_has_nothing_in_common_with_the_points_is_told(unscaled, caplog):
    text = warned(caplog, unscaled.write(), depth_range=(0.1, 10.0))
    assert (
        "near 0.1 to far 10 (--depth_range) leave out 100% of the depth in 40 points of sparse_pc.ply" in text
    )
    assert not warned(caplog, unscaled.folder, depth_range=(10.0, 60.0))


def test_cameras_farther_apart_than_the_range_are_told(scene_writer, caplog):
    writer = scene_writer(frames=5)
    for number, frame in enumerate(writer.top["frames"]):
        frame["transform_matrix"][0][3] = 6.0 * number
    assert "the cameras are spread over 24 units, though far is only 10" in warned(caplog, writer.write())
    assert not warned(caplog, writer.folder, depth_range=(0.1, 20.0))


def test_cameras_much_nearer_to_each_other_than_to_the_range_are_told(scene_writer, caplog):
    """Three cameras, 0.2 units from the first to the last: 50 times that is 10."""
    writer = scene_writer()
    del writer.top["near"], writer.top["far"]
    assert "spread over only 0.2 units, though near is 10.5 (--depth_range)" in warned(
        caplog, writer.write(), depth_range=(10.5, 60.0)
    )
    assert not warned(caplog, writer.folder, depth_range=(9.5, 60.0))


def test_cameras_in_one_place_say_nothing_of_the_range(scene_writer, caplog):
    writer = scene_writer()
    for frame in writer.top["frames"]:
        frame["transform_matrix"] = np.eye(4).tolist()
    assert "spread over" not in warned(caplog, writer.write(), depth_range=(1e4, 1e5))


def test_depth_outside_the_published_range_is_told(tmp_path, caplog):
    """Depth stored with 6553.5 units per metre, read in millimetres."""
    sequence = write_replica(tmp_path / "office_0", 6)
    for number in range(6):
        save(sequence / f"depth/depth_{number}.png", np.full((HEIGHT, WIDTH), 13_107, np.uint16))
    text = warned(caplog, sequence, "replica", depth_range="published")
    assert "near 0.1 to far 6 (as published for Replica) leave out 100% of the depth in 6 depth maps" in text
    assert "most in the frames 0, 1, 2 and 3 more (median depth 13.1); check the units" in text
    assert "leave out" not in warned(caplog, sequence, "replica")


def test_the_report_names_the_source_and_calls_no_units_metres(unscaled, tmp_path, capsys):
    assert check_data([str(unscaled.write()), "--out", str(tmp_path / "report")]) == 0
    report = capsys.readouterr().out
    assert "depth range    16.00 to 50.00 (40 points of sparse_pc.ply)" in report
    assert " m," not in report and " m " not in report


def test_the_report_does_not_blame_the_sources_for_a_wrong_range(unscaled, tmp_path, capsys):
    for number, frame in enumerate(unscaled.top["frames"]):
        frame["transform_matrix"][0][3] = 4.0 * number
    unscaled.write()
    options = ["--depth_range", "0.1,10", "--num_source_views", "1", "--test_frames", "1:2"]
    assert check_data([str(unscaled.folder), "--out", str(tmp_path / "report"), *options]) == 0
    report = capsys.readouterr().out
    assert "leave out 100% of the depth in 40 points" in report
    assert "--num_source_views" not in report


@pytest.mark.parametrize(("pixels", "told"), [(2, False), (5, True)])
def test_more_than_two_percent_of_the_depth_may_not_be_left_out(scene_writer, caplog, pixels, told):
    """Three maps of 48 pixels, some of them in one frame at 20 m: 2 are 1.4 % of 144, and 5 are 3.5 %."""
    writer = scene_writer(depth=True)
    depth = np.full((6, 8), 2000, np.uint16)
    depth[0, :pixels] = 20_000
    writer.save("depth/1.png", depth)
    text = warned(caplog, writer.write(), depth_range=(1.0, 10.0))
    assert (
        "leave out 3% of the depth in 3 depth maps, most in the frames 1 (median depth 2)" in text
    ) == told


def test_the_published_range_is_that_of_two_data_sets(scene_writer):
    with pytest.raises(
        ConfigError, match="tiny: expected a scene of replica or scannet .*use --depth_range scene"
    ):
        load_folder(scene_writer().write(), depth_range="published")


def test_the_range_of_a_published_data_set_is_measured_on_demand(tmp_path):
    scene = load_folder(write_scannet(tmp_path / "scene0000_00", 3), "scannet")
    assert (scene.near, scene.far) == pytest.approx((2.0 / 1.25, 2.002 * 1.25), rel=1e-3)


def test_near_in_the_file_beyond_what_is_measured_is_refused(scene_writer):
    writer = scene_writer(depth=True)
    writer.top["near"] = 30.0
    expected = "0 < near < far, found near 30 and far 2.50.* .its transforms.json and 3 depth maps.; correct"
    with pytest.raises(DataError, match=expected):
        load_folder(writer.write())


RULE = FrameRule(test_frames="1::3")


@pytest.mark.parametrize(
    ("rule", "measured"),
    [
        (None, [0, 1, 2, 3, 4, 5]),
        (RULE, [0, 2, 3, 5]),
        # A preview of an evaluation, and the released way, have the range of the training.
        (FrameRule(test_frames="1::3", test_limit=1), [0, 2, 3, 5]),
        (FrameRule(test_frames="1::3", held_out=False), [0, 2, 3, 5]),
        (FrameRule(test_frames=":", test_limit=2, held_out=False), [2, 3, 4, 5]),
        (FrameRule(test_frames=":"), [0, 1, 2, 3, 4, 5]),
        (FrameRule(test_frames="9:"), [0, 1, 2, 3, 4, 5]),
    ],
)
def test_test_frames_are_not_measured(scene_writer, rule, measured):
    index = load_folder(scene_writer(frames=6).write()).index
    assert depth_range.frames_to_measure(index, rule) == measured


def test_the_split_that_a_scene_states_comes_before_the_rule(scene_writer):
    writer = scene_writer(frames=6)
    writer.top["test_filenames"] = ["images/5.png"]
    index = load_folder(writer.write()).index
    assert depth_range.frames_to_measure(index, RULE) == [0, 1, 2, 3, 4]
    assert depth_range.frames_to_measure(index, FrameRule("1::3", split_by="frames")) == [0, 2, 3, 5]


@pytest.mark.parametrize(("frame", "moves"), [(1, False), (4, False), (0, True), (5, True)])
def test_the_depth_of_a_test_frame_does_not_leak(scene_writer, frame, moves):
    writer = scene_writer(frames=6, depth=True)
    before = load_folder(writer.write(), rule=RULE).range
    writer.save(f"depth/{frame}.png", np.full((6, 8), 9000, np.uint16))
    after = load_folder(writer.folder, rule=RULE).range
    assert (before[:2] != after[:2]) == moves


def test_a_run_measures_without_its_test_frames(scene_writer):
    """The scripts share load_scenes, and with it the range."""
    writer = scene_writer(frames=6, depth=True)
    writer.save("depth/4.png", np.full((6, 8), 9000, np.uint16))
    writer.write()
    options = ["--data_root", str(writer.folder.parent), "--test_frames"]
    assert load_scenes(parse_options("", [*options, "4:5"]), ["tiny"])[0].far == pytest.approx(2.5, rel=0.01)
    assert load_scenes(parse_options("", [*options, "0:1"]), ["tiny"])[0].far > 9.0


def wall_pictures(writer, number, shift=0):
    """A photograph of two walls, at z = 3 above and z = 6 below, from x = 0.2 * number.

    The focal length is 120 pixels: the wall above moves by 8 pixels from one frame to the next.
    """
    noise = np.random.default_rng(0).integers(0, 255, (120, 400, 3)).astype(np.uint8)
    texture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 1.5), None, 0, 255, cv2.NORM_MINMAX)
    rows = [slice(0, 60), slice(60, 120)]
    shifts = [8 * number + shift, 4 * number]
    picture = np.concatenate(
        [texture[row, move : move + 160] for row, move in zip(rows, shifts, strict=True)]
    )
    writer.save(f"images/{number}.png", picture)


@pytest.fixture
def walls(scene_writer):
    """Six photographs, and nothing else."""
    writer = scene_writer(frames=6)
    writer.top |= {"fl_x": 120.0, "cx": 80.0, "cy": 60.0, "w": 160, "h": 120}
    del writer.top["near"], writer.top["far"]
    for number, frame in enumerate(writer.top["frames"]):
        frame["transform_matrix"][0][3] = 0.2 * number
        wall_pictures(writer, number)
    return writer


def test_photographs_show_the_range_where_nothing_else_does(walls):
    """A tenth of a pixel of error in a difference of 4 to 8 pixels is 1 to 3 % of the depth."""
    scene = load_folder(walls.write())
    assert (scene.near, scene.far) == pytest.approx((3.0 / 1.25, 6.0 * 1.25), rel=0.05)
    assert re.fullmatch(r"[\d,]+ matches of 6 photographs", scene.range.source)
    walls.top["near"] = 1.0
    scene = load_folder(walls.write())
    assert (scene.near, scene.far) == pytest.approx((1.0, 6.0 * 1.25), rel=0.05)
    walls.top["ply_file_path"] = "sparse_pc.ply"
    (walls.folder / "sparse_pc.ply").write_bytes(ply(wall(20.0)))
    assert load_folder(walls.write()).range.source == "its transforms.json and 20 points of sparse_pc.ply"


@pytest.mark.parametrize(("frame", "moves"), [(1, False), (4, False), (0, True), (5, True)])
def test_the_photograph_of_a_test_frame_does_not_leak(walls, frame, moves):
    before = load_folder(walls.write(), rule=RULE).range
    wall_pictures(walls, frame, shift=5)
    assert (load_folder(walls.folder, rule=RULE).range != before) == moves


def test_photographs_of_no_use_are_told(walls):
    for number in range(6):
        walls.save(f"images/{number}.png", np.full((120, 160, 3), 90, np.uint8))
    expected = (
        f"{LACKING}no 'ply_file_path' in its transforms.json, and 0 matches of 6 photographs that fit .*"
    )
    parallax = r"a parallax of 1.5 degrees or more \(needed: 50; with less parallax: 0\)"
    with pytest.raises(DataError, match=f"{expected}{parallax}{REMEDY}"):
        load_folder(walls.write())


def test_a_camera_that_only_turns_shows_no_range(walls):
    for number, frame in enumerate(walls.top["frames"]):
        angle = np.radians(4.0 * number)
        turn = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
        frame["transform_matrix"] = np.pad(turn, (0, 1)).tolist()
        frame["transform_matrix"][3][3] = 1.0
    with pytest.raises(DataError, match="no two photographs that look the same way from different places"):
        load_folder(walls.write())


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """A list with an entry for each measuring of depth maps or photographs, in a cache of its own."""
    monkeypatch.setenv("GPNERF_CACHE", str(tmp_path / "cache"))
    calls = []

    def count(original):
        def measure(scene, *rest):
            calls.append(scene.name)
            return original(scene, *rest)

        return measure

    for name in ("QUICK", "SLOW"):
        monkeypatch.setattr(depth_range, name, tuple(map(count, getattr(depth_range, name)))[:1])
    return calls


def test_a_kept_range_is_measured_once(scene_writer, measured, tmp_path):
    writer = scene_writer(frames=6, depth=True)
    first = load_folder(writer.write(), rule=RULE).range
    assert load_folder(writer.folder, rule=RULE).range == first
    assert len(measured) == 1
    assert load_folder(writer.folder, rule=FrameRule("0::3")).range.source == "4 depth maps"
    assert load_folder(writer.folder, rule=RULE, depth_range=(1.0, 9.0)).near == 1.0
    assert load_folder(writer.folder, rule=RULE, border=1).range[:2] == pytest.approx(first[:2])
    assert len(measured) == 4
    for kept in (tmp_path / "cache" / "range").iterdir():
        kept.write_text("[1.0")
    assert load_folder(writer.folder, rule=RULE).range == first
    assert len(measured) == 5


def test_a_changed_pose_or_photograph_is_measured_again(walls, measured):
    load_folder(walls.write())
    load_folder(walls.folder)
    assert len(measured) == 2
    wall_pictures(walls, 2, shift=1)
    load_folder(walls.folder)
    assert len(measured) == 4
    walls.top["frames"][0]["transform_matrix"][0][3] = -0.01
    load_folder(walls.write())
    assert len(measured) == 6


def test_a_map_that_cannot_be_read_is_a_fault_and_not_kept(scene_writer, measured):
    writer = scene_writer(frames=6, depth=True)
    (writer.folder / "depth/3.png").write_bytes(b"nonsense")
    for _ in range(2):
        with pytest.raises(DataError, match=r"depth/3\.png"):
            load_folder(writer.write(), rule=RULE)


@pytest.mark.slow
def test_a_real_scene_without_depth_has_the_range_of_its_points_of_interest():
    """Most of the fox, 4 to 6 units before the cameras, lies well inside; the wall behind it ends at 8."""
    scene = load_folder(real_data("fox"), rule=FrameRule("4::8"))
    assert 1.0 < scene.near < 3.0 and 7.0 < scene.far < 12.0
