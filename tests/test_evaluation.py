"""Evaluation: kept views, exactness, the released protocol, faults that leave others alone, instances."""

import json
import shutil

import numpy as np
import pytest
import torch
from layouts import write_scannet
from script_runs import EXPNAME, REPOSITORY, run_here, write_config

from gpnerf.commands.options import parse_options
from gpnerf.datasets import examples, rooms
from gpnerf.datasets.instances import instance_ids, object_names, slot_names, with_objects
from gpnerf.datasets.labels import IGNORE
from gpnerf.datasets.layouts import load_scene
from gpnerf.datasets.views import FrameRule, rank_views, released_sources
from gpnerf.evaluation import protocols
from gpnerf.evaluation.evaluator import Evaluator
from gpnerf.evaluation.protocols import released_order, released_rule
from gpnerf.evaluation.trained_views import trained_views
from gpnerf.media.images import write_image
from gpnerf.system.errors import DataError


def scores_of(config, *arguments):
    """Scores of every test view, freshly made."""
    options = parse_options("", ["--config", str(config), *map(str, arguments)])
    views = Evaluator(options).run()
    return {(view.scene, view.view): view.scores for view in views}


@pytest.fixture
def fresh(rooms_config, rooms_run, tmp_path):
    """A copy of the finished run in a folder of its own: config arguments that evaluate it there."""
    shutil.copytree(rooms_run, tmp_path / EXPNAME, ignore=shutil.ignore_patterns("eval*", "render"))
    return [rooms_config, "--out", tmp_path]


def test_scores_do_not_depend_on_chunks_or_reading_processes(fresh, tmp_path):
    expected = scores_of(*fresh)
    shutil.rmtree(tmp_path / EXPNAME / "eval")
    found = scores_of(*fresh, "--chunk_size", 50, "--workers", 0)
    assert found.keys() == expected.keys() and len(found) == 4
    for view, scores in expected.items():
        for name, value in scores.items():
            assert found[view][name] == (None if value is None else pytest.approx(value, abs=1e-4)), name


def test_an_evaluation_goes_on_where_it_was_stopped(fresh, tmp_path):
    expected = scores_of(*fresh)
    folder = tmp_path / EXPNAME / "eval"
    records = sorted(folder.glob("*/*/scores.json"))
    assert len(records) == 4
    before = [record.stat().st_mtime_ns for record in records]
    records[1].unlink()
    assert scores_of(*fresh) == expected
    after = [record.stat().st_mtime_ns for record in records]
    assert [new == old for new, old in zip(after, before, strict=True)] == [True, False, True, True]
    # Other weights, sizes or sources: everything anew.
    other = scores_of(*fresh, "--num_source_views", 3)
    assert all(other[view]["psnr"] != expected[view]["psnr"] for view in expected)


def test_a_broken_scene_leaves_the_others_and_shows_in_the_exit_code(fresh, tmp_path):
    """Of two rooms, one image of a test view is damaged."""
    root = tmp_path / "data"
    for seed in (1000, 1001):
        rooms.load(root, seed, 24, 32, 5)
    (layout,) = root.iterdir()
    (layout / "room_1000" / "images" / "0001.png").write_bytes(b"no image")
    arguments = ["--config", *fresh, "--dataset", "transforms", "--data_root", layout]
    arguments += ["--test_scenes", "room_1000,room_1001"]
    run_here("eval.py", *arguments, code=2)
    scenes = json.loads((tmp_path / EXPNAME / "eval" / "metrics.json").read_text())["scenes"]
    assert {name: scene["views"] for name, scene in scenes.items()} == {"room_1000": 1, "room_1001": 2}


def test_the_released_protocol_takes_sources_that_the_clean_one_hides(fresh, tmp_path):
    expected = scores_of(*fresh)
    found = scores_of(*fresh, "--protocol", "released")
    assert found.keys() == expected.keys()
    assert any(found[view]["psnr"] != expected[view]["psnr"] for view in expected)
    assert (tmp_path / EXPNAME / "eval_released").is_dir()


