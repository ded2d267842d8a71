"""One room in every layout: all loaders must give the same examples."""

import numpy as np
import pytest
import torch
from script_runs import run_here

from gpnerf.datasets import examples as views
from gpnerf.datasets import rooms
from gpnerf.datasets.labels import IGNORE
from gpnerf.datasets.layouts import Reading, load_scene
from gpnerf.rooms.exports import replica, scannet
from gpnerf.rooms.exports.layouts import export
from gpnerf.rooms.layout import CLASS_NAMES
from gpnerf.rooms.shots import Shoot

HEIGHT, WIDTH, VIEWS = 48, 64, 5
ROOM = "room_0003"
SIZE = (HEIGHT, WIDTH, 3, "distance")
# The names that other data sets have for the rooms' classes.
NAMES = {
    "replica": {name: replica.CLASSES[name][1] for name in CLASS_NAMES},
    "scannet": {name: scannet.CLASSES[name][2].replace("otherprop", "other prop") for name in CLASS_NAMES},
}


@pytest.fixture(scope="module")
def layouts(tmp_path_factory, rooms_planned_once):
    """A folder with the same room as transforms, replica, scannet, and exported from a ScanNet download."""
    folder = tmp_path_factory.mktemp("layouts")
    for layout in ("transforms", "replica", "scannet", "scannet_download"):
        export(folder / layout, layout, [3], Shoot(HEIGHT, WIDTH, VIEWS, 90.0), workers=1)
    download = folder / "scannet_download"
    run_here("scripts/prepare_scannet.py", download, folder / "prepared", "--workers", 1)
    return folder


def scene_of(folder, dataset, layout):
    name = f"{ROOM}/Sequence_1" if dataset == "replica" else ROOM
    return load_scene(dataset, folder / layout, name, Reading((0.3, 9.0), label_space="all"))


def examples(scene) -> list[views.Example]:
    """Two test views and two steps of a training."""
    test = views.TestExamples([(scene, 1, (0, 2, 3, 4)), (scene, 4, (0, 1, 2, 3))], *SIZE)
    frames = range(VIEWS)
    training = views.TrainingExamples([(scene, frames, frames)], *SIZE, seed=0, length=2)
    return [test[0], test[1], training[0], training[1]]


def in_class_names_of_rooms(labels, names, own):
    """Labels of a space `names` as labels of the rooms, whose classes are called `own` there."""
    table = np.full(len(names) + 1, IGNORE)
    for number, name in enumerate(CLASS_NAMES):
        table[names.index(own[name])] = number
    table[IGNORE] = IGNORE
    return torch.from_numpy(table)[labels]


LAYOUTS = [("replica", "replica"), ("scannet", "scannet"), ("scannet", "prepared")]


@pytest.mark.parametrize(("dataset", "layout"), LAYOUTS, ids=lambda value: value)
def test_all_loaders_give_the_same_examples(layouts, dataset, layout):
    reference, scene = scene_of(layouts, "transforms", "transforms"), scene_of(layouts, dataset, layout)
    # ScanNet keeps photographs as jpg.
    tolerance = 0.0 if dataset == "replica" else 0.05
    for expected, found in zip(examples(reference), examples(scene), strict=True):
        assert found.sources.images.shape == (3, 3, HEIGHT, WIDTH)
        difference = (found.sources.images - expected.sources.images).abs()
        assert difference.max() <= tolerance and difference.mean() <= tolerance / 5
        assert (found.target.image - expected.target.image).abs().max() <= tolerance
        assert [int(name) for name in found.sources.names] == [int(name) for name in expected.sources.names]
        assert (found.near, found.far) == (expected.near, expected.far)
        torch.testing.assert_close(found.target.depth, expected.target.depth, rtol=0, atol=0)
        assert torch.equal(found.target.instance, expected.target.instance)
        own = in_class_names_of_rooms(found.target.semantic, scene.labels.names, NAMES[dataset])
        assert torch.equal(own, expected.target.semantic)
        for one, other in (
            (found.target.camera, expected.target.camera),
            (found.sources.cameras, expected.sources.cameras),
        ):
            torch.testing.assert_close(one.intrinsics, other.intrinsics, rtol=0, atol=1e-4)
            torch.testing.assert_close(one.camera_to_world, other.camera_to_world, rtol=0, atol=1e-5)


def test_the_layout_transforms_is_that_of_the_rooms(layouts, tmp_path):
    """At the rooms' own field of view; the layouts above are wider, as Replica is."""
    export(tmp_path / "transforms", "transforms", [3], Shoot(HEIGHT, WIDTH, VIEWS), workers=1)
    made = load_scene("transforms", tmp_path / "transforms", ROOM)
    own = rooms.load(tmp_path / "rooms", 3, HEIGHT, WIDTH, VIEWS)
    for expected, found in zip(examples(own), examples(made), strict=True):
        assert torch.equal(found.sources.images, expected.sources.images)
        assert torch.equal(found.target.semantic, expected.target.semantic)
        assert torch.equal(found.sources.cameras.camera_to_world, expected.sources.cameras.camera_to_world)
        assert (found.near, found.far) == (expected.near, expected.far)
