"""scripts/export.py as a user runs it, on a tiny model; what it keeps, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from script_runs import refusal, run_here, write_config

import gpnerf
from gpnerf.commands import rendered_views
from gpnerf.datasets.files.ply import read_points
from gpnerf.media.images import read_image
from gpnerf.methods.settings import Settings
from gpnerf.training.checkpoint import Checkpoint, save_checkpoint

SCRIPT = "scripts/export.py"
# An untrained model has no surfaces on which views agree, so that nearly everything counts.
LOOSE = ("--agree", 2, "--tolerance", 0.5)


@pytest.fixture
def out(rooms_config: Path, tmp_path: Path) -> Path:
    """A folder for results of the run's model, so that its own folder stays as it is."""
    return tmp_path / "out"


def export(config: Path, run: Path, out: Path, *options: object, code: int = 0) -> str:
    return run_here(SCRIPT, run, "--config", config, "--out", out, *options, code=code)


def refused(config: Path, run: Path, out: Path, *options: object) -> str:
    return refusal(SCRIPT, run, "--config", config, "--out", out, *options)


def test_maps_are_a_scene_that_renders_again(rooms_config, rooms_run, out):
    said = export(rooms_config, rooms_run, out, "--scene", 1000, "--features", "yes")
    folder = out / "export" / "room_1000" / "maps"
    assert f"Wrote {folder}." in said
    scene = gpnerf.open_scene(folder)
    # The test frames are 1 and 3 of five.
    assert scene.index.names == ("0000", "0002", "0004")
    true = gpnerf.open_scene(next((rooms_config.parent / "rooms").glob("*/room_1000")))
    torch.testing.assert_close(scene.poses, true.poses[[0, 2, 4]])
    assert scene.labels.names == gpnerf.load(rooms_run).class_names
    with np.load(folder / "features" / "0002.npz") as content:
        assert content["features"].shape[1:] == (12, 16)
    options = ("--dataset", "transforms", "--data_root", folder.parent, "--test_scenes", "maps")
    options = (*options, "--test_frames", "1:2", "--height", 24, "--width", 32, "--checkpoint", rooms_run)
    said = run_here("eval.py", "--config", rooms_config, "--out", out / "again", *options)
    assert "| maps | 1 |" in said


def test_the_same_command_renders_nothing_again(rooms_config, rooms_run, out, monkeypatch):
    export(rooms_config, rooms_run, out, "--scene", 1000, "--format", "ply", *LOOSE)
    folder = out / "export" / "room_1000"
    points = read_points(folder / "cloud.ply")
    assert len(points) > 100 and np.isfinite(points).all()
    (folder / "maps" / "depth" / "0002.png").unlink()
    rendered = []
    real = rendered_views.ViewRenderer._render

    def counted(self, number):
        rendered.append(number)
        return real(self, number)

    monkeypatch.setattr(rendered_views.ViewRenderer, "_render", counted)
    said = export(rooms_config, rooms_run, out, "--scene", 1000, "--format", "ply", *LOOSE)
    assert rendered == [2] and "2 of 3 views are kept from before" in said
    np.testing.assert_array_equal(read_points(folder / "cloud.ply"), points)
    export(rooms_config, rooms_run, out, "--scene", 1000, "--format", "splat", *LOOSE)
    assert rendered == [2] and (folder / "splats.ply").is_file()
    export(rooms_config, rooms_run, out, "--scene", 1000, "--views", "all")
    assert rendered[1:] == [0, 1, 2, 3, 4], "other photographs may be sources, so that all views are new"


def test_views_of_another_command_are_not_used(rooms_config, rooms_run, out):
    export(rooms_config, rooms_run, out, "--scene", 1000, "--views", "test")
    folder = out / "export" / "room_1000" / "maps"
    before = read_image(folder / "depth" / "0001.png")
    said = export(rooms_config, rooms_run, out, "--scene", 1000, "--views", "test", "--guide", 1)
    assert "kept from before" not in said
    assert (read_image(folder / "depth" / "0001.png") != before).any()


def test_a_mesh_is_written_as_ply_and_glb(rooms_config, rooms_run, out):
    pytest.importorskip("trimesh")
    said = export(rooms_config, rooms_run, out, "--scene", 1000, "--format", "mesh", "--voxel", 0.2, *LOOSE)
    folder = out / "export" / "room_1000"
    assert f"Wrote {folder / 'mesh.ply'}." in said and f"Wrote {folder / 'mesh.glb'}." in said
    assert b"element face" in (folder / "mesh.ply").read_bytes()[:2000]


