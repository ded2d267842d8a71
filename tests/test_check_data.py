"""scripts/check_data.py: one report of everything that is wrong, odd and there; and its pictures."""

import json
import logging
import math
import shutil

import numpy as np
import pytest
from layouts import HEIGHT, WIDTH, filled, save, write_matrix, write_replica, write_scannet

from gpnerf.datasets.discover import find_scenes
from gpnerf.datasets.layouts import load_scene
from gpnerf.media.images import read_image
from gpnerf.rooms.exports.layouts import export
from gpnerf.rooms.shots import Shoot
from gpnerf.system.errors import ConfigError, DataError
from scripts.check_data import main


@pytest.fixture
def check(tmp_path, capsys):
    """check(root, *options, code=0) -> the report, which was printed and kept."""

    def run(root, *options, code=0):
        assert main([str(root), "--out", str(tmp_path / "report"), *map(str, options)]) == code
        printed = capsys.readouterr().out
        assert printed == (tmp_path / "report" / "report.txt").read_text()
        return printed

    return run


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A room of 20 views in the layout transforms; tests copy what they change."""
    folder = tmp_path_factory.mktemp("rooms")
    export(folder, "transforms", [2], Shoot(48, 64, 20), workers=1)
    return folder


def test_a_sound_room(room, check, tmp_path):
    report = check(room, "--height", 48, "--width", 64, "--num_source_views", 3)
    assert report.startswith("Faults: none\n\nWarnings: none\n\nroom_0002: no faults\n")
    assert "20 of 64x48" in report and "depth 20, labels 20, instances 20" in report
    assert "100.0% of the readings" in report
    for name in ("epipolar", "warp", "path"):
        picture = read_image(tmp_path / "report" / "room_0002" / f"{name}.png")
        assert picture.ndim == 3 and picture.shape[1] > 500 and picture.std() > 10


def test_the_share_of_every_class_by_hand(check, tmp_path):
    """Of 24 rows one is void (unlabelled); of all others a quarter is made floor, the rest is wall."""
    sequence = write_replica(tmp_path / "data" / "office_0" / "Sequence_1", frames=4)
    for number in range(4):
        classes = filled(93, np.uint8)
        classes[0] = 0
        classes[1:, : WIDTH // 4] = 40
        save(sequence / f"semantic_class/semantic_class_{number}.png", classes)
    report = check(tmp_path / "data", "--height", HEIGHT, "--width", WIDTH)
    assert f"Labels of 1 scenes ({1 / 24:.1%} of the pixels are unlabelled):" in report
    lines = [line.split() for line in report.splitlines()]
    assert ["47", "wall", "75.00%", "#" * 40] in lines
    assert ["22", "floor", "25.00%", "#" * 13] in lines
    assert "never seen: basket, bed, bench" in report


def test_every_fault_of_every_scene_is_in_one_report(check, tmp_path):
    root = tmp_path / "data"
    first, second = (write_scannet(root / name, frames=6) for name in ("scene0000_00", "scene0001_00"))
    (first / "color" / "1.jpg").write_bytes((first / "color" / "1.jpg").read_bytes()[:-60])
    save(first / "depth" / "2.png", filled(9, np.uint16, WIDTH, HEIGHT))
    save(first / "label-filt" / "3.png", filled(301, np.uint16))
    save(first / "label-filt" / "4.png", filled(1, np.uint8))
    (second / "pose" / "0.txt").unlink()
    write_matrix(second / "pose" / "1.txt", np.diag([1.0, 1.0, 1.5, 1.0]))
    (second / "instance-filt" / "5.png").write_bytes(b"")
    (root / "scene0002_00" / "color").mkdir(parents=True)
    report = check(root, code=2)
    faults = report[: report.index("Warnings")]
    assert faults.startswith("Faults: 8\n")
    for place in (
        "scene0000_00/color/1.jpg: expected an image",
        "scene0000_00/depth/2.png: expected 32x24 pixels",
        "scene0000_00/label-filt/3.png: label id 301",
        "scene0000_00/label-filt/4.png: expected 16-bit label ids",
        "scene0001_00/pose: expected a file N.txt for every image, found none for the frames 0",
        "scene0001_00/pose/1.txt: expected a rotation and a translation",
        "scene0001_00/instance-filt/5.png: expected an image",
        "scene0002_00: expected images color/N.jpg",
    ):
        assert faults.count(place) >= 1, place
    assert "scene0000_00: 4 faults" in report


def test_odd_scenes_are_warned_about(check, tmp_path):
    """Depth of 2 m with a range up to 1 m; a jump of 50 m; sources that look elsewhere."""
    sequence = write_replica(tmp_path / "office_0", frames=10)
    rows = np.loadtxt(sequence / "traj_w_c.txt").reshape(-1, 4, 4)
    rows[5:, 0, 3] += 50.0
    np.savetxt(sequence / "traj_w_c.txt", rows.reshape(-1, 16))
    options = ["--test_frames", "9:", "--source_frames", ":5", "--num_source_views", 2]
    report = check(sequence, "--depth_range", "0.1,1", *options)
    warnings = report[report.index("Warnings: ") :]
    assert "the camera jumps by 50.10 m between the frames 4 and 5 (usual step: 0.100 m)" in warnings
    assert "near 0.1 to far 1 (--depth_range) leave out 100% of the depth in 10 depth maps" in warnings
    assert "most in the frames 0, 1, 2 and 7 more (median depth 2" in warnings
    assert warnings.count("leave out") == 1
    assert "the sources see only 0% of a test view" in warnings


def inverted(folder, tmp_path):
    """A copy of a room whose matrices are world-to-camera, in OpenGL's axes as the file wants them."""
    copy = tmp_path / "inverted" / folder.name
    shutil.copytree(folder, copy)
    values = json.loads((copy / "transforms.json").read_text())
    for frame in values["frames"]:
        frame["transform_matrix"] = np.linalg.inv(frame["transform_matrix"]).tolist()
    (copy / "transforms.json").write_text(json.dumps(values))
    return copy