def test_released_sources_come_from_the_neighbourhood_that_the_seed_draws():
    """Seeds 0..9 draw 2, 2, 2, 3, 5, 1, 4, 1, 4, 1 times as many candidates as sources."""
    poses = torch.eye(4).repeat(60, 1, 1)
    angles = torch.linspace(0.0, 1.5, 60)
    poses[:, 0, 3], poses[:, 2, 3] = angles.cos(), angles.sin()
    target = poses[0].clone()
    ranks = rank_views(target, poses, "angle").tolist()
    for number, factor in enumerate((2, 2, 2, 3, 5, 1, 4, 1, 4, 1)):
        chosen = released_sources(number, target, poses, 10, "hall").tolist()
        assert len(set(chosen)) == 10
        assert {ranks.index(one) for one in chosen} <= set(range(10 * factor))
        assert chosen == released_sources(number, target, poses, 10, "hall").tolist()


def test_released_frames_of_scannet_are_counted_as_texts(tmp_path):
    scene = load_scene("scannet", write_scannet(tmp_path / "scene0000_00", frames=12).parent, "scene0000_00")
    names = [scene.index.names[frame] for frame in released_order("scannet", "generalized", scene)]
    assert names == ["0", "1", "10", "11", "2", "3", "4", "5", "6", "7", "8", "9"]
    assert released_order("scannet", "finetuned", scene) == list(range(12))
    assert released_order("replica", "generalized", scene) == list(range(12))
    options = parse_options("", ["--dataset", "scannet"])
    assert released_rule(options) == FrameRule("2:700:20", 10, ":", "0:700:3", False)
    own = parse_options("", ["--dataset", "rooms", "--test_frames", "1::3"])
    assert released_rule(own) == FrameRule("1::3", None, ":", None, False)


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    return rooms.load(tmp_path_factory.mktemp("rooms"), 3, 24, 32, 5)


def test_objects_take_the_place_of_classes(room):
    ids = instance_ids(room, range(5), 24, 32)
    assert len(ids) > 5
    kept = sorted(ids)[:-1]
    scene = with_objects(room, object_names(kept))
    assert scene.labels.num_classes == len(kept)
    frame, plain = scene.read(0, 24, 32), room.read(0, 24, 32)
    assert torch.equal(frame.instance, plain.instance)
    for slot, number in enumerate(kept):
        assert ((frame.semantic == slot) == (plain.instance == number)).all()
    assert (frame.semantic[plain.instance == max(ids)] == IGNORE).all()
    assert (with_objects(room, slot_names(4)).read(0, 24, 32).semantic == IGNORE).all()


def test_a_scene_without_instances_has_no_objects(scene_writer):
    scene = load_scene("transforms", scene_writer(semantic=True).write().parent, "tiny")
    with pytest.raises(DataError, match="expected instance maps for --target instance, found none"):
        with_objects(scene, ("object 1",))


def instance_config(folder, rooms_config, **options):
    return write_config(
        folder / "instance.txt",
        dataset="rooms",
        data_root=rooms_config.parent / "rooms",
        train_scenes="1000",
        test_scenes="1000",
        views_per_room=5,
        target="instance",
        **options,
    )


