"""Classes and instances of unseen rooms through all scripts, and what cannot be learnt or found."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace

import pytest
import torch
from helpers import tiny_model, tiny_settings
from radiance_fields import RUN, assert_resumes
from script_runs import refusal, run_here, write_config

import gpnerf
from gpnerf.commands.options import parse_options
from gpnerf.datasets.instances import check_segments
from gpnerf.evaluation.result_files import read_results
from gpnerf.methods.gpnerf.settings import QUERY_SIZES
from gpnerf.metrics.panoptic import panoptic_quality
from gpnerf.rooms.layout import CLASS_NAMES
from gpnerf.system.errors import DataError
from gpnerf.training.checkpoint import Checkpoint
from gpnerf.training.resume import adopt_sizes, load_weights

QUERIES = {
    "target": "panoptic",
    "queries": 12,
    "query_layers": 1,
    "lr_queries": 2e-3,
    "weight_query_class": 4,
    "weight_query_mask": 8,
    "weight_query_dice": 8,
}


def panoptic_config(folder, rooms_config, **options):
    return write_config(
        folder / "panoptic.txt",
        expname="panoptic",
        dataset="rooms",
        data_root=rooms_config.parent / "rooms",
        train_scenes="0",
        test_scenes="1000-1001",
        views_per_room=5,
        **{**QUERIES, **options},
    )


def test_an_unseen_room_gets_classes_and_instances(rooms_config, rooms_run, tmp_path):
    config = panoptic_config(tmp_path, rooms_config, load_weights=rooms_run, steps=RUN["steps"])
    checkpoint = assert_resumes(config)
    assert checkpoint.class_names == tuple(CLASS_NAMES) and checkpoint.settings.sizes.queries == 12
    run_here("eval.py", "--config", config, "--table", "2")
    folder = tmp_path / "out" / "panoptic"
    found = json.loads((folder / "eval" / "metrics.json").read_text())
    scores = found["overall"]
    assert found["made_by"]["setting"] == "generalized" and found["made_by"]["target"] == "panoptic"
    assert 0.0 <= scores["pq"] <= scores["rq"] <= 1.0 and 0.0 <= scores["strict_ap_50"] <= scores["ap_50"]
    assert 0.0 <= scores["miou"] <= 1.0
    # Ids are of a view, and hold in the scene by the rendered depth of all views.
    assert 0.0 <= scores["pq_pooled"] <= scores["rq_pooled"] <= 1.0 and scores["pq_one_class"] is None
    again = read_results(folder / "eval")
    assert [one.scores["pq_pooled"] for one in again.scenes] == [
        scene["pq_pooled"] for scene in found["scenes"].values()
    ]
    assert again.views[0].scores["pq"] == panoptic_quality(again.views[0].view_overlaps).quality
    view = folder / "eval" / "room_1000" / "0001"
    assert {"instances.png", "rendered_instances.png", "labels.png"} <= {one.name for one in view.iterdir()}
    assert_goes_on(config, found["scenes"])
    assert "rendered objects" in (folder / "eval" / "report.html").read_text()
    run_here("eval.py", "--config", config, "--segment", "target", "--test_scenes", "1000")
    assert json.loads((folder / "eval" / "metrics.json").read_text())["overall"]["pq"] is not None
    run_here("render.py", "--config", config)
    assert (folder / "render" / "room_1000_interpolate.mp4").is_file()


def assert_goes_on(config, scenes):
    """A view that is rendered again gives the same scene; one without depth leaves its scene without PQ."""
    folder = config.parent / "out" / "panoptic" / "eval"
    shutil.rmtree(folder / "room_1000" / "0001")
    (folder / "room_1001" / "0003" / "depth.npy").unlink()
    stderr = run_here("eval.py", "--config", config)
    (warning,) = [line for line in stderr.splitlines() if "Scene PQ is left out" in line]
    assert "room_1001: expected rendered ids and depth" in warning
    assert f"found none in {folder / 'room_1001' / '0003'}; delete these folders" in warning
    found = json.loads((folder / "metrics.json").read_text())["scenes"]
    assert found["room_1000"] == scenes["room_1000"]
    lacking = dict.fromkeys(("pq_pooled", "sq_pooled", "rq_pooled"))
    assert found["room_1001"] == scenes["room_1001"] | lacking
    shutil.rmtree(folder / "room_1001" / "0003")
    run_here("eval.py", "--config", config)
    assert json.loads((folder / "metrics.json").read_text())["scenes"] == scenes


def test_from_python_a_view_has_instances(rooms_config, rooms_run, tmp_path):
    config = panoptic_config(tmp_path, rooms_config, load_weights=rooms_run, steps=1)
    stderr = run_here("train.py", "--config", config)
    assert "Starting from the weights" in stderr and "head.queries.content" in stderr
    model = gpnerf.load(tmp_path / "out" / "panoptic", device="cpu")
    scene = gpnerf.open_scene(next((rooms_config.parent / "rooms").rglob("room_1000")))
    images, cameras, masks = scene.photographs([0, 2], height=24, width=32)
    view = model.render(images, cameras, scene.views[1].camera.resized(24, 32), scene.near, scene.far, masks)
    assert view.instances.shape == view.labels.shape == (24, 32) and view.instances.dtype == torch.int64
    assert view.instances.min() >= -1 and view.instances.max() < 12
    # A segment has one class.
    pairs = torch.stack([view.instances.flatten(), view.labels.flatten()]).unique(dim=1)
    assert len(pairs[0].unique()) == pairs.shape[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"queries": 0},
            "found --target panoptic and no queries; add --queries, as configs/variants/panoptic",
        ),
        ({"target": "semantic"}, "found --target semantic and 12 queries; add --target panoptic"),
        ({"lr_queries": 0}, "Expected --lr_queries above 0 with --target panoptic, found 0: the"),
        ({"weight_query_mask": 0}, "Expected --weight_query_mask above 0 with --target panoptic, found 0"),
        ({"head": "rays"}, "Expected --head unet with --queries, found rays"),
    ],
)
def test_options_that_do_not_go_together_are_refused(rooms_config, tmp_path, options, words):
    assert words in refusal("train.py", "--config", panoptic_config(tmp_path, rooms_config, **options))


def test_a_method_without_queries_is_refused(rooms_config, tmp_path):
    neuray = ["--method", "semantic_nerf", "--target", "panoptic", "--dataset", "rooms", "--train_scenes", 0]
    place = ["--data_root", rooms_config.parent / "rooms", "--height", 24, "--width", 32, "--out", tmp_path]
    sentence = refusal("train.py", *neuray, *place, "--views_per_room", 5)
    assert "Expected --target semantic or instance or none" in sentence and "found panoptic" in sentence


def test_a_scene_without_instances_is_refused(scene_writer, tmp_path):
    scene_writer(frames=5, semantic=True, name="office").write()
    config = write_config(
        tmp_path / "office.txt", data_root=tmp_path, train_scenes="office", **QUERIES, dataset="transforms"
    )
    sentence = refusal("train.py", "--config", config)
    assert (
        "office: expected labels and instance maps for --target panoptic, found no instance maps" in sentence
    )
    unlabelled = Namespace(folder="attic", count=lambda kind: 5 if kind == "instance" else 0)
    with pytest.raises(DataError, match="attic: .* found no labels; add them, leave the scene out"):
        check_segments([unlabelled])


def test_more_objects_than_queries_are_a_warning(rooms_config, tmp_path):
    stderr = run_here("train.py", "--config", panoptic_config(tmp_path, rooms_config, queries=2, steps=1))
    (warning,) = [line for line in stderr.splitlines() if "--queries 2" in line]
    most = int(warning.split(" objects")[0].rsplit(" ", 1)[1])
    assert most > 2 and warning.endswith(f"raise --queries to {most} or more.")
    assert "Finished 1 steps" in stderr


@pytest.mark.parametrize(("found", "wanted", "result"), [(0, 12, 12), (7, 12, 7), (7, 0, 0)])
def test_weights_without_queries_leave_them_open_and_the_reverse(found, wanted, result):
    start = tiny_settings(queries=found, query_layers=bool(found) * 2)
    options = parse_options("", ["--queries", str(wanted), "--query_layers", str(bool(wanted) * 3)])
    adopt_sizes(options, Checkpoint(1, start, (), {}, {}, {}))
    assert (options.queries, options.level_width) == (result, 8)
    assert options.query_layers == (2 if result == 7 else 3 if result else 0)
    assert set(QUERY_SIZES) == {"queries", "query_layers"}


def test_queries_of_weights_are_dropped_or_new():
    names, weights = ("a", "b", "c"), {}
    for queries in (0, 4):
        settings = tiny_settings(queries=queries)
        weights[queries] = Checkpoint(1, settings, names, tiny_model(queries=queries).state_dict(), {}, {})
    new = load_weights(tiny_model(1, queries=4), weights[4].settings, names, weights[0])
    assert new.unused == [] and all(name.startswith("head.queries.") for name in new.fresh)
    dropped = load_weights(tiny_model(1), weights[0].settings, names, weights[4])
    assert dropped.fresh == [] and dropped.unused == new.fresh
