"""Label consistency: a shifted plane by hand, hidden and unknown points, and a whole evaluation."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from helpers import camera_at
from script_runs import EXPNAME, run_here
from test_results import scores

from gpnerf.commands.options import parse_options
from gpnerf.datasets import examples
from gpnerf.datasets.probes.warp import correspondence
from gpnerf.evaluation.evaluator import Evaluator
from gpnerf.evaluation.next_view import _pairs
from gpnerf.evaluation.result_files import (
    load_agreement,
    load_labels,
    read_results,
    save_agreement,
    save_labels,
)
from gpnerf.evaluation.results import ViewResult, by_scene
from gpnerf.metrics.consistency import Agreement, label_agreement, share

HEIGHT, WIDTH = 3, 8
# The wall z = 2, seen from two metres with a focal length of 8 pixels: half a metre aside is two columns.
WALL = torch.full((HEIGHT, WIDTH), 2.0)
FIRST, SECOND = camera_at(0.0, HEIGHT, WIDTH), camera_at(0.5, HEIGHT, WIDTH)
COLUMNS = torch.arange(WIDTH).expand(HEIGHT, WIDTH)


def test_a_plane_moves_by_whole_columns():
    places = correspondence(FIRST, WALL, SECOND, WALL)
    rows = torch.arange(HEIGHT)[:, None]
    expected = torch.where(COLUMNS >= 2, rows * WIDTH + COLUMNS - 2, -1)
    assert torch.equal(places, expected)


def test_labels_that_move_with_the_plane_agree_and_others_do_not():
    """18 pixels are seen in both views."""
    places = correspondence(FIRST, WALL, SECOND, WALL)
    labels, moved = COLUMNS // 4, (COLUMNS + 2) // 4
    assert label_agreement(labels, moved, places) == (18, 18)
    # Columns 2..7 land on 0..5: labels 0 0 1 1 1 1 against 0 0 0 0 1 1.
    assert label_agreement(labels, labels, places) == (18, 12)
    assert share([Agreement(18, 18), Agreement(18, 12), Agreement(4, 0)]) == pytest.approx(30 / 40)
    assert share([Agreement(0, 0)]) is None is share([])


def test_hidden_points_and_unknown_depth_do_not_count():
    hidden = WALL.clone()
    # Something stands in the second view, at columns 0 and 1, one metre before the wall.
    hidden[:, :2] = 1.0
    assert (correspondence(FIRST, WALL, SECOND, hidden)[:, :4] == -1).all()
    for unknown in ((WALL * (COLUMNS != 5), WALL), (WALL, WALL * (COLUMNS != 3))):
        places = correspondence(FIRST, unknown[0], SECOND, unknown[1])
        assert (places >= 0).sum() == 15 and (places[:, 5] == -1).all()
    slightly_off = correspondence(FIRST, WALL, SECOND, 1.05 * WALL)
    assert (slightly_off >= 0).sum() == 18


def test_pixels_without_a_label_do_not_count():
    places = correspondence(FIRST, WALL, SECOND, WALL)
    labels = torch.where(COLUMNS == 7, -1, 0)
    assert label_agreement(labels, torch.zeros_like(labels), places) == (15, 15)
    assert label_agreement(torch.zeros_like(labels), torch.where(COLUMNS == 0, -1, 0), places) == (15, 15)


def test_views_are_compared_in_the_order_of_their_frames_and_within_a_scene():
    hall, attic = (SimpleNamespace(name=name) for name in ("hall", "attic"))
    frames = [(hall, 9), (hall, 3), (attic, 1), (hall, 6)]
    views = [examples.TestView(scene, target, ()) for scene, target in frames]
    assert sorted(_pairs(views, [0, 1, 2, 3])) == [(1, 3), (3, 0)]
    assert _pairs(views, [0, 1, 2]) == [(1, 0)]


def test_labels_and_agreements_are_kept(tmp_path):
    labels = torch.tensor([[0, -1, 65534], [7, -2, 300]])
    save_labels(tmp_path, labels)
    assert torch.equal(load_labels(tmp_path), labels.clamp(min=-1))
    for agreement in (Agreement(7, 3), None):
        save_agreement(tmp_path, agreement)
        assert load_agreement(tmp_path) == agreement
    (tmp_path / "label_ids.png").write_bytes(b"half a file")
    (tmp_path / "next_view.json").write_text("{")
    assert load_labels(tmp_path) is load_agreement(tmp_path) is None


def test_the_score_of_a_scene_counts_pixels_of_all_pairs():
    views = [ViewResult("hall", str(number), scores()) for number in range(3)]
    views[0] = replace(views[0], agreement=Agreement(10, 9))
    views[1] = replace(views[1], agreement=Agreement(30, 15))
    assert by_scene(views)[0].scores["label_consistency"] == pytest.approx(24 / 40)
    assert by_scene(views[2:])[0].scores["label_consistency"] is None


def test_an_evaluation_compares_all_test_views_and_a_resumed_one_gives_the_same(
    rooms_config, rooms_run, tmp_path
):
    shutil.copytree(rooms_run, tmp_path / EXPNAME, ignore=shutil.ignore_patterns("eval*", "render"))
    arguments = ["--config", str(rooms_config), "--out", str(tmp_path)]
    folder = tmp_path / EXPNAME / "eval"
    run_here("eval.py", *arguments)
    metrics = json.loads((folder / "metrics.json").read_text())
    found = {name: scene["label_consistency"] for name, scene in metrics["scenes"].items()}
    assert "label consistency" in (folder / "table.md").read_text()

    evaluator = Evaluator(parse_options("", arguments))
    views = [evaluator.examples[index].target for index in range(len(evaluator.examples))]
    for first, second in (views[:2], views[2:]):
        labels = [load_labels(folder / view.scene / view.name) for view in (first, second)]
        places = correspondence(first.camera, first.depth, second.camera, second.depth)
        agreement = label_agreement(*labels, places)
        assert agreement.seen > 0 and 0.0 < found[first.scene] <= 1.0
        assert found[first.scene] == share([agreement])
        assert load_agreement(folder / second.scene / second.name) is None
    assert [scene.scores["label_consistency"] for scene in read_results(folder).scenes] == list(
        found.values()
    )

    # The first view is rendered anew, and its labels are compared with the kept ones.
    shutil.rmtree(folder / views[0].scene / views[0].name)
    run_here("eval.py", *arguments)
    assert json.loads((folder / "metrics.json").read_text())["scenes"] == metrics["scenes"]