@pytest.mark.parametrize("matching", ["fixed", "hungarian"])
def test_instances_are_trained_and_scored_by_ap(rooms_config, rooms_run, tmp_path, matching):
    config = instance_config(tmp_path, rooms_config, instance_matching=matching, load_weights=rooms_run)
    stderr = run_here("train.py", "--config", config)
    assert "new tensors: head.classify.bias, head.classify.weight." in stderr
    run_here("eval.py", "--config", config, "--table", "2")
    overall = json.loads((tmp_path / "out" / EXPNAME / "eval" / "metrics.json").read_text())["overall"]
    assert overall["miou"] is None
    assert 0.0 <= overall["strict_ap_75"] <= overall["ap_75"] <= overall["ap_50"] <= 1.0
    # Outputs stand for objects, whose classes are known, or for no object in particular.
    known, unknown = ("pq", "pq_one_class") if matching == "fixed" else ("pq_one_class", "pq")
    assert 0.0 <= overall[known] <= overall[known.replace("pq", "rq")] <= 1.0
    assert 0.0 <= overall[f"{known}_pooled"] <= 1.0
    assert overall[unknown] is overall[f"{unknown}_pooled"] is None
    assert "| room_1000 |" in (tmp_path / "out" / EXPNAME / "eval" / "table_2.md").read_text()
    sentence = run_here("eval.py", "--config", config, "--target", "semantic", code=2)
    assert "Expected --target instance, as the checkpoint was trained, found --target semantic" in sentence


def test_objects_that_occur_in_test_frames_alone_are_reported(rooms_config, tmp_path):
    """The test frame is the only one to show id 200."""
    room = rooms.load(tmp_path / "rooms", 1000, 24, 32, 5)
    path = room.view(1).instance
    ids = np.full((24, 32), 200, np.uint16)
    write_image(path, ids)
    config = write_config(
        tmp_path / "alone.txt",
        dataset="transforms",
        data_root=room.folder.parent,
        train_scenes="room_1000",
        test_scenes="room_1000",
        test_frames="1:2",
        target="instance",
        steps=1,
    )
    assert "1 of 1 objects of the test frames occur in no training frame" in run_here(
        "train.py", "--config", config
    )
    run_here("eval.py", "--config", config)
    overall = json.loads((tmp_path / "out" / EXPNAME / "eval" / "metrics.json").read_text())["overall"]
    assert overall["strict_ap_95"] <= 1.0


def test_instances_of_several_scenes_need_matching(rooms_config, tmp_path):
    config = instance_config(tmp_path, rooms_config)
    sentence = run_here("train.py", "--config", config, "--train_scenes", "1000-1001", code=2)
    assert "Expected one scene with --target instance, found 2" in sentence
    assert "--instance_matching hungarian" in sentence


def test_finetuning_of_scenes_is_one_report_and_goes_on(rooms_config, rooms_run, tmp_path):
    config = write_config(
        tmp_path / "finetune.txt",
        expname="tiny_finetuned/any",
        dataset="rooms",
        data_root=rooms_config.parent / "rooms",
        views_per_room=5,
        load_weights=rooms_run,
        steps=2,
    )
    folder = tmp_path / "out" / "tiny_finetuned"
    # One scene is finished already; the processes of the other are the script's own.
    for script in ("train.py", "eval.py"):
        scene = ["--expname", "tiny_finetuned/1000", "--train_scenes", "1000", "--test_scenes", "1000"]
        run_here(script, "--config", config, *scene)
    command = ["scripts/finetune_scenes.py", "--config", config, "--scenes", "1000-1001"]
    steps = [folder / scene / "step_0000002.pt" for scene in ("1000", "1001")]
    first = steps[0].stat().st_mtime_ns
    assert "1001 is finished" in run_here(*command)
    merged = json.loads((folder / "eval" / "metrics.json").read_text())
    assert set(merged["scenes"]) == {"room_1000", "room_1001"}
    assert merged["made_by"]["setting"] == "finetuned" and merged["overall"]["miou_pooled"] is not None
    assert (folder / "eval" / "report.html").stat().st_size > 10_000
    second = steps[1].stat().st_mtime_ns
    run_here(*command)
    assert [step.stat().st_mtime_ns for step in steps] == [first, second]
    # Beside the generalized run of the same name, the paper's Table 1 shows both.
    shutil.copytree(rooms_run, tmp_path / "out" / EXPNAME, ignore=shutil.ignore_patterns("eval*", "render"))
    run_here("eval.py", "--config", rooms_config, "--out", tmp_path / "out", "--table", "1,3")
    table = (tmp_path / "out" / EXPNAME / "eval" / "table_1.md").read_text()
    assert "| **this repository: tiny** | generalized |" in table
    assert "| **this repository: tiny_finetuned** | finetuned |" in table


