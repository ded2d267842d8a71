"""A split that a data set states is the split that is tested and trained on; and it is told."""

import json
import math
import shutil

import numpy as np
import pytest
from helpers import load_folder

from gpnerf.commands.options import parse_options
from gpnerf.config.fields import from_options
from gpnerf.datasets import run_scenes as load
from gpnerf.datasets.run_scenes import describe_gaps, describe_splits
from gpnerf.datasets.splits import stated_frames
from gpnerf.datasets.views import FrameRule
from gpnerf.system.errors import DataError

# As configs/transforms.txt.
RULE = FrameRule(test_frames="4::8")


def frames_of(scene, rule=RULE, tested=True):
    """Names of the frames that are tested, trained on, and sources of test views."""
    names = scene.index.names
    views = load.test_views([scene], rule)
    (training,) = load.training_scenes([scene], [scene] if tested else [], rule)
    test = [names[view.target] for view in views]
    return test, [names[n] for n in training.targets], [names[n] for n in views[0].sources]


def lists(writer, **splits):
    writer.top |= {
        f"{split}_filenames": [f"images/{number}.png" for number in numbers]
        for split, numbers in splits.items()
    }
    return writer


@pytest.fixture
def listed(scene_writer):
    """Eight frames; 5 and 6 are for validation and for tests."""
    return lists(scene_writer(frames=8), train=(0, 1, 2, 3, 4, 7), val=(5, 6), test=(5, 6))


def test_the_lists_of_nerfstudio(listed):
    scene = load_folder(listed.write())
    assert scene.index.splits == ("train",) * 5 + ("test",) * 2 + ("train",)
    expected = (["5", "6"], ["0", "1", "2", "3", "4", "7"], ["0", "1", "2", "3", "4", "7"])
    assert frames_of(scene) == expected
    # Also where the scene is trained on for its own sake, or tested without having been trained on.
    assert frames_of(scene, tested=False) == expected
    (sentence,) = describe_splits([scene, scene], RULE)
    assert sentence.startswith("tiny: 2 test and 6 training frames as its data set states them; --split_by")
    # The kept index says the same.
    assert load_folder(listed.folder).index.splits == scene.index.splits


def test_the_options_choose_where_they_are_told_to(listed):
    scene = load_folder(listed.write())
    rule = FrameRule(test_frames="4::8", split_by="frames")
    assert frames_of(scene, rule) == (["4"], [*"0123567"], [*"0123567"])
    assert (
        "test frames by --test_frames 4::8, as its data set states 6 train, 2 test"
        in describe_splits([scene], rule)[0]
    )
    options = parse_options("", ["--split_by", "frames", "--test_frames", "4::8"])
    assert from_options(FrameRule, options) == rule
    assert from_options(FrameRule, parse_options("", [])).split_by == "stated"


def test_validation_frames_are_not_trained_on_but_sources(scene_writer):
    scene = load_folder(lists(scene_writer(frames=6), train=(0, 1, 2), val=(3,), test=(5,)).write())
    assert frames_of(scene) == (["5"], ["0", "1", "2"], [*"01234"])
    assert frames_of(scene, FrameRule(test_frames="::2", held_out=False))[2] == [*"012345"]


def test_a_limit_cuts_the_stated_test_frames_and_frees_none(listed):
    scene = load_folder(listed.write())
    assert frames_of(scene, FrameRule(test_limit=1)) == (["5"], [*"012347"], [*"012347"])


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        ("tttvv", ([3, 4], [0, 1, 2])),
        ("  v v", ([2, 4], [0, 1, 3])),
        ("e    ", ([0], [1, 2, 3, 4])),
        ("ev   ", ([0], [2, 3, 4])),
        ("tt   ", ([2, 3, 4], [0, 1])),
        ("ttttt", None),
        ("eeeee", None),
        ("eevvv", None),
        ("     ", None),
    ],
)
def test_incomplete_statements(splits, expected):
    """t: train, v: val, e: test."""
    words = {"t": "train", "v": "val", "e": "test", " ": ""}
    assert stated_frames([words[letter] for letter in splits]) == expected


def test_a_statement_without_test_frames_is_told(scene_writer):
    scene = load_folder(lists(scene_writer(frames=8), train=range(8)).write())
    assert frames_of(scene)[:2] == (["4"], [*"0123567"])
    (sentence,) = describe_splits([scene], RULE)
    assert sentence.startswith("tiny: test frames by --test_frames 4::8, as its data set states 8 train")
    assert sentence.endswith("frames, which leaves none to test.")


