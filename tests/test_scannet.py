"""The exported ScanNet layout: files, lost poses, cameras, classes, and faults in a sentence."""

import os
import shutil

import numpy as np
import pytest
import torch
from helpers import load_folder
from layouts import HEIGHT, WIDTH, filled, pose_of, save, write_matrix, write_scannet

from gpnerf.datasets.labels import IGNORE
from gpnerf.datasets.published import scannet
from gpnerf.system.errors import ConfigError, DataError, Faults


@pytest.fixture
def folder(tmp_path):
    return write_scannet(tmp_path / "scene0000_00", lost=(0, 4))


def test_frames_in_numeric_order_without_those_whose_pose_was_lost(folder):
    scene = load_folder(folder, "scannet")
    assert [view.name for view in scene.views] == ["1", "2", "3", "5", "6", "7", "8", "9", "10", "11"]
    assert (scene.near, scene.far) == pytest.approx((2.001 / 1.25, 2.011 * 1.25), rel=1e-3)
    frame = scene.read(9, HEIGHT, WIDTH)
    assert frame.name == "11"
    # jpg: equal up to rounding.
    assert (frame.image - 110 / 255).abs().max() < 0.01
    assert frame.depth.shape == (HEIGHT, WIDTH)
    assert frame.depth.unique().tolist() == pytest.approx([2.011])
    torch.testing.assert_close(frame.camera.camera_to_world, torch.from_numpy(pose_of(11)))


def test_raw_ids_become_classes_and_instance_0_is_none(folder):
    scene = load_folder(folder, "scannet")
    wall, chair = (scene.labels.names.index(name) for name in ("wall", "chair"))
    frame = scene.read(0, HEIGHT, WIDTH)
    assert frame.semantic[0].unique().tolist() == [IGNORE]
    assert frame.semantic[1].unique().tolist() == [wall]
    assert frame.semantic[2:].unique().tolist() == [chair]
    assert frame.instance.unique().tolist() == [1]
    save(folder / "instance-filt" / "1.png", filled(0, np.uint8))
    assert scene.read(0, HEIGHT, WIDTH).instance.unique().tolist() == [IGNORE]


def test_intrinsics_follow_the_true_ratio_of_each_axis(folder):
    """f (20, 21), c (15, 12) at 32x24; at 16x8 halved across and divided by three down, about the edges."""
    scene = load_folder(folder, "scannet")
    intrinsics = scene.read(0, 8, 16).camera.intrinsics
    expected = torch.tensor([[10.0, 0, 15.5 / 2 - 0.5], [0, 7.0, 12.5 / 3 - 0.5], [0, 0, 1]])
    torch.testing.assert_close(intrinsics, expected)


def test_a_border_is_cut_off_images_maps_and_cameras(folder):
    image = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    image[:3] = image[-3:] = image[:, :3] = image[:, -3:] = 0
    save(folder / "color" / "1.png", image)
    (folder / "color" / "1.jpg").unlink()
    depth = filled(1000, np.uint16)
    depth[3, 3] = 3000
    save(folder / "depth" / "1.png", depth)
    scene = load_folder(folder, "scannet", border=3)
    frame = scene.read(0, HEIGHT - 6, WIDTH - 6)
    assert frame.image.min() == 1.0
    assert frame.depth[0, 0].item() == pytest.approx(3.0)
    assert frame.depth.sum().item() == pytest.approx(18 * 26 + 2)
    assert frame.camera.intrinsics[:2, 2].tolist() == [12.0, 9.0]
    assert (frame.camera.height, frame.camera.width) == (HEIGHT - 6, WIDTH - 6)
    with pytest.raises(ConfigError, match="--border 12 leaves nothing"):
        load_folder(folder, "scannet", border=12)


def test_labels_and_depth_are_optional_and_then_no_table_is_needed(folder):
    shutil.rmtree(folder / "label-filt")
    shutil.rmtree(folder / "depth")
    (folder.parent / scannet.LABEL_MAP).unlink()
    scene = load_folder(folder, "scannet", depth_range="published")
    assert (scene.near, scene.far) == (0.1, 10.0)
    assert (scene.labels, scene.count("depth"), scene.count("semantic")) == (None, 0, 0)
    assert scene.read(0, HEIGHT, WIDTH).depth is None


def test_labels_without_a_table(folder):
    (folder.parent / scannet.LABEL_MAP).unlink()
    with pytest.raises(DataError, match=r"labels.combined.tsv: expected ScanNet's label map.*no such file"):
        load_folder(folder, "scannet")


def faults_of(folder):
    """All that is wrong, and the frames that stay."""
    faults = Faults()
    index = scannet.index_scene(folder, faults)
    return faults.sentences, index.names


def test_all_faults_of_poses_are_told_together(folder):
    (folder / "pose" / "1.txt").unlink()
    (folder / "pose" / "2.txt").write_text("1 0 0\n")
    write_matrix(folder / "pose" / "3.txt", np.eye(4)[:3])
    write_matrix(folder / "pose" / "5.txt", np.diag([2.0, 2.0, 2.0, 1.0]))
    sentences, names = faults_of(folder)
    assert names == ("6", "7", "8", "9", "10", "11")
    assert [sentence.count(expected) for sentence, expected in zip(sentences, PLACES, strict=True)] == [1] * 4