def test_a_run_needs_no_config_and_a_scene_may_be_a_folder(rooms_run, rooms_config, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(rooms_run, run, ignore=shutil.ignore_patterns("export"))
    run_here(SCRIPT, run, "--scene", 1001, "--views", "1:2")
    folder = next((rooms_config.parent / "rooms").glob("*/room_1001"))
    exported = run / "export" / "room_1001"
    assert [path.name for path in (exported / "maps" / "images").iterdir()] == ["0001.png"]
    assert json.loads((exported / "rendering.json").read_text())["size"] == [24, 32]
    out = tmp_path / "out"
    run_here(SCRIPT, run, "--scene", folder, "--views", "1:2", "--longer_side", 48, "--out", out)
    assert gpnerf.open_scene(out / "export" / "room_1001" / "maps").size(0) == (36, 48)


def train(folder: Path, rooms_config: Path, **options: object) -> Path:
    """The run of a tiny model on a room."""
    options = {"dataset": "rooms", "data_root": rooms_config.parent / "rooms", "views_per_room": 5, **options}
    config = write_config(folder / "own.txt", train_scenes="1000", test_scenes="1000", steps=1, **options)
    run_here("train.py", "--config", config)
    return folder / "out" / "tiny"


def test_a_model_without_classes_leaves_labels_out_and_says_so_once(rooms_config, tmp_path):
    run = train(tmp_path, rooms_config, target="none")
    said = run_here(SCRIPT, run, "--scene", 1000, "--format", "ply", *LOOSE)
    assert said.count("The model has no classes: labels are left out.") == 1
    folder = run / "export" / "room_1000"
    assert b"label" not in (folder / "cloud.ply").read_bytes()[:400]
    assert not (folder / "maps" / "semantic").exists()
    sentence = refusal(SCRIPT, run, "--scene", 1000, "--features", "yes")
    assert "Expected a model with classes for --features yes" in sentence


def test_objects_have_files_of_their_own(rooms_config, tmp_path):
    run = train(tmp_path, rooms_config, target="instance")
    run_here(SCRIPT, run, "--scene", 1000, "--format", "ply", "--per_object", "yes", *LOOSE)
    folder = run / "export" / "room_1000"
    files = list((folder / "objects").iterdir())
    known = {name.replace(" ", "_") for name in gpnerf.load(run).class_names}
    assert files and {file.stem for file in files} <= known
    assert sum(len(read_points(file)) for file in files) == len(read_points(folder / "cloud.ply"))
    sentence = refusal(SCRIPT, run, "--scene", 1000, "--format", "splat", "--per_object", "yes")
    assert "found --format splat; leave --per_object out" in sentence


FAULTS = {
    "unknown format": (("--scene", 1000, "--format", "obj"), ["invalid choice: 'obj'", "maps", "splat"]),
    "no such room": (("--scene", "hall"), ["seed of a room", "found 'hall'"]),
    "no such folder": (
        ("--dataset", "transforms", "--scene", "hall"),
        ["folder of a scene", "found 'hall'", "--data_root"],
    ),
    "no such views": (
        ("--scene", 1000, "--views", "9:"),
        ["--views 9:", "5 views of room_1000", "found none"],
    ),
    "odd views": (("--scene", 1000, "--views", "some"), ["train, test, all or START:STOP:STEP", "'some'"]),
    "no voxel": (("--scene", 1000, "--format", "mesh", "--voxel", 0), ["a finite number above 0", "'0'"]),
    "objects of classes": (
        ("--scene", 1000, "--format", "ply", "--per_object", "yes"),
        ["--target instance", "found a model without objects", "leave --per_object out"],
    ),
    "nothing agrees": (
        ("--scene", 1000, "--format", "ply", "--agree", 4),
        ["room_1000", "4 views agree", "found none among 3 views", "lower --agree"],
    ),
    "an empty mesh": (
        ("--scene", 1000, "--format", "mesh", "--agree", 4),
        ["4 views agree", "found none among 3 views", "raise --tolerance"],
    ),
    "a fine grid": (
        ("--scene", 1000, "--format", "mesh", "--voxel", 0.001, *LOOSE),
        ["Expected at most 134217728 voxels", "set --voxel to"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_exported_is_refused_in_a_sentence(rooms_config, rooms_run, out, fault):
    options, words = FAULTS[fault]
    sentence = refused(rooms_config, rooms_run, out, *options)
    assert all(word in sentence for word in words), sentence


def test_a_model_that_is_not_there_is_refused(out):
    assert "nowhere does not exist" in refusal(SCRIPT, "nowhere", "--scene", 1000, "--out", out)


def test_a_method_that_only_labels_photographs_is_refused(out, tmp_path):
    settings = Settings.of("semantic_fpn", classes=2)
    state = Checkpoint(0, settings, ("wall", "floor"), settings.build().state_dict(), {}, {})
    save_checkpoint(tmp_path / "run", state)
    sentence = refusal(SCRIPT, tmp_path / "run", "--scene", 1000, "--dataset", "rooms", "--out", out)
    assert "Expected a method that renders views, found semantic_fpn" in sentence


def test_a_model_of_one_scene_is_refused_on_another(rooms_config, rooms_run, out, tmp_path):
    config = Path(__file__).parent.parent / "configs" / "baselines" / "semantic_nerf_rooms_demo.txt"
    options = ("--data_root", rooms_config.parent / "rooms", "--height", 24, "--width", 32, "--workers", 0)
    options = (*options, "--views_per_room", 5, "--out", out, "--expname", "alone", "--test_frames", "1::2")
    options = (*options, "--device", "cpu", "--precision", "float32", "--compile", "no", "--lpips", "no")
    trained = ("--train_scenes", 1000, "--test_scenes", 1000, "--steps", 1, "--num_rays", 16)
    run_here("train.py", "--config", config, *options, *trained)
    sentence = refusal(SCRIPT, out / "alone", "--scene", 1001)
    assert "Expected the scene 1000" in sentence and "found 1001" in sentence