def test_entries_may_be_spelt_otherwise(scene_writer):
    writer = scene_writer(frames=4)
    writer.top |= {"test_filenames": ["./images/1", "images\\2.png"]}
    assert frames_of(load_folder(writer.write()))[0] == ["1", "2"]


FAULTS = {
    "an unknown frame": ({"test": (5, 9)}, "'test_filenames' to name frames .*found no frames images/9.png"),
    "trained on and tested": (
        {"train": (0, 5), "test": (5,)},
        "no frame, found 1 in both .images/5.png",
    ),
    "trained on and validated": ({"train": (0, 5), "val": (5,)}, "'train_filenames' and 'val_filenames'"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_lists_that_cannot_be_right_are_refused(scene_writer, name):
    splits, expected = FAULTS[name]
    with pytest.raises(DataError, match=f"transforms.json: .*{expected}.*; correct the list"):
        load_folder(lists(scene_writer(frames=8), **splits).write())


def test_a_list_that_is_none_is_refused(scene_writer):
    writer = scene_writer()
    writer.top["test_filenames"] = "images/1.png"
    with pytest.raises(DataError, match="'test_filenames' to be a list of the frames' file_path"):
        load_folder(writer.write())


@pytest.fixture
def blender(scene_writer):
    """r_0 to r_4 for training, r_0 for validation, r_0 and r_1 for tests, 90 degrees wide."""
    writer = scene_writer(frames=8)
    folders = ["train"] * 5 + ["val"] + ["test"] * 2
    numbers = [0, 1, 2, 3, 4, 0, 0, 1]
    for frame, folder, number in zip(writer.top["frames"], folders, numbers, strict=True):
        frame["file_path"] = f"./{folder}/r_{number}"
        frame["rotation"] = 0.0126
        writer.save(f"{folder}/r_{number}.png", np.full((6, 8, 3), 10 * number, np.uint8))
    for split in ("train", "val", "test"):
        frames = [f for f in writer.top["frames"] if f["file_path"].startswith(f"./{split}/")]
        text = json.dumps({"camera_angle_x": math.pi / 2, "frames": frames})
        (writer.folder / f"transforms_{split}.json").write_text(text)
    return writer.folder


def test_the_three_files_of_blender(blender):
    scene = load_folder(blender, depth_range=(1.0, 5.0))
    test, train, sources = frames_of(scene)
    assert test == ["test/r_0", "test/r_1"]
    assert train == [f"train/r_{number}" for number in range(5)]
    assert set(sources) == {*train, "val/r_0"}
    assert scene.views[0].camera.intrinsics.tolist() == [[4.0, 0.0, 3.5], [0.0, 4.0, 2.5], [0.0, 0.0, 1.0]]
    # The cameras of the test frames are the seventh and eighth of the row.
    places = dict(zip(scene.index.names, scene.poses[:, 0, 3].tolist(), strict=True))
    assert (places["test/r_0"], places["test/r_1"]) == pytest.approx((0.6, 0.7))
    assert not scene.index.warnings


def test_blenders_training_file_alone_is_split_by_the_options(blender):
    (blender / "transforms_val.json").unlink()
    (blender / "transforms_test.json").unlink()
    scene = load_folder(blender, depth_range=(1.0, 5.0))
    assert frames_of(scene)[:2] == (["r_4"], ["r_0", "r_1", "r_2", "r_3"])


def test_a_transforms_json_goes_before_the_three_files_and_is_told(blender, caplog):
    shutil.copy(blender / "transforms_train.json", blender / "transforms.json")
    scene = load_folder(blender, depth_range=(1.0, 5.0))
    assert len(scene.views) == 5 and not any(scene.index.splits)
    assert "transforms.json is read, and not transforms_train.json and transforms_val.json" in caplog.text


def test_a_change_of_any_of_the_three_files_renews_the_index(blender):
    assert len(load_folder(blender, depth_range=(1.0, 5.0)).views) == 8
    (blender / "transforms_val.json").unlink()
    assert len(load_folder(blender, depth_range=(1.0, 5.0)).views) == 7


def test_gaps_in_the_numbers_of_test_frames_are_told(scene_writer):
    writer = scene_writer(frames=11)
    scene = load_folder(writer.write())
    assert describe_gaps([scene]) == []
    writer.top["frames"] = writer.top["frames"][::5]
    (sentence,) = describe_gaps([load_folder(writer.write())])
    assert "tiny: its frames are numbered 0, 5, 10, ... in steps of 5" in sentence
