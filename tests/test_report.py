"""The files of an evaluation, and that they can be read again."""

import csv
import json

import pytest
from test_results import VIEWS, scores

from gpnerf.evaluation.result_files import RECORD, read_results, save_view, write_results
from gpnerf.evaluation.results import EvaluationResult, ViewResult, by_scene
from gpnerf.evaluation.scene_table import scene_table


def test_the_table_has_a_line_per_scene_the_mean_last_and_only_columns_with_values():
    table = scene_table(by_scene([*VIEWS, ViewResult("cellar", "0", scores(10.0))]))
    assert [row[0] for row in table.rows] == ["hall", "attic", "cellar", "**mean of scenes**"]
    hall, last = (dict(zip(table.columns, table.rows[row], strict=True)) for row in (0, -1))
    assert (hall["views"], hall["PSNR"], hall["mIoU"]) == ("3", "23.00", "0.400")
    assert (last["views"], last["PSNR"], last["mIoU"]) == ("5", "21.00", "-")
    assert "LPIPS" not in table.columns and "AP .75" not in table.columns


def test_the_files_of_a_report(tmp_path):
    table = write_results(
        tmp_path, EvaluationResult(VIEWS, {"step": 1200, "protocol": "paper"}, ("wall", "floor"))
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.json", "table.md", "views.csv"]
    text = (tmp_path / "table.md").read_text()
    assert text.startswith(table) and "step 1200, protocol paper" in text
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["made_by"] == {"step": 1200, "protocol": "paper"}
    assert metrics["overall"]["views"] == 4 and metrics["overall"]["lpips"] is None
    assert metrics["scenes"]["hall"]["miou_pooled"] == pytest.approx((1 / 5 + 7 / 11) / 2)
    with open(tmp_path / "views.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["scene"], row["view"], float(row["psnr"])) for row in rows] == [
        (view.scene, view.view, view.scores["psnr"]) for view in VIEWS
    ]
    assert rows[0]["lpips"] == ""


def test_a_report_can_be_read_again(tmp_path):
    for view in VIEWS:
        save_view(tmp_path / view.scene / view.view, view, "x")
    write_results(tmp_path, EvaluationResult(VIEWS, {"step": 1}, ("wall", "floor")))
    again = read_results(tmp_path)
    assert (again.facts, again.class_names) == ({"step": 1}, ("wall", "floor"))
    assert [(view.scene, view.view, view.scores) for view in again.views] == [
        (view.scene, view.view, view.scores) for view in VIEWS
    ]
    assert again.scenes[0].scores == by_scene(VIEWS)[0].scores
    (tmp_path / "hall" / "2" / RECORD).unlink()
    assert read_results(tmp_path).scenes[0].confusion is None
    (tmp_path / "metrics.json").write_text("{")
    assert read_results(tmp_path) is None