def test_test_views_that_were_trained_on_are_told(rooms_config, rooms_run, tmp_path):
    """All frames of a scene are trained on, unless it is tested too: then its test frames are not."""
    place = ["--config", rooms_config, "--out", tmp_path, "--expname", "known", "--test_scenes", 0]
    said = run_here("eval.py", *place, "--checkpoint", rooms_run)
    assert "room_0000: the model was trained on 2 of the 2 test views, so their scores are not those" in said
    made = json.loads((tmp_path / "known" / "eval" / "metrics.json").read_text())["made_by"]
    assert made["views trained on"] == 2
    held_out = [*place[:-4], "--expname", "held_out", "--test_scenes", 0]
    run_here("train.py", *held_out)
    assert "trained on" not in run_here("eval.py", *held_out)
    assert "trained on 1 of the 2 test views" in run_here("eval.py", *held_out, "--test_frames", "0:2")
    folder = tmp_path / "folder"
    run_here("scripts/export_weights.py", tmp_path / "held_out", "--out", folder)
    of_folder = [*place, "--checkpoint", folder]
    assert "trained on" not in run_here("eval.py", *of_folder)
    assert "trained on 1 of the 2 test views" in run_here("eval.py", *of_folder, "--test_frames", "0:2")


def test_nothing_is_said_of_views_of_which_nothing_is_known(room):
    """Other data, other rooms, an older weights folder of a finetuned model, a shorter scene."""
    views, names = [examples.TestView(room, frame, ()) for frame in range(3)], {room.name: "7"}
    options = parse_options("", ["--dataset", "rooms", "--data_root", "nowhere", "--test_scenes", "7"])
    training = {**vars(options), "train_scenes": ("7", "8"), "test_scenes": ()}
    assert trained_views(views, names, options, training) == {room.name: 3}
    tested = {**training, "test_scenes": ("7",), "test_frames": "1::2"}
    assert trained_views(views, names, options, tested) == {room.name: 2}
    folder = {name: value for name, value in training.items() if name != "test_scenes"}
    assert trained_views(views, names, options, folder) == {room.name: 3}
    for unknown in (
        {**training, "dataset": "transforms"},
        {**training, "views_per_room": 9},
        {**folder, "train_scenes": ("7",)},
        {**tested, "test_frames": "50:"},
        {},
    ):
        assert trained_views(views, names, options, unknown) == {}


def test_the_frames_of_a_protocol_take_the_place_of_those_of_the_options():
    words = ["--dataset", "scannet", "--config", str(REPOSITORY / "configs" / "scannet.txt")]
    assert protocols.overridden(parse_options("", words)) is None
    given = parse_options("", [*words, "--protocol", "gsnerf", "--test_limit", "2"])
    assert (
        protocols.overridden(given)
        == "--protocol gsnerf chooses the frames: --test_limit as given here do not count."
    )


def test_examples_count_the_test_views_of_each_scene(room):
    """The released code seeds by the number of a view in its scene."""
    views = [(room, 1, (0, 2, 3, 4)), (room, 3, (0, 1, 2, 4))]
    drawn = examples.TestExamples(views, 24, 32, 2, "distance", released=True)
    alone = examples.TestExamples(views[1:], 24, 32, 2, "distance", released=True)
    assert drawn.sources(0) != [] and len(set(drawn.sources(1))) == 2
    expected = released_sources(1, room.poses[3], room.poses[[0, 1, 2, 4]], 2, "room").tolist()
    assert drawn.sources(1) == [(0, 1, 2, 4)[rank] for rank in expected]
    assert alone.sources(0) == [
        (0, 1, 2, 4)[rank]
        for rank in released_sources(0, room.poses[3], room.poses[[0, 1, 2, 4]], 2, "room").tolist()
    ]