def test_inverted_poses_are_suspected_here_and_when_a_training_starts(room, check, tmp_path, caplog):
    folder = inverted(room / "room_0002", tmp_path)
    assert "room_0002: the poses look world-to-camera in the camera axes of the other" in check(folder)
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            load_scene("transforms", folder.parent, folder.name)
        assert "Warning: room_0002: the poses look world-to-camera" in caplog.text
    caplog.clear()
    load_scene("transforms", room, "room_0002")
    assert "look" not in caplog.text


def test_a_scene_without_depth_or_labels(check, tmp_path, scene_writer):
    report = check(scene_writer(frames=9).write(), "--depth_range", "1,4")
    assert "depth 0, labels 0, instances 0" in report and "Labels: none." in report
    assert "valid depth" not in report
    assert not (tmp_path / "report" / "tiny" / "warp.png").exists()


def test_the_scenes_and_frames_of_a_config(check, tmp_path):
    for name in ("office_0", "office_1", "room_0"):
        write_replica(tmp_path / "data" / name / "Sequence_1", frames=6)
    config = tmp_path / "run.txt"
    config.write_text("test_scenes = room_0/Sequence_1\ntest_frames = 1::2\nnum_source_views = 2\n")
    report = check(tmp_path / "data", "--config", config)
    assert "room_0/Sequence_1: no faults" in report and "office_0" not in report
    assert "of the 3 test views" in report
    report = check(tmp_path / "data", "--config", config, "--test_frames", "0:1")
    assert "of the 1 test views" in report
    config.write_text("test_scenes = room_9/Sequence_1\n")
    with pytest.raises(ConfigError, match="expected the scenes room_9/Sequence_1, found no such folders"):
        main([str(tmp_path / "data"), "--config", str(config)])


def test_scenes_are_found_in_every_layout(room, tmp_path):
    write_replica(tmp_path / "data" / "office_0" / "Sequence_2", frames=1)
    write_replica(tmp_path / "data" / "room_1", frames=1)
    write_scannet(tmp_path / "data" / "scene0000_00", frames=1)
    found = {(scene.dataset, scene.name) for scene in find_scenes(tmp_path / "data")}
    assert found == {("replica", "office_0/Sequence_2"), ("replica", "room_1"), ("scannet", "scene0000_00")}
    assert find_scenes(room / "room_0002") == [("transforms", room, "room_0002")]
    with pytest.raises(DataError, match="expected a folder of scenes, found no such folder"):
        find_scenes(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="folders with transforms.json, .* or two of .*data/README.md"):
        find_scenes(tmp_path / "empty")


def test_one_mark_of_a_layout_is_no_scene_but_beside_whole_ones(tmp_path):
    """A recording in a form of its own is not taken for a Replica scene whose trajectory is lost."""
    own = tmp_path / "own"
    (own / "rgb").mkdir(parents=True)
    (own / "poses.txt").touch()
    with pytest.raises(
        DataError, match=r"own: expected scenes .* traj_w_c.txt, rgb, .*found rgb alone; see data"
    ):
        find_scenes(own)
    write_replica(tmp_path / "data" / "office_0" / "Sequence_1", frames=1)
    (tmp_path / "data" / "office_1" / "Sequence_1" / "rgb").mkdir(parents=True)
    (tmp_path / "data" / "notes" / "color").mkdir(parents=True)
    assert [scene.name for scene in find_scenes(tmp_path / "data")] == [
        "office_0/Sequence_1",
        "office_1/Sequence_1",
    ]


@pytest.mark.parametrize(
    "name, remedy",
    (
        ("sparse/0", "colmap_to_transforms.py"),
        ("scans/scene0000_00", "prepare_scannet.py"),
        ("a.zip", "prepare_replica.py"),
        ("a.jpeg", "find_poses.py"),
    ),
)
def test_what_a_scene_is_made_of_is_known(name, remedy, tmp_path):
    (tmp_path / "data" / name).mkdir(parents=True)
    with pytest.raises(DataError, match=f"found no such folder; .*scripts/{remedy}"):
        find_scenes(tmp_path / "data")


def test_the_recorded_office_is_sound(real_scene, check):
    report = check(real_scene, "--height", 90, "--width", 135)
    assert "Faults: none" in report and "Warnings: none" in report
    valid = float(report.split("valid depth")[1].split("%")[0])
    assert math.isclose(valid, 64, abs_tol=2)


def test_a_fault_of_every_frame_is_told_once_for_each(check, scene_writer):
    writer = scene_writer(frames=8)
    for frame in writer.top["frames"]:
        frame["transform_matrix"] = frame["transform_matrix"][:3]
    report = check(writer.write(), code=2)
    assert report.startswith("Faults: 8\n")
    assert report.count("expected 'transform_matrix' to be a 4x4 matrix") == 8