PLACES = [
    "found none for the frames 1; export",
    "pose/2.txt: expected 4 numbers per row, found 3 in row 0",
    "pose/3.txt: expected a 4x4 matrix, found 3 rows",
    "pose/5.txt: expected a rotation and a translation",
]


def test_a_scene_that_lost_all_its_poses(tmp_path):
    scene = write_scannet(tmp_path / "scene", frames=3, lost=(0, 1, 2))
    with pytest.raises(DataError, match="expected poses, found only inf or nan"):
        load_folder(scene, "scannet")


def test_images_resized_without_their_intrinsics(folder):
    path = folder / "intrinsic" / "intrinsic_color.txt"
    write_matrix(path, np.array([[1170.0, 0, 648, 0], [0, 1170, 484, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))
    with pytest.raises(DataError, match=r"near the middle of the 32x24 images, found \(648, 484\)"):
        load_folder(folder, "scannet")


@pytest.mark.parametrize("value", ["nan", "-5", "0"])
def test_intrinsics_that_are_none(folder, value):
    path = folder / "intrinsic" / "intrinsic_color.txt"
    path.write_text(f"{value} 0 15 0\n0 20 12 0\n0 0 1 0\n0 0 0 1\n")
    with pytest.raises(DataError, match="expected positive focal lengths"):
        load_folder(folder, "scannet")
    path.unlink()
    with pytest.raises(DataError, match="intrinsic_color.txt: expected a text file, found no such file"):
        load_folder(folder, "scannet")


def test_images_resized_by_a_little_without_their_intrinsics(folder):
    path = folder / "intrinsic" / "intrinsic_color.txt"
    write_matrix(path, np.array([[25.0, 0, 18, 0], [0, 25, 13, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))
    with pytest.raises(DataError, match=r"near the middle of the 32x24 images, found \(18, 13\)"):
        load_folder(folder, "scannet")


def test_frames_whose_pose_was_lost_are_counted(folder, tmp_path):
    assert load_folder(folder, "scannet").index.warnings == (
        f"{folder}: 2 of 12 frames are left out, as their pose was lost.",
    )
    assert load_folder(write_scannet(tmp_path / "scene0001_00"), "scannet").index.warnings == ()


def test_depth_of_another_camera_is_told(folder):
    """Depth has 16x12 pixels: half of f (20, 21) and c (15, 12)."""
    matrix = np.diag([10.0, 10.5, 1.0, 1.0])
    matrix[:2, 2] = 7.5, 6.0
    write_matrix(folder / "intrinsic" / "intrinsic_depth.txt", matrix)
    write_matrix(folder / "intrinsic" / "extrinsic_depth.txt", np.eye(4))
    assert len(load_folder(folder, "scannet").index.warnings) == 1
    matrix[0, 0] = 8.4
    write_matrix(folder / "intrinsic" / "intrinsic_depth.txt", matrix)
    shifted = np.eye(4)
    shifted[0, 3] = 0.025
    write_matrix(folder / "intrinsic" / "extrinsic_color.txt", shifted)
    _, moved, other = load_folder(folder, "scannet").index.warnings
    assert "though intrinsic/extrinsic_color.txt is not the identity; register depth" in moved
    assert "though intrinsic/intrinsic_depth.txt differs from intrinsic/intrinsic_color.txt by 10.0%" in other


def test_black_strips_are_told_until_they_are_cut_off(tmp_path, caplog):
    scene = write_scannet(tmp_path / "scene0000_00", frames=3)
    for number in range(3):
        image = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
        image[:1] = image[:, -1:] = 3
        save(scene / "color" / f"{number}.png", image)
        (scene / "color" / f"{number}.jpg").unlink()
    load_folder(scene, "scannet")
    assert "black strips of up to 1 pixels at their sides" in caplog.text
    assert "--border 1." in caplog.text
    caplog.clear()
    load_folder(scene, "scannet", border=1)
    assert not caplog.text
    # A dark picture, and one frame without the strips, are none.
    save(scene / "color" / "1.png", np.full((HEIGHT, WIDTH, 3), 200, np.uint8))
    load_folder(scene, "scannet")
    save(scene / "color" / "1.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert not caplog.text


def test_eight_bit_labels_are_refused(folder):
    save(folder / "label-filt" / "1.png", filled(1, np.uint8))
    with pytest.raises(DataError, match="label-filt/1.png: expected 16-bit label ids"):
        load_folder(folder, "scannet")


def test_two_files_of_one_number(folder):
    save(folder / "color" / "7.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert "expected one file of frame 7, found 7.jpg and 7.png" in faults_of(folder)[0][0]


@pytest.mark.skipif(
    getattr(os, "geteuid", lambda: 0)() == 0, reason="the administrator may read every folder"
)
def test_a_folder_that_cannot_be_read(folder):
    (folder / "depth").chmod(0)
    try:
        with pytest.raises(DataError, match="expected a readable folder, found Permission denied"):
            load_folder(folder, "scannet")
    finally:
        (folder / "depth").chmod(0o755)


def test_a_folder_without_images(tmp_path):
    with pytest.raises(DataError, match="color/N.jpg, found no such folder; .*prepare_scannet"):
        load_folder(tmp_path / "scene0000_00", "scannet")
