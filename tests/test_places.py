"""A scene is its folder, however it is spelled; names of output survive dots and never meet."""

import json
import logging
import os
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
from helpers import load_folder
from script_runs import EXPNAME, refusal, run_here

from gpnerf.commands.options import parse_options
from gpnerf.datasets import run_scenes as load
from gpnerf.datasets.discover import find_scenes
from gpnerf.datasets.layouts import load_scene
from gpnerf.datasets.places import claim, scene_name, some_known
from gpnerf.datasets.views import FrameRule
from gpnerf.system.errors import ConfigError, DataError
from gpnerf.training.checkpoint import checkpoint_path
from scripts import check_data, finetune_scenes

SPELLINGS = ("tiny", "tiny/", "./tiny", "tiny/.", "tiny/images/..", "absolute", "link")


def spelled(root: Path, spelling: str) -> str:
    """The name as given on the command line; `link` is a symbolic link to the scene."""
    if spelling == "link" and not (root / "link").exists():
        (root / "link").symlink_to(root / "tiny")
    return str(root / "tiny") if spelling == "absolute" else spelling


def read(root: Path, *names: str) -> list:
    return load.load_scenes(parse_options("", ["--data_root", str(root)]), names)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_test_frames_are_held_out_whichever_way_the_scene_is_spelled(scene_writer, spelling):
    root = scene_writer(frames=8).write().parent
    train, test = read(root, spelled(root, spelling)), read(root, "tiny")
    (trained,) = load.training_scenes(train, test, FrameRule("2::4"))
    assert trained.targets == trained.sources == [0, 1, 3, 4, 5, 7]
    assert trained.scene.name == ("link" if spelling == "link" else "tiny")


def test_another_scene_is_trained_on_whole(scene_writer):
    train, test = (load_folder(scene_writer(frames=3, name=f"{name}/tiny").write()) for name in "ab")
    (trained,) = load.training_scenes([train], [test], FrameRule("1:2"))
    assert list(trained.targets) == [0, 1, 2]


def test_a_scene_that_is_listed_twice_is_used_once(scene_writer, caplog):
    root = scene_writer().write().parent
    names = [spelled(root, spelling) for spelling in ("tiny", "tiny/", "link")]
    with caplog.at_level(logging.WARNING):
        assert [scene.name for scene in read(root, *names)] == ["tiny"]
    assert "the scenes tiny and tiny/ are one folder; it is used once." in caplog.text
    assert "the scenes tiny and link are one folder; it is used once." in caplog.text
    caplog.clear()
    assert len(read(root, "tiny", "tiny")) == 1 and "tiny and tiny are one folder" in caplog.text


def test_no_two_folders_share_a_name(tmp_path):
    root = tmp_path / "data"
    assert scene_name(root, "a/scene") == "a/scene" and scene_name(root, "./b//scene/") == "b/scene"
    assert scene_name(root, ".") == "data" and scene_name(root / "scene", "../scene") == "scene"
    outside = (tmp_path / "more" / "scene").as_posix()
    assert scene_name(root, outside) == scene_name(root, "../more/scene") == outside.lstrip("/")


def test_results_of_another_folder_of_that_name_are_not_replaced(tmp_path):
    results, first, second = (tmp_path / name for name in ("eval/scene", "a/scene", "b/scene"))
    first.mkdir(parents=True)
    claim(results, first)
    claim(results, tmp_path / "a" / ".." / "a" / "scene")
    with pytest.raises(ConfigError, match=f"{results}: expected results of {second}, found those of {first}"):
        claim(results, second)
    # Data that moved are the same.
    first.rename(tmp_path / "a" / "elsewhere")
    claim(results, second)
    assert (results / "scene.txt").read_text() == str(second)


def test_the_setting_of_an_evaluation_is_by_folders(scene_writer):
    from gpnerf.evaluation.evaluation import Evaluation

    root = scene_writer().write().parent
    checkpoint = Namespace(options={"data_root": str(root), "train_scenes": ("tiny/",)})
    evaluation = Evaluation.__new__(Evaluation)
    evaluation.checkpoint = checkpoint
    for tested, setting in (("./tiny", "per scene"), ("link", "per scene"), ("other", "generalized")):
        evaluation.options = parse_options(
            "", ["--data_root", str(root), "--test_scenes", spelled(root, tested)]
        )
        assert evaluation.setting == setting


