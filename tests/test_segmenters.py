"""2D methods: SemanticFPN, and how all of them go through the scripts without rendering anything."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import gradient_size, load_folder, tiny_example
from radiance_fields import assert_resumes
from script_runs import refusal, run_here
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_segmenters import DETECTORS, tiny_segmenter, write_segmenter_config
from torch.testing import assert_close

import gpnerf
from gpnerf.commands.options import parse_options
from gpnerf.datasets.examples import TrainingScene
from gpnerf.datasets.instances import known_objects
from gpnerf.datasets.labels import IGNORE
from gpnerf.datasets.probes.object_ids import id_agreement
from gpnerf.media.images import read_image, write_image
from gpnerf.methods.registry import METHODS
from gpnerf.methods.settings import Settings
from gpnerf.system.errors import ConfigError, DataError
from gpnerf.training.updater import Updater

SEGMENTERS = ("semantic_fpn", *DETECTORS)


def loss_of(model, example):
    return model.losses(example, 1, torch.Generator()).losses["semantic"]


@pytest.fixture
def config(rooms_config, tmp_path):
    """config(method, **changes) -> a config that trains a tiny one on a room, in tmp_path/out/METHOD."""

    def write(method, **changes):
        return write_segmenter_config(tmp_path, rooms_config, method, **changes)

    return write


def test_2d_methods_render_nothing_and_all_others_do():
    assert {name for name, method in METHODS.items() if not method.renders} == set(SEGMENTERS)


def test_semantic_fpn_has_the_parameters_of_the_extractor_and_of_the_released_head():
    with torch.device("meta"):
        model = Settings.of("semantic_fpn", classes=20).build()
    # Encoder, pyramid, and head with 21 outputs.
    expected = 9_408 + 128 + 226_176 + 1_116_416 + 6_822_400, 656_384, 1_036_693
    parts = (model.encoder, model.pyramid, model.head)
    assert tuple(sum(one.numel() for one in part.parameters()) for part in parts) == expected


def test_the_labels_train_all_of_semantic_fpn():
    model = tiny_segmenter("semantic_fpn")
    loss = loss_of(model, tiny_example())
    assert min(gradient_size(loss, part) for part in (model.encoder, model.pyramid, model.head)) > 0


def test_unlabelled_pixels_do_not_count():
    model, example = tiny_segmenter("semantic_fpn"), tiny_example()
    labels = example.target.semantic.clone()
    labels[:, :16] = IGNORE
    half = replace(example, target=replace(example.target, semantic=labels))
    logits = model.segment(model.target_map(example.target.image), 24, 32)
    expected = torch.nn.functional.cross_entropy(logits[None, :, :, 16:], labels[None, :, 16:])
    assert_close(loss_of(model, half), expected)


def test_the_last_output_means_unlabelled():
    model = tiny_segmenter("semantic_fpn")
    with torch.no_grad():
        model.head.predictor.bias[3] = 100.0
        labels, confidence, _ = model.labels(model.target_map(tiny_example().target.image), 24, 32)
    assert labels.unique().tolist() == [IGNORE] and confidence.min() > 0.99


def test_a_few_steps_learn_a_picture_by_heart():
    model, example = tiny_segmenter("semantic_fpn"), tiny_example()
    optimizer = torch.optim.Adam(model.parameters(), 5e-3, fused=True)
    for _ in range(30):
        optimizer.zero_grad()
        loss_of(model, example).backward()
        optimizer.step()
    with torch.no_grad():
        labels, *_ = model.labels(model.target_map(example.target.image), 24, 32)
    assert (labels == example.target.semantic).float().mean() > 0.9


@pytest.mark.parametrize("method", SEGMENTERS)
def test_a_room_goes_through_training_and_evaluation(method, config, tmp_path):
    """A resumed run ends like one in a single part; colour and depth are nowhere scored."""
    path = config(method)
    assert_resumes(path)
    run_here("eval.py", "--config", path, "--table", "1,2,3")
    folder = tmp_path / "out" / method
    found = json.loads((folder / "eval" / "metrics.json").read_text())
    scores = found["overall"]
    rendered = ("psnr", "ssim", "lpips", "depth_abs_rel", "psnr_nearest_view")
    assert [scores[name] for name in rendered] == [None] * len(rendered)
    assert (found["made_by"]["segment"], found["made_by"]["source views"]) == ("target", 0)
    assert found["made_by"]["setting"] == "per scene"
    assert 0.0 <= scores["miou" if method == "semantic_fpn" else "ap_75"] <= 1.0
    header = (folder / "eval" / "table.md").read_text().splitlines()[0]
    assert "PSNR" not in header and "depth" not in header
    pictures = {path.stem for path in (folder / "eval" / "room_0000" / "0001").glob("*.png")}
    assert pictures == {"photograph", "labels", "rendered_labels", "label_ids"}
    assert (folder / "pictures" / "step_0000002.png").is_file()
    log = EventAccumulator(str(folder / "tensorboard")).Reload()
    names = log.Tags()["scalars"]
    assert "training/loss" in names
    assert not [name for name in names if "psnr" in name or name.startswith(("speed", "held_out"))]


def test_tables_say_who_sees_the_photograph_and_why_cells_are_empty(config, tmp_path):
    path = config("semantic_fpn", steps=1)
    run_here("train.py", "--config", path)
    run_here("eval.py", "--config", path, "--table", "1,3")
    folder = tmp_path / "out" / "semantic_fpn" / "eval"
    assert "Labels of the photograph of the test view: semantic_fpn." in (folder / "table_1.md").read_text()
    table = (folder / "table_3.md").read_text()
    (row,) = [line for line in table.splitlines() if "this repository" in line]
    assert row.endswith("| per scene | - | - | - | - |")
    assert "Empty cells of ours: the method only labels photographs." in table
    assert "LPIPS are not" not in table


def test_views_of_a_2d_method_are_refused(config, tmp_path):
    path = config("semantic_fpn", steps=1)
    run_here("train.py", "--config", path)
    expected = (
        "Expected a method that renders views, found --method semantic_fpn, which only labels photographs"
    )
    assert expected in refusal("render.py", "--config", path)
    assert expected in refusal("scripts/export_weights.py", tmp_path / "out" / "semantic_fpn")
    model = gpnerf.load(tmp_path / "out" / "semantic_fpn", device="cpu")
    with pytest.raises(ConfigError, match="renders views, found SemanticFPN, which only labels"):
        model.render(None, None, tiny_example().target.camera, 0.5, 5.0)


def test_rendered_views_are_not_there_to_be_segmented(config):
    path = config("semantic_fpn", steps=1)
    run_here("train.py", "--config", path)
    sentence = refusal("eval.py", "--config", path, "--segment", "rendered")
    assert "Expected --segment target, as SemanticFPN only labels photographs, found" in sentence


@pytest.mark.parametrize(
    ("method", "target", "wanted"),
    [("semantic_fpn", "none", "semantic or instance"), ("mask_rcnn", "semantic", "instance")],
)
def test_a_target_that_a_method_does_not_learn_is_refused(method, target, wanted, config):
    sentence = refusal("train.py", "--config", config(method), "--target", target)
    assert (
        f"Expected --target {wanted}, which is all that --method {method} learns, found {target};" in sentence
    )


def on_scene(folder):
    """Options that train and test on the scene in a folder."""
    scene = ["--train_scenes", folder.name, "--test_scenes", folder.name]
    return ["--dataset", "transforms", "--data_root", folder.parent, *scene]


def test_a_scene_without_labels_is_refused(config, scene_writer):
    folder = scene_writer(frames=5).write()
    sentence = refusal("train.py", "--config", config("semantic_fpn"), *on_scene(folder))
    assert "tiny: expected labels, which are all that --method semantic_fpn learns, found none" in sentence


def test_frames_without_labels_are_not_learned(config, scene_writer, monkeypatch):
    writer = scene_writer(frames=6, semantic=True)
    for frame in writer.top["frames"][3:]:
        del frame["semantic_path"]
    seen = set()
    whole = Updater.__call__

    def watched(self, step, examples):
        seen.update(example.target.name for example in examples)
        return whole(self, step, examples)

    monkeypatch.setattr(Updater, "__call__", watched)
    run_here("train.py", "--config", config("semantic_fpn", steps=12), *on_scene(writer.write()))
    assert len(seen) == 2


@pytest.fixture
def room(rooms_config, tmp_path):
    """A copy of a room, to be spoilt."""
    return shutil.copytree(rooms_config.parent / "rooms" / "v6_24x32_5" / "room_0000", tmp_path / "room")


def change_ids(folder, change):
    """Writes change(ids, number) in the place of the instance map of each view."""
    for number, path in enumerate(sorted((folder / "instance").glob("*.png"))):
        write_image(path, change(read_image(path), number).astype(np.uint16))


@pytest.mark.parametrize(
    ("method", "remedy"),
    [
        ("mask_rcnn", "add --method gpnerf --instance_matching hungarian."),
        ("gpnerf", "add --instance_matching hungarian."),
    ],
)
def test_ids_that_change_between_views_are_refused(method, remedy, room, config):
    assert id_agreement(load_folder(room), range(5), 24, 32) > 0.8
    change_ids(room, lambda ids, number: (ids + 7 * number) % 50)
    assert id_agreement(load_folder(room), range(5), 24, 32) < 0.1
    path = config("mask_rcnn")
    if method == "gpnerf":
        path.write_text("target = instance\nheight = 24\nwidth = 32\ntest_frames = 1::5\n")
    sentence = refusal("train.py", "--config", path, *on_scene(room))
    assert "room: expected instance ids that mean the same objects in all views, found" in sentence
    assert sentence.endswith(remedy)


def test_without_depth_nobody_can_tell_whether_ids_change(scene_writer):
    assert id_agreement(load_folder(scene_writer(frames=3).write()), range(3), 6, 8) is None


def test_instance_maps_without_instances_are_refused(room):
    change_ids(room, lambda ids, number: 0 * ids)
    scene = load_folder(room)
    scene = replace(scene, index=replace(scene.index, instance_ignore=0))
    with pytest.raises(
        DataError, match="expected instances in the training frames .* found none in their maps"
    ):
        known_objects(TrainingScene(scene, range(5), range(5)), [], 24, 32)


def test_a_model_of_objects_knows_one_scene(config):
    sentence = refusal("train.py", "--config", config("mask_rcnn"), "--train_scenes", "0,1000")
    assert "Expected one scene, because --method mask_rcnn learns a single one, found 2" in sentence


def test_lack_of_memory_is_told_in_pixels(monkeypatch, config):
    def run_out(*arguments):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(METHODS["semantic_fpn"], "losses", run_out)
    sentence = refusal("train.py", "--config", config("semantic_fpn"))
    assert "Out of memory in a step of 32x24 pixels; lower --height and --width." in sentence


def test_defaults_of_semantic_fpn():
    options = parse_options("", ["--method", "semantic_fpn"])
    assert (options.target, options.segment, options.num_source_views) == ("semantic", "target", 0)
