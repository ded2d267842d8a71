"""Reading the frames of a scene: sizes, units, labels, lens distortion, faults."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import load_folder

from gpnerf.datasets.index.scene_index import KINDS, SceneIndex
from gpnerf.datasets.labels import IGNORE, LabelSpace
from gpnerf.datasets.ranges import DepthRange
from gpnerf.datasets.scene import Scene
from gpnerf.media import images
from gpnerf.media.images import write_image
from gpnerf.system.errors import DataError

HEIGHT, WIDTH, FOCAL = 90, 120, 100.0
CX, CY = 58.0, 46.5
DISTORTION = (0.12, -0.05, 0.004, -0.006, 0.02)


def lens_scene(folder, pixels, kind="image", distortion=DISTORTION, labels=None, border=0):
    """A scene of one view whose `kind` of file holds `pixels`."""
    files = dict.fromkeys(KINDS, ("",)) | {"image": ("image.png",), kind: (f"{kind}.png",)}
    write_image(folder / "image.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    write_image(folder / f"{kind}.png", pixels)
    index = SceneIndex(
        names=("0",),
        files=files,
        intrinsics=np.array([[[FOCAL, 0.0, CX], [0.0, FOCAL, CY], [0.0, 0.0, 1.0]]]),
        poses=np.eye(4)[None],
        sizes=np.array([[HEIGHT, WIDTH]]),
        distortion=np.pad(distortion, (0, 8 - len(distortion)))[None],
        watched=(),
    )
    return Scene("lens", folder, index, DepthRange(0.1, 10.0, ""), labels, border)


def distort(columns, rows):
    """Where the lens (Brown's model) puts the ideal pixels."""
    k1, k2, p1, p2, k3 = DISTORTION
    x, y = (columns - CX) / FOCAL, (rows - CY) / FOCAL
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    distorted_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    distorted_y = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    return distorted_x * FOCAL + CX, distorted_y * FOCAL + CY


def undistort(columns, rows):
    """The ideal pixels of those of the photograph, by fixed-point iteration."""
    ideal_columns, ideal_rows = columns, rows
    for _ in range(60):
        moved_columns, moved_rows = distort(ideal_columns, ideal_rows)
        ideal_columns = ideal_columns + columns - moved_columns
        ideal_rows = ideal_rows + rows - moved_rows
    return ideal_columns, ideal_rows


def waves(columns, rows):
    """A smooth grid of bright and dark spots, in [0, 1]."""
    return 0.5 + 0.25 * np.sin(columns / 6.0) + 0.25 * np.cos(rows / 7.0)


def test_reading_removes_the_distortion_of_the_lens(tmp_path):
    columns, rows = np.meshgrid(np.arange(WIDTH, dtype=float), np.arange(HEIGHT, dtype=float))
    photograph = np.repeat(
        (waves(*undistort(columns, rows)) * 255).round().astype(np.uint8)[..., None], 3, -1
    )
    scene = lens_scene(tmp_path, photograph)
    read = scene.read_image(0, HEIGHT, WIDTH)[0].numpy()
    # What the camera that is left sees at its pixels, in pixels of the same lens without distortion.
    (fx, _, cx), (_, fy, cy), _ = scene.view(0).camera.intrinsics.double().numpy()
    ideal = waves((columns - cx) / fx * FOCAL + CX, (rows - cy) / fy * FOCAL + CY)
    as_stored = photograph[..., 0] / 255.0
    assert np.abs(as_stored - waves(columns, rows)).max() > 0.1
    assert np.abs(read - ideal).max() < 0.015


def test_no_label_comes_from_outside_the_photograph(tmp_path):
    """This lens pulls the corners inwards: a camera of the same focal length would see beyond them."""
    pincushion = (0.5, 0.0, 0.0, 0.0)
    semantic = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels = LabelSpace.identity(("wall", "floor"))
    frame = lens_scene(tmp_path, semantic, "semantic", pincushion, labels).read(0, HEIGHT, WIDTH)
    assert (frame.semantic == 0).all() and frame.camera.intrinsics[0, 0] > FOCAL
    assert frame.semantic.dtype == torch.int64


def test_depth_keeps_its_values_when_the_lens_is_undistorted(tmp_path):
    depth = np.where(np.arange(WIDTH) < CX, 1000, 40000).astype(np.uint16)
    frame = lens_scene(tmp_path, np.tile(depth, (HEIGHT, 1)), "depth").read(0, HEIGHT // 2, WIDTH // 2)
    assert frame.depth.shape == (HEIGHT // 2, WIDTH // 2)
    # Mixing across the step would give values in between.
    torch.testing.assert_close(frame.depth.unique(), torch.tensor([1.0, 40.0]))


def test_a_frame_has_its_maps_at_the_size_asked_for(scene_writer):
    scene = load_folder(scene_writer(depth=True, semantic=True).write())
    frame = scene.read(1, 3, 4)
    assert frame.image.shape == (3, 3, 4)
    torch.testing.assert_close(frame.image, torch.full((3, 3, 4), 10 / 255))
    torch.testing.assert_close(frame.depth, torch.full((3, 4), 2.001))
    assert frame.semantic.shape == (3, 4)
    assert frame.semantic[-1].tolist() == [1] * 4
    assert (frame.camera.height, frame.camera.width) == (3, 4)
    assert frame.instance is None
    assert (frame.scene, frame.name) == ("tiny", "1")


def test_the_ignored_id_becomes_ignore(scene_writer):
    frame = load_folder(scene_writer(semantic=True).write()).read(2, 6, 8)
    assert frame.semantic[0].tolist() == [IGNORE] * 8
    assert frame.semantic[1].tolist() == [2] * 8


def test_moving_a_frame_keeps_what_is_absent_absent(scene_writer):
    frame = load_folder(scene_writer(depth=True).write()).read(0, 6, 8).to("meta")
    assert frame.image.device.type == frame.depth.device.type == frame.camera.center.device.type == "meta"
    assert frame.semantic is None


def test_an_id_without_a_class_is_told_with_the_file(scene_writer):
    writer = scene_writer(semantic=True)
    writer.save("semantic/1.png", np.full((6, 8), 7, np.uint8))
    with pytest.raises(DataError, match=r"semantic/1.png: label id 7 \(48 pixels\).*3 ids from 0 to 2, 255"):
        load_folder(writer.write())


def test_a_map_in_colour_is_refused(scene_writer):
    writer = scene_writer(depth=True)
    writer.save("depth/1.png", np.zeros((6, 8, 3), np.uint8))
    with pytest.raises(DataError, match="depth/1.png: expected one channel, found 3"):
        load_folder(writer.write())


def test_a_photograph_without_colour_is_refused(scene_writer):
    writer = scene_writer()
    writer.save("images/1.png", np.zeros((6, 8), np.uint16))
    with pytest.raises(DataError, match="images/1.png: expected an 8-bit colour image, found uint16"):
        load_folder(writer.write())


def test_a_small_file_that_unfolds_to_a_huge_image_is_refused(tmp_path, monkeypatch):
    write_image(tmp_path / "bomb.png", np.zeros((600, 500), np.uint8))
    monkeypatch.setattr(images, "MOST_PIXELS", 299_999)
    with pytest.raises(DataError, match=r"bomb\.png: expected an image of at most 299999 pixels, found more"):
        images.read_image(tmp_path / "bomb.png")


def test_the_cameras_of_a_scene_are_those_of_its_views():
    """Three photographs: two sizes, one bent lens."""
    sizes = np.array([[HEIGHT, WIDTH], [60, 90], [HEIGHT, WIDTH]])
    lens = [[FOCAL, 0.0, CX], [0.0, FOCAL, CY], [0.0, 0.0, 1.0]]
    distortion = np.zeros((3, 8))
    distortion[2, :5] = DISTORTION
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[:, 0, 3] = 1e4 + np.array([0.1, 0.2, 0.3])
    files = {"image": ("0.png", "1.png", "2.png")}
    index = SceneIndex(("0", "1", "2"), files, np.array([lens] * 3), poses, sizes, distortion, 0.1, 10.0, ())
    scene = Scene("lens", Path(), index, 0.1, 10.0, border=5)
    batch = scene.cameras(45, 60)
    for number, view in enumerate(scene.views):
        expected, found = view.camera.resized(45, 60), batch[number]
        assert torch.equal(found.intrinsics, expected.intrinsics)
        assert torch.equal(found.camera_to_world, expected.camera_to_world)
    assert torch.equal(batch.camera_to_world, torch.from_numpy(poses))