def test_scenes_of_one_name_are_two_while_the_known_one_is_there(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    for root in (first, second):
        (root / "hall").mkdir(parents=True)
    assert some_known(first, ["x", "./hall"], first, ["hall/"])
    assert some_known(second, ["../a/hall"], first, ["hall"])
    assert not some_known(second, ["hall"], first, ["hall", "attic"])
    # Moved or never a folder, as the seeds of rooms: the name tells.
    assert some_known(second, ["attic"], first, ["hall", "attic"])
    assert some_known(second, ["7"], first, ["7"]) and not some_known(second, ["8"], first, ["7"])
    (first / "hall").rename(first / "elsewhere")
    assert some_known(second, ["hall"], first, ["hall"])


def test_results_are_claimed_whatever_bytes_name_the_folder(tmp_path):
    places = [tmp_path / os.fsdecode(name) for name in (b"caf\xe9", b"caf\xe8")]
    for place in places:
        place.mkdir()
    claim(tmp_path / "results", places[0])
    claim(tmp_path / "results", places[0])
    with pytest.raises(ConfigError, match="found those of .*caf"):
        claim(tmp_path / "results", places[1])


def test_checked_scenes_are_found_by_any_spelling(scene_writer, monkeypatch):
    root = scene_writer().write().parent
    options = Namespace(root=root, train_scenes=("tiny/",), test_scenes=("./tiny", str(root / "tiny")))
    assert [scene.name for scene in check_data.chosen_scenes(options)] == ["tiny"]
    monkeypatch.chdir(root / "tiny")
    assert find_scenes(Path()) == [("transforms", root, "tiny")]


def test_finetuned_runs_have_folders_of_their_own(tmp_path):
    config = tmp_path / "config.txt"
    config.write_text(f"expname = run.v1/any\ndata_root = {tmp_path}\nout = {tmp_path}\n")

    def runs(scenes: str) -> finetune_scenes.SceneRuns:
        return finetune_scenes.SceneRuns(finetune_scenes.parse(["--config", str(config), "--scenes", scenes]))

    found = runs("office.1/,./office.1,office.2")
    assert found.scenes == ["office.1/", "office.2"]
    assert [found.place(scene).name for scene in found.scenes] == ["office.1", "office.2"]
    assert found.place("office.1").parent.name == "run.v1"
    with pytest.raises(ConfigError, match="The runs of a/b and a_b would both be .*run.v1/a_b"):
        runs("a/b,a_b")


def test_videos_of_scenes_with_dots_lie_beside_each_other(scene_writer, rooms_run, rooms_config, tmp_path):
    pytest.importorskip("imageio.v3")
    for name in ("office.1", "office.2", "other/office.1"):
        scene_writer(frames=4, name=name).write()
    options = ["--config", rooms_config, "--checkpoint", checkpoint_path(rooms_run, 6), "--frames", 1]
    options += ["--dataset", "transforms", "--out", tmp_path, "--stride", 8]
    for name in ("office.1", "office.2/"):
        run_here("render.py", *options, "--data_root", tmp_path, "--test_scenes", name)
    folder = tmp_path / EXPNAME / "render"
    assert sorted(path.name for path in folder.glob("*.mp4")) == [
        "office.1_interpolate.mp4",
        "office.2_interpolate.mp4",
    ]
    before = (folder / "office.1_interpolate.mp4").stat().st_mtime_ns
    other = [*options, "--data_root", tmp_path / "other", "--test_scenes", "office.1"]
    assert f"found those of {tmp_path / 'office.1'}" in refusal("render.py", *other)
    assert (folder / "office.1_interpolate.mp4").stat().st_mtime_ns == before
    assert json.loads((folder / "office.2_interpolate" / "rendering.json").read_text())["step"] == 6


def test_a_scene_is_named_alike_by_every_loader(scene_writer):
    folder = scene_writer().write()
    assert load_scene("transforms", folder.parent, "./tiny/").read(0, 6, 8).scene == "tiny"


def windows_scene(writer):
    """A scene whose file was written on Windows."""
    for frame in writer.top["frames"]:
        for key in ("file_path", "depth_file_path"):
            frame[key] = frame[key].replace("/", "\\")
    return writer


def test_paths_with_backslashes_are_read(scene_writer):
    scene = load_folder(windows_scene(scene_writer(frames=8, depth=True)).write())
    assert (len(scene.views), scene.count("depth"), scene.index.warnings) == (8, 8, ())
    assert scene.index.files["image"][3] == "images/3.png" and scene.index.names[3] == "3"
    assert scene.poses[3, 0, 3] == pytest.approx(0.3)


def test_a_name_that_holds_a_backslash_is_tried_as_it_is_written_first(scene_writer):
    writer = windows_scene(scene_writer(depth=True))
    (writer.folder / "images/1.png").rename(writer.folder / "images\\1.png")
    writer.save("images/1.png", np.full((6, 8, 3), 77, np.uint8))
    assert load_folder(writer.write()).read_image(2, 6, 8).unique().tolist() == [np.float32(10 / 255)]


@pytest.mark.parametrize(
    "path",
    ("..\\1.png", "images\\..\\..\\1.png", "C:\\data\\1.png", "\\data\\1.png", "\\\\host\\d\\1.png"),
)
def test_backslashes_do_not_lead_out_of_the_folder(scene_writer, path):
    writer = scene_writer()
    writer.top["frames"][1]["file_path"] = path
    with pytest.raises(DataError, match="'file_path' to be a path inside .*write relative paths"):
        load_folder(writer.write())
