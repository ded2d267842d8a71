"""The kept index: equal to a new one, used while files stand still, renewed when one changes."""

import os
import shutil
import time

import numpy as np
import pytest
import torch
from helpers import load_folder

from gpnerf.datasets import layouts as loaders
from gpnerf.media.images import write_image
from gpnerf.system.errors import DataError
from gpnerf.system.files import cache_folder


@pytest.fixture
def indexed(monkeypatch, tmp_path):
    """A list of the scenes that were indexed anew, in a cache of its own."""
    monkeypatch.setenv("GPNERF_CACHE", str(tmp_path / "cache"))
    calls = []

    def count(folder, faults):
        calls.append(folder.name)
        return original(folder, faults)

    original = loaders.INDEXERS["transforms"]
    monkeypatch.setitem(loaders.INDEXERS, "transforms", count)
    return calls


def test_a_kept_index_gives_the_same_scene(scene_writer, indexed):
    writer = scene_writer(depth=True, semantic=True)
    writer.top["frames"][1]["depth_file_path"] = None
    writer.top["k1"] = 0.01
    folder = writer.write()
    first, second = load_folder(folder), load_folder(folder)
    assert indexed == ["tiny"]
    assert (first.near, first.far, first.labels) == (second.near, second.far, second.labels)
    for one, other in zip(first.views, second.views, strict=True):
        assert (one.name, one.image, one.depth, one.semantic) == (
            other.name,
            other.image,
            other.depth,
            other.semantic,
        )
        assert torch.equal(one.camera.intrinsics, other.camera.intrinsics)
        assert torch.equal(one.camera.camera_to_world, other.camera.camera_to_world)
    assert np.array_equal(first.index.distortion, second.index.distortion)
    assert first.index.poses.dtype == second.index.poses.dtype == np.float64


def test_options_do_not_enter_the_index(scene_writer, indexed):
    folder = scene_writer(depth=True).write()
    assert load_folder(folder, depth_range=(0.5, 7.0)).far == 7.0
    assert load_folder(folder, border=1).views[0].camera.width == 6
    assert load_folder(folder).views[0].camera.width == 8
    assert indexed == ["tiny"]


def touch_later(path):
    """Files written within one tick of the clock must differ all the same."""
    later = time.time() + 5
    os.utime(path, (later, later))


CHANGES = {
    "the text": lambda folder: touch_later(folder / "transforms.json"),
    "a folder": lambda folder: touch_later(folder / "images"),
    "an image": lambda folder: touch_later(folder / "images" / "1.png"),
    "a removed file": lambda folder: (folder / "depth" / "2.png").unlink(),
    "an added file": lambda folder: (folder / "depth" / "9.png").touch(),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_renews_the_index(scene_writer, indexed, name):
    folder = scene_writer(depth=True).write()
    load_folder(folder)
    CHANGES[name](folder)
    if name == "a removed file":
        with pytest.raises(DataError, match="depth/2.png"):
            load_folder(folder)
    else:
        load_folder(folder)
    assert indexed == ["tiny", "tiny"]


def test_a_broken_cache_or_one_that_cannot_be_written_costs_time_only(scene_writer, indexed, tmp_path):
    folder = scene_writer().write()
    load_folder(folder)
    (kept,) = (tmp_path / "cache" / "index").iterdir()
    for content in (b"", b"no archive", kept.read_bytes()[:300]):
        kept.write_bytes(content)
        assert len(load_folder(folder).views) == 3
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert len(load_folder(folder).views) == 3
    assert indexed == ["tiny"] * 5


def test_a_faulty_scene_is_not_kept(scene_writer, indexed):
    writer = scene_writer(semantic=True)
    writer.save("semantic/1.png", np.full((6, 8), 9, np.uint8))
    folder = writer.write()
    for _ in range(2):
        with pytest.raises(DataError, match="label id 9"):
            load_folder(folder)
    assert indexed == ["tiny", "tiny"]


def test_two_scenes_of_one_name_have_their_own_index(scene_writer, indexed, tmp_path):
    folder = scene_writer().write()
    copy = tmp_path / "elsewhere" / "tiny"
    shutil.copytree(folder, copy)
    write_image(copy / "images" / "0.png", np.full((6, 8, 3), 255, np.uint8))
    assert load_folder(folder).read_image(0, 6, 8).max() == 0.0
    assert load_folder(copy).read_image(0, 6, 8).max() == 1.0


def test_the_cache_follows_the_usual_folders(monkeypatch):
    monkeypatch.delenv("GPNERF_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert str(cache_folder()) == "/somewhere/gpnerf"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert str(cache_folder()) == "/home/someone/.cache/gpnerf"
