"""Exported maps are a scene, and hold the rendered numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from export_scenes import HEIGHT, WIDTH, looking, rendered, wall_depth
from helpers import load_folder

from gpnerf.export.map_folder import MapFolder
from gpnerf.geometry.cameras import Camera

NEAR, FAR = 0.5, 6.0
NAMES = ("9", "10")
CAMERAS = Camera.stack([looking((0.1, 0.2, -2.0)), looking((0.5, 0.0, -2.5), (0.4, 0.1, 0.0))])


def write(folder, class_names=("wall", "floor", "chair"), near=NEAR, far=FAR, features=False):
    """The folder of two views, and these views."""
    maps = MapFolder(folder / "maps", near, far, class_names, features)
    views = [rendered(CAMERAS[number], wall_depth, len(class_names)) for number in range(2)]
    for name, view in zip(NAMES, views, strict=True):
        maps.save(name, view)
    maps.write_scene(NAMES, CAMERAS)
    return maps, views


def test_our_loader_reads_the_same_numbers(tmp_path, caplog):
    maps, views = write(tmp_path)
    scene = load_folder(maps.folder)
    assert not caplog.records, "no warning about the files"
    assert scene.index.names == NAMES and (scene.near, scene.far) == (NEAR, FAR)
    assert scene.labels.names == ("wall", "floor", "chair")
    for number, view in enumerate(views):
        frame = scene.read(number, HEIGHT, WIDTH)
        assert (frame.image - view.color).abs().max() <= 0.5 / 255 + 1e-6
        assert (frame.depth - view.surface).abs().max() <= 0.5 * maps.unit + 1e-6
        assert maps.unit == 0.001
        assert torch.equal(frame.semantic, view.labels)
        assert frame.instance is None
        torch.testing.assert_close(frame.camera.intrinsics, CAMERAS[number].intrinsics)
        torch.testing.assert_close(scene.poses[number].float(), CAMERAS[number].camera_to_world)


def test_the_fusion_reads_the_same_numbers(tmp_path):
    maps, views = write(tmp_path)
    found = maps.load("10")
    np.testing.assert_array_equal(found.color, (views[1].color.permute(1, 2, 0) * 255).round().numpy())
    assert (found.depth - views[1].surface).abs().max() <= 0.5 * maps.unit + 1e-6
    assert torch.equal(found.labels, views[1].labels)
    assert (found.confidence - 0.75).abs().max() < 1e-5
    assert not found.spread.any()


def test_objects_become_instance_ids(tmp_path):
    maps, views = write(tmp_path, ("object 4", "object 300", "object 12"))
    scene = load_folder(maps.folder)
    frame = scene.read(1, HEIGHT, WIDTH)
    assert scene.labels is None and frame.semantic is None
    assert torch.equal(frame.instance, torch.tensor([4, 300, 12])[views[1].labels])
    assert torch.equal(maps.load("10").labels, views[1].labels)


def test_slots_become_instance_ids(tmp_path):
    maps, views = write(tmp_path, ("slot 0", "slot 1", "slot 2"))
    assert torch.equal(load_folder(maps.folder).read(0, HEIGHT, WIDTH).instance, views[0].labels)


def test_a_model_without_classes_has_colors_and_depth_alone(tmp_path):
    maps, _ = write(tmp_path, ())
    scene = load_folder(maps.folder)
    assert scene.labels is None and scene.has("depth") and not scene.count("semantic")
    assert sorted(path.name for path in maps.folder.iterdir()) == [
        "depth",
        "images",
        "spread",
        "transforms.json",
    ]
    assert maps.load("9").labels is None


def test_unlabelled_pixels_stay_so(tmp_path):
    maps, views = write(tmp_path)
    views[0].labels[3, 5] = -1
    maps.save("9", views[0])
    assert torch.equal(load_folder(maps.folder).read(0, HEIGHT, WIDTH).semantic, views[0].labels)
    assert torch.equal(maps.load("9").labels, views[0].labels)


def test_more_than_255_classes_have_16_bits(tmp_path):
    names = tuple(f"class {number}" for number in range(300))
    maps, views = write(tmp_path, names)
    assert torch.equal(load_folder(maps.folder).read(0, HEIGHT, WIDTH).semantic, views[0].labels)
    assert maps.unlabelled == 65535 and views[0].labels.max() == 295


@pytest.mark.parametrize(
    ("near", "far", "unit"), [(0.5, 6.0, 1e-3), (0.01, 0.6, 1e-5), (5.0, 120.0, 1e-2), (0.2, 65.0, 1e-3)]
)
def test_the_unit_of_depth_fits_the_range(tmp_path, near, far, unit):
    maps = MapFolder(tmp_path, near, far)
    assert maps.unit == pytest.approx(unit)
    assert far / maps.unit <= 65534


def test_features_are_written_on_request(tmp_path):
    maps, views = write(tmp_path, features=True)
    with np.load(maps.path("features", "9")) as content:
        np.testing.assert_array_equal(content["features"], views[0].features.numpy())


def test_a_view_is_finished_when_all_its_files_are_there(tmp_path):
    maps, _ = write(tmp_path)
    assert maps.has("9") and not maps.has("11")
    maps.path("spread", "9").unlink()
    assert not maps.has("9") and maps.has("10")
    with_features = MapFolder(maps.folder, NEAR, FAR, maps.class_names, with_features=True)
    assert not with_features.has("10")
    maps.clear()
    assert not maps.has("10") and not list(maps.folder.iterdir())
