"""Every fault that a user can mend ends a script with exit code 2 and one sentence on what to do."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SceneWriter
from script_runs import EXPNAME, refusal, save_untrained, write_config

SCENE = "office"


@pytest.fixture
def writer(scene_writer: Callable[..., SceneWriter]) -> SceneWriter:
    """A scene that could be trained on, before its fault."""
    return scene_writer(frames=5, depth=True, semantic=True, name=SCENE)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(
        tmp_path / "office.txt", data_root=tmp_path, train_scenes=SCENE, test_scenes=SCENE, workers=0
    )


def spoil_pose(row: int, column: int, value: float) -> Callable[[SceneWriter], None]:
    def spoil(writer: SceneWriter) -> None:
        writer.top["frames"][2]["transform_matrix"][row][column] = value

    return spoil


def remove_image(writer: SceneWriter) -> None:
    (writer.folder / "images" / "2.png").unlink()


def resize_image(writer: SceneWriter) -> None:
    writer.save("images/2.png", np.zeros((12, 8, 3), np.uint8))


def spoil_labels(writer: SceneWriter) -> None:
    writer.save("semantic/2.png", np.full((6, 8), 9, np.uint8))


def remove_frames(writer: SceneWriter) -> None:
    del writer.top["frames"][2:]


FAULTS = {
    "missing image": (remove_image, ["transforms.json", "1 of the files", "images/2.png", "copy them there"]),
    "nan pose": (spoil_pose(0, 3, math.nan), ["frame 2 (images/2.png)", "finite", "nan", "remove the frame"]),
    "sheared pose": (spoil_pose(0, 1, 0.2), ["frame 2 (images/2.png)", "a rotation", "0.2", "OpenGL axes"]),
    "image size": (resize_image, ["images/2.png", "expected 8x6 pixels", "found 8x12", "replace the file"]),
    "labels": (spoil_labels, ["semantic/2.png", "label id 9 (48 pixels)", "list of classes", "from 0 to 2"]),
    "few views": (remove_frames, [SCENE, "at least 2 source views", "found 0", "--num_source_views"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_scene_is_refused_before_training(writer, config, fault):
    spoil, words = FAULTS[fault]
    spoil(writer)
    writer.write()
    sentence = refusal("train.py", "--config", config)
    assert not [word for word in words if word not in sentence], sentence
    assert not list(config.parent.glob("out/*/step_*")) and not list(config.parent.glob("out/*/config.txt"))


def test_missing_and_empty_scene_folders_are_told_apart(config):
    sentence = refusal("train.py", "--config", config)
    assert f"{config.parent / SCENE}: expected a folder with a transforms.json, found no such" in sentence
    (config.parent / SCENE).mkdir()
    save_untrained(config)
    assert "transforms.json, found none in it" in refusal("eval.py", "--config", config)


OPTIONS = {
    "unknown": (["--num_ray", "5"], ["--num_ray", "did you mean --num_rays?"]),
    "length of a list": (["--encoder_blocks", "3,4"], ["--encoder_blocks", "three", "found 3,4"]),
    "depths": (["--depth_range", "3,3"], ["--depth_range", "0 < NEAR < FAR", "'3,3'"]),
    "published depths": (["--depth_range", "published"], [SCENE, "no range is published"]),
    "an old option": (["--near", "30"], ["--near", "use --depth_range NEAR,FAR"]),
    "small image": (["--height", "16"], ["--height", "at least 17 pixels", "found 16"]),
    "dropout": (["--dropout", "1"], ["--dropout below 1", "found 1"]),
    "samples": (["--samples", "2"], ["--samples of at least 3", "found 2", "--fine_samples 0"]),
    "device": (["--device", "cuda:99"], ["--device cuda:99 cannot be used", "--device auto"]),
    "sources": (["--num_source_views", "3"], ["at least 3 source views", "found 2"]),
    "test frames": (["--test_frames", "9:"], [SCENE, "found 0, 5 and 5 among its 5 frames"]),
    "no scenes": (["--train_scenes", ""], ["scenes to train on", "--train_scenes"]),
    "name of a room": (["--dataset", "rooms"], ["expected seeds of rooms, such as 0-23", "'office'"]),
    "no weights": (["--load_weights", "none.pt"], ["none.pt does not exist"]),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_wrong_option_is_refused_before_training(writer, config, option):
    arguments, words = OPTIONS[option]
    writer.write()
    sentence = refusal("train.py", "--config", config, *arguments)
    assert not [word for word in words if word not in sentence], sentence
    assert not list(config.parent.glob("out/*/config.txt"))


def test_config_files_are_checked_like_the_command_line(tmp_path):
    config = write_config(tmp_path / "wrong.txt", num_ray=5)
    sentence = refusal("train.py", "--config", config)
    assert "--num_ray" in sentence and str(config) in sentence and "--num_rays?" in sentence
    assert f"{tmp_path / 'none.txt'}" in refusal("train.py", "--config", tmp_path / "none.txt")


@pytest.mark.parametrize("script", ["train.py", "eval.py", "render.py"])
def test_folder_that_cannot_be_written_to_is_refused(writer, config, script):
    writer.write()
    checkpoint = save_untrained(config)
    (config.parent / "file").touch()
    out = config.parent / "file" / "out"
    sentence = refusal(script, "--config", config, "--out", out, "--checkpoint", checkpoint)
    assert f"Output folder {out}" in sentence


def test_rooms_that_cannot_be_written_are_refused(config):
    root = config.parent / "file" / "rooms"
    root.parent.touch()
    arguments = ["--dataset", "rooms", "--data_root", root, "--train_scenes", "0"]
    sentence = refusal("train.py", "--config", config, *arguments)
    assert f"Rooms cannot be written to {root} (Not a directory)" in sentence and "--data_root" in sentence


def test_run_of_another_size_is_refused(writer, config):
    writer.write()
    checkpoint = save_untrained(config)
    sentence = refusal("train.py", "--config", config, "--layers", "3")
    assert str(checkpoint.parent) in sentence and "layers is 2, not 3" in sentence and "--expname" in sentence


def test_foreign_weights_are_refused(writer, config):
    writer.write()
    path = config.parent / "foreign.pt"
    torch.save({"state_dict": {"weight": torch.zeros(3)}}, path)
    sentence = refusal("train.py", "--config", config, "--load_weights", path)
    assert f"{path} is not a readable checkpoint of this program" in sentence
    path.write_bytes(save_untrained(config).read_bytes()[:5000])
    sentence = refusal("train.py", "--config", config, "--expname", "other", "--load_weights", path)
    assert f"{path} is not a readable checkpoint of this program" in sentence


@pytest.mark.parametrize("script", ["eval.py", "render.py"])
def test_trained_model_and_a_scene_are_needed(writer, config, script):
    writer.write()
    sentence = refusal(script, "--config", config)
    assert f"{config.parent / 'out' / EXPNAME} holds no checkpoint; run train.py" in sentence
    sentence = refusal(script, "--config", config, "--checkpoint", config.parent / "none.pt")
    assert "none.pt does not exist" in sentence
    save_untrained(config)
    sentence = refusal(script, "--config", config, "--test_scenes", "")
    assert "found none; name" in sentence
    sentence = refusal(script, "--config", config, "--num_source_views", "9")
    assert f"{SCENE}: expected at least 9 source views" in sentence


def test_a_run_is_not_resumed_on_other_classes(writer, config):
    writer.write()
    save_untrained(config, ("road", "car", "sky"))
    sentence = refusal("train.py", "--config", config)
    assert "wall, floor, chair" in sentence and "road, car, sky" in sentence and "--expname" in sentence
