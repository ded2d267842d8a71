"""The Replica layout: files, cameras, classes, DM-NeRF's form, and faults in a sentence."""

import json
import shutil

import numpy as np
import pytest
import torch
from helpers import load_folder
from layouts import HEIGHT, WIDTH, filled, pose_of, save, write_replica

from gpnerf.datasets.labels import IGNORE
from gpnerf.datasets.layouts import load_scene
from gpnerf.datasets.published import replica
from gpnerf.media.images import read_image
from gpnerf.system.errors import DataError, Faults


@pytest.fixture
def sequence(tmp_path):
    return write_replica(tmp_path / "office_0" / "Sequence_1")


def test_frames_in_numeric_order_with_all_their_maps(sequence):
    scene = load_scene("replica", sequence.parents[1], "office_0/Sequence_1")
    assert scene.name == "office_0/Sequence_1"
    assert (scene.near, scene.far) == pytest.approx((2.0 / 1.25, 2.011 * 1.25), rel=1e-3)
    assert [view.name for view in scene.views] == [str(number) for number in range(12)]
    frame = scene.read(11, HEIGHT, WIDTH)
    assert frame.image.unique().tolist() == pytest.approx([110 / 255])
    assert frame.depth.unique().tolist() == pytest.approx([2.011])
    wall = scene.labels.names.index("wall")
    assert frame.semantic[0].unique().tolist() == [IGNORE]
    assert frame.semantic[1:].unique().tolist() == [wall]
    assert frame.instance.unique().tolist() == [311]
    torch.testing.assert_close(frame.camera.camera_to_world, torch.from_numpy(pose_of(11)))


