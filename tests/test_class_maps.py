"""Weights of one list of classes on data of another: what is compared, what is left out, and what is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import load_folder
from script_runs import EXPNAME, run_here, write_config
from test_scripts_bad_input import save_untrained

from gpnerf.datasets.class_maps import OTHER, ClassMap
from gpnerf.datasets.labels import IGNORE, LabelSpace
from gpnerf.datasets.published.class_lists import NYU40_CLASSES, SCANNET_CLASSES
from gpnerf.media.images import read_image
from gpnerf.metrics.semantic import confusion_matrix, image_scores
from gpnerf.rooms.exports import replica, scannet
from gpnerf.rooms.layout import CLASS_NAMES


def test_shared_classes_keep_the_order_of_the_data_and_the_rest_is_dropped_or_wrong():
    found = ClassMap.between(("sky", "Floor", "wall"), ("wall", "desk", "floor"))
    assert found.names == ("wall", "floor", OTHER) and found.shared == ("wall", "floor")
    assert found.predicted.tolist() == [2, 1, 0, IGNORE]
    assert found.true.tolist() == [0, IGNORE, 1, IGNORE]


def test_a_model_that_knows_no_more_has_no_other_class():
    found = ClassMap.between(("floor", "wall"), ("wall", "floor"))
    assert found.names == ("wall", "floor") and found.predicted.tolist() == [1, 0, IGNORE]
    assert ClassMap.between(("road", "car"), ("wall",)).shared == ()


def test_rooms_share_twelve_classes_with_scannet():
    found = ClassMap.between(CLASS_NAMES, SCANNET_CLASSES)
    assert set(CLASS_NAMES) - set(found.shared) == {"ceiling", "rug", "lamp", "plant"}
    assert len(found.shared) == 12 and found.names[-1] == OTHER


def test_the_rooms_counterparts_are_those_that_the_exported_rooms_state():
    """They hold the ids of the other data sets: by these, a rug is a floor mat and a bookshelf a shelf."""
    for name, (_, number, _) in scannet.CLASSES.items():
        found = ClassMap.between([name], NYU40_CLASSES).shared
        assert found == (() if name == "plant" else (NYU40_CLASSES[number - 1],))
    for name, (_, other) in replica.CLASSES.items():
        assert ClassMap.between([name], ("wall-cabinet", other, "rack")).shared == (other,)


def test_relabelled_scenes_and_predictions_are_scored_by_hand(scene_writer):
    """Truth: wall, desk, floor, floor; the model says wall, wall, floor, sky."""
    scene = load_folder(scene_writer(semantic=True).write())
    found = ClassMap.between(("sky", "floor", "wall"), ("wall", "desk", "floor"))
    space = LabelSpace.identity(("wall", "desk", "floor"), ignore_id=255)
    labels = found.relabelled(scene.__class__(**{**vars(scene), "labels": space})).labels
    truth = torch.from_numpy(labels.to_classes(np.array([0, 1, 2, 2, 255], np.uint8), "map"))
    assert truth.tolist() == [0, IGNORE, 1, 1, IGNORE]
    predicted = found.predicted[torch.tensor([2, 2, 1, 0, 0])]
    scores = image_scores(confusion_matrix(predicted, truth, len(found.names)))
    # Of three pixels two are right; wall has an IoU of 1, floor of 1/2; sky adds no class of its own.
    assert scores.total_accuracy == pytest.approx(2 / 3) and scores.miou == pytest.approx(0.75)


@pytest.fixture
def office(scene_writer) -> Path:
    """A config of a scene with the classes wall, floor, chair, and its folder beside it."""
    folder = scene_writer(frames=5, depth=True, semantic=True, name="office").write()
    names = {"train_scenes": "office", "test_scenes": "office", "workers": 0}
    return write_config(folder.parent / "office.txt", data_root=folder.parent, **names)


def evaluated(config: Path) -> tuple[dict, Path]:
    """What metrics.json holds, and the folder of the evaluation."""
    folder = config.parent / "out" / EXPNAME / "eval"
    return json.loads((folder / "metrics.json").read_text()), folder


def test_data_of_other_classes_are_scored_in_those_that_both_know(office):
    save_untrained(office, ("ceiling", "floor", "wall", "rug"))
    said = run_here("eval.py", "--config", office)
    assert "scored in the 2 of 3 that both know (wall, floor). Pixels of chair do not count." in said
    assert "A class that the data do not have is a wrong answer. --map_classes no leaves labels out." in said
    found, folder = evaluated(office)
    assert found["class_names"] == ["wall", "floor", OTHER] and found["made_by"]["classes scored"] == "2 of 3"
    assert 0.0 <= found["overall"]["miou"] <= 1.0 and found["overall"]["psnr"] > 0
    assert (folder / "report.html").is_file()
    said = run_here("eval.py", "--config", office, "--map_classes", "no")
    assert "so mIoU and accuracies are left out; --map_classes yes scores the 2 in common." in said
    found, _ = evaluated(office)
    assert found["overall"]["miou"] is None and found["overall"]["depth_rmse"] is not None


def test_nothing_in_common_leaves_labels_out(office):
    save_untrained(office, ("road", "car"))
    said = run_here("eval.py", "--config", office)
    assert "The model knows other classes (road, car) than the test scenes have (wall, floor, chair)" in said
    assert "so mIoU and accuracies are left out; none are in common." in said
    found, folder = evaluated(office)
    assert found["overall"]["miou"] is None and found["class_names"] == ["road", "car"]
    assert not list(folder.glob("office/*/labels.png"))


def test_without_labels_the_model_s_own_are_drawn(scene_writer, tmp_path):
    folder = scene_writer(frames=5, name="plain").write()
    names = {"train_scenes": "plain", "test_scenes": "plain", "workers": 0}
    config = write_config(tmp_path / "plain.txt", data_root=folder.parent, **names)
    save_untrained(config, CLASS_NAMES)
    assert "The test scenes have no labels: mIoU and accuracies are left out." in run_here(
        "eval.py", "--config", config
    )
    found, place = evaluated(config)
    assert found["overall"]["miou"] is None and found["overall"]["psnr"] > 0
    drawn = sorted(place.glob("plain/*/rendered_labels.png"))
    assert drawn and all(read_image(path).shape == (24, 32, 3) for path in drawn)


@pytest.mark.parametrize("names", [("road", "car", "sky"), ("road", "car")])
def test_finetuning_on_other_classes_keeps_all_but_the_layers_of_the_classes(office, names):
    """Even if there are as many."""
    start = save_untrained(office, names)
    arguments = ["--expname", "other", "--load_weights", start, "--steps", "1"]
    said = run_here("train.py", "--config", office, *arguments)
    assert (
        f"know other classes ({', '.join(names)}) than these scenes (wall, floor, chair): the layers" in said
    )
    assert "new tensors: head.classify.bias, head.classify.weight." in said and "Unused" not in said


def test_test_scenes_of_other_classes_have_no_true_labels_in_the_pictures_of_a_training(office, scene_writer):
    writer = scene_writer(frames=5, semantic=True, name="street")
    writer.top["semantic_classes"] = ["road", "car", "sky", "tree", "bird"]
    for frame in writer.top["frames"]:
        writer.save(frame["semantic_path"], np.full((6, 8), 4, np.uint8))
    writer.write()
    options = ["--test_scenes", "street", "--steps", "1", "--picture_every", "1"]
    said = run_here("train.py", "--config", office, *options)
    assert "street has other classes than the training scenes: pictures of it show no true labels." in said
    assert list((office.parent / "out" / EXPNAME / "pictures").iterdir())