def test_the_camera_of_the_release(sequence):
    """90 degrees at 640x480: (320, 320, 319.5, 239.5); here 32x24, and again after resizing."""
    np.testing.assert_array_equal(replica.intrinsics(480, 640)[:2, 2], [319.5, 239.5])
    np.testing.assert_array_equal(np.diag(replica.intrinsics(480, 640)), [320, 320, 1])
    scene = load_folder(sequence, "replica")
    camera = scene.views[0].camera
    torch.testing.assert_close(camera.intrinsics, torch.tensor([[16.0, 0, 15.5], [0, 16.0, 11.5], [0, 0, 1]]))
    small = scene.read(0, HEIGHT // 2, WIDTH // 2).camera
    torch.testing.assert_close(small.intrinsics, torch.from_numpy(replica.intrinsics(12, 16)).float())


def test_all_classes(sequence):
    assert load_folder(sequence, "replica").labels.num_classes == 51
    scene = load_folder(sequence, "replica", label_space="all")
    assert scene.labels.num_classes == 101
    assert scene.read(0, HEIGHT, WIDTH).semantic.unique().tolist() == [IGNORE, 92]


def test_the_form_of_dm_nerf_has_no_sequences_and_may_lack_maps(tmp_path):
    room = write_replica(tmp_path / "room_1")
    shutil.rmtree(room / "semantic_class")
    shutil.rmtree(room / "depth")
    (room / "ins_rgb.hdf5").write_bytes(b"colours, not read")
    with pytest.raises(DataError, match="found no depth maps, and .*or --depth_range published"):
        load_folder(room, "replica")
    scene = load_folder(room, "replica", depth_range="published")
    assert (scene.near, scene.far) == (0.1, 6.0)
    assert scene.labels is None
    assert (scene.count("depth"), scene.count("semantic"), scene.count("instance")) == (0, 0, 12)
    frame = scene.read(3, HEIGHT, WIDTH)
    assert frame.depth is None and frame.semantic is None
    assert frame.instance.unique().tolist() == [303]


def faults_of(sequence):
    """All that is wrong, and the frames that stay."""
    faults = Faults()
    index = replica.index_scene(sequence, faults)
    return faults.sentences, index.names


def test_a_missing_label_of_one_frame_is_no_fault(sequence):
    (sequence / "semantic_class" / "semantic_class_4.png").unlink()
    scene = load_folder(sequence, "replica")
    assert [view.semantic is None for view in scene.views] == [number == 4 for number in range(12)]


def test_a_trajectory_that_ends_early_is_told_with_its_frames(sequence):
    path = sequence / "traj_w_c.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:10]))
    sentences, names = faults_of(sequence)
    assert len(sentences) == 1
    assert "found 10 rows and none for the frames 10, 11" in sentences[0]
    assert names == tuple(map(str, range(10)))


@pytest.mark.parametrize(("value", "expected"), [("inf", "a finite pose"), ("1.5", "a rotation")])
def test_a_bad_pose_is_told_with_its_row(sequence, value, expected):
    path = sequence / "traj_w_c.txt"
    rows = path.read_text().splitlines()
    rows[7] = " ".join([value, *rows[7].split()[1:]])
    path.write_text("\n".join(rows))
    sentences, names = faults_of(sequence)
    assert len(sentences) == 1 and f"traj_w_c.txt, row 7: expected {expected}" in sentences[0]
    assert "7" not in names and len(names) == 11


TRAJECTORIES = {
    "words": ("a b\n", "expected 16 numbers per row, found 2 in row 0"),
    "nothing": ("", "expected 16 numbers per row, found none"),
    "a word among numbers": (" ".join(["0"] * 15 + ["x"]), "expected numbers, found other text"),
    "no text": (b"\xff\x00\xfe", "expected a text file, found an unreadable one"),
}


@pytest.mark.parametrize("name", TRAJECTORIES)
def test_a_trajectory_that_is_none(sequence, name):
    content, expected = TRAJECTORIES[name]
    (sequence / "traj_w_c.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=f"traj_w_c.txt: {expected}"):
        load_folder(sequence, "replica")


def test_two_files_of_one_number(sequence):
    save(sequence / "rgb" / "rgb_03.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    sentences, names = faults_of(sequence)
    assert sentences == [
        f"{sequence / 'rgb'}: expected one file of frame 3, found rgb_03.png and rgb_3.png; "
        "remove one of them."
    ]
    assert len(names) == 12


def test_every_odd_file_is_told(sequence):
    save(sequence / "rgb" / "rgb_2.png", np.zeros((WIDTH, HEIGHT, 3), np.uint8))
    save(sequence / "depth" / "depth_5.png", filled(1, np.uint16, WIDTH, HEIGHT))
    (sequence / "semantic_class" / "semantic_class_6.png").write_bytes(b"no image")
    sentences, _ = faults_of(sequence)
    assert [sentence.split(": ")[0].rsplit("/", 1)[1] for sentence in sentences] == [
        "rgb_2.png",
        "depth_5.png",
        "semantic_class_6.png",
    ]
    assert "expected 32x24 pixels as in rgb/rgb_0.png, found 24x32" in sentences[0]


def test_another_shape_than_that_of_the_renderings_is_told(tmp_path, sequence):
    assert load_folder(sequence, "replica").index.warnings == ()
    wide = write_replica(tmp_path / "room_0", 3)
    for path in wide.rglob("*_?.png"):
        save(path, np.repeat(read_image(path), 2, axis=1))
    (sentence,) = load_folder(wide, "replica").index.warnings
    assert "the images have 64x24 pixels, not the shape of 640x480; they are read with a field of" in sentence


def test_maps_stored_with_losses_are_not_taken_for_maps(sequence):
    for path in (sequence / "semantic_class").glob("semantic_class_*.png"):
        path.rename(path.with_suffix(".jpg"))
    assert load_folder(sequence, "replica").count("semantic") == 0


def test_a_class_id_beyond_the_list(sequence):
    save(sequence / "semantic_class" / "semantic_class_0.png", filled(102, np.uint8))
    with pytest.raises(DataError, match=r"semantic_class_0.png: label id 102 \(768 pixels\)"):
        load_folder(sequence, "replica")


def test_a_room_instead_of_its_sequence(sequence):
    with pytest.raises(DataError, match="found Sequence_1 in it; name the scene office_0/Sequence_1"):
        load_folder(sequence.parent, "replica")


def test_no_such_folder_and_an_empty_one(tmp_path):
    with pytest.raises(DataError, match="rgb/rgb_N.png, found no such folder.*prepare_replica"):
        load_folder(tmp_path / "nowhere", "replica")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "info_semantic.json").write_text(json.dumps({}))
    with pytest.raises(DataError, match="found no such images"):
        load_folder(tmp_path / "empty", "replica")
