"""Tables from records of a store: means, spreads, gaps, and the facts that make rows comparable."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_method import Toy

from gpnerf.evaluation.page.scatter import Point
from gpnerf.evaluation.published_numbers import TABLE_1, TABLE_3
from gpnerf.methods.registry import METHODS
from gpnerf.reproduction.costs import cost_points
from gpnerf.reproduction.plan import read_plan
from gpnerf.reproduction.tables import make_table

PLAN = """
[every row]
scenes = 1000-1001

[As published]
tuned = 6 runs of 2 core-minutes
view_metric = distance
generalized = gpnerf.txt --weight_depth 0 --last_pass all
[Ours]
view_metric = overlap
generalized = gpnerf.txt
finetuned = gpnerf.txt --num_source_views 3
    gpnerf.txt --target instance
[Colour alone]
generalized = gpnerf.txt --target none --fine_samples 0
[Toy]
per scene = toy.txt
"""
USAGE = {"seconds": 900.0, "core_seconds": 600.0, "device": "cpu"}


@pytest.fixture
def plan(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(METHODS, "toy", Toy)
    for method in ("gpnerf", "toy"):
        (tmp_path / f"{method}.txt").write_text(f"dataset = rooms\ntrain_scenes = 0\nmethod = {method}\n")
    (tmp_path / "plan.ini").write_text(PLAN)
    monkeypatch.chdir(tmp_path)
    return read_plan(Path("plan.ini"))


def record(seed: int, start=None, usage=USAGE, seconds: float | None = 0.5, **scores) -> dict:
    """The record of a cell, as far as tables read it."""
    training = {"parameters": 12345, "steps": 2100, "usage": usage, "start": start}
    return {"seed": seed, "scores": scores, "seconds_per_view": seconds, "training": training}


def table(plan, number: str, cells: dict, seeds=(0,)) -> dict[str, dict[str, str]]:
    """The rows of a table by their first two cells. cells: scores by (title, setting, seed, scene)."""

    def lookup(row, seed, scene):
        return cells.get((row.title, row.setting, seed, scene))

    made = make_table(number, plan, seeds, lookup, lambda titles: f"fill {','.join(titles)}")
    rows = [dict(zip(made.columns, row, strict=True)) for row in made.rows]
    return {f"{row['method']}, {row['setting']}": row for row in rows} | {"note": made.note}


def test_scores_are_means_over_scenes_then_over_seeds_with_their_spread(plan):
    mious = {(0, "1000"): 0.5, (0, "1001"): 0.7, (1, "1000"): 0.6, (1, "1001"): 0.8}
    cells = {
        ("Ours", "generalized", seed, scene): record(seed, miou=miou, total_accuracy=0.9)
        for (seed, scene), miou in mious.items()
    }
    row = table(plan, "1", cells, seeds=(0, 1))["Ours, generalized"]
    # Means 60 and 70 of the seeds; their sample standard deviation is 7.07.
    assert (row["mIoU"], row["total acc."], row["avg. acc."]) == ("65.00 ± 7.07", "90.00 ± 0.00", "–")
    assert row["seeds"] == "2"


def test_a_row_states_what_it_was_given(plan):
    start = {"key": "k", "usage": {**USAGE, "core_seconds": 300.0}}
    cells = {("Ours", "finetuned", 0, scene): record(0, start, miou=0.5) for scene in plan.scenes}
    rows = table(plan, "1", cells)
    names = ("depth in training", "depth at test", "source policy", "views", "samples")
    facts = {title: [rows[title][name] for name in names] for title in rows if title != "note"}
    assert facts["As published, generalized"] == ["depth_guided 0.25", "no", "distance", "10", "48 + 16"]
    assert facts["Ours, finetuned"] == ["depth 0.1, depth_guided 0.25", "no", "overlap", "3", "48 + 16"]
    assert facts["Toy, per scene"] == ["no", "no", "–", "0", "–"]
    measured = ("parameters", "steps", "core-minutes", "core-s / view")
    assert [rows["Ours, finetuned"][name] for name in measured] == ["12,345", "2,100", "5.0 + 10.0", "0.50"]
    assert [rows["Toy, per scene"][name] for name in measured] == ["–", "–", "–", "–"]


def test_a_gpu_counts_by_the_clock(plan):
    usage = {**USAGE, "device": "cuda"}
    cells = {("Toy", "per scene", 0, scene): record(0, usage=usage) for scene in plan.scenes}
    assert table(plan, "1", cells)["Toy, per scene"]["core-minutes"] == "15.0"


def test_an_incomplete_seed_does_not_count_and_the_note_says_what_fills_the_gaps(plan):
    cells = {("Ours", "generalized", 0, "1000"): record(0, miou=0.5)}
    rows = table(plan, "1", cells)
    assert rows["Ours, generalized"]["mIoU"] == "–"
    assert "`fill As published,Ours,Toy`" in rows["note"]
    complete = {
        (row.title, row.setting, 0, scene): record(0, miou=0.5) for row in plan.rows for scene in plan.scenes
    }
    assert "fill" not in table(plan, "1", complete)["note"]


def test_published_numbers_stand_in_columns_of_their_own(plan):
    rows = table(plan, "1", {})
    paper = ("paper, Replica mIoU", "paper, ScanNet mIoU")
    assert [rows["Ours, generalized"][name] for name in paper] == ["48.53", "59.92"]
    assert [rows["Ours, finetuned"][name] for name in paper] == ["87.72", "93.84"]
    # What the plan does not have stands below, with the published numbers alone.
    assert [rows["Semantic-NeRF, per scene"][name] for name in paper] == ["75.06", "91.24"]
    assert rows["Semantic-NeRF, per scene"]["mIoU"] == "–"
    # Three rows of ours, the toy, and of the paper's rows all but those of GP-NeRF.
    assert len(rows) - 1 == 4 + len(TABLE_1) - 2


def test_instances_have_a_column_per_scene(plan):
    cells = {
        ("Ours", "finetuned", 0, scene): record(0, ap_75=ap, strict_ap_75=ap / 2)
        for scene, ap in (("1000", 0.5), ("1001", 0.7))
    }
    rows = table(plan, "2", cells)
    row = rows["Ours, finetuned"]
    names = ("AP, 1000", "AP, 1001", "AP", "strict AP", "paper, Replica AP")
    assert [row[name] for name in names] == ["50.00", "70.00", "60.00", "30.00", "89.50"]
    others = {f"{method}, per scene" for method in ("DM-NeRF", "Mask R-CNN", "Swin-T")}
    assert rows.keys() == {"Ours, finetuned", "note"} | others


def test_table_3_has_methods_without_labels_once_for_each_policy(plan):
    made = make_table("3", plan, (0,), lambda *cell: None, lambda titles: "fill")
    rows = [dict(zip(made.columns, row, strict=True)) for row in made.rows]
    alone = [row for row in rows if row["method"] == "Colour alone"]
    assert [row["samples"] for row in alone] == ["48"]
    assert alone[0]["depth in training"] == "depth 0.1"
    assert alone[0]["paper, ScanNet PSNR"] == f"{TABLE_3['GNT', 'generalized'][0]:.2f}"


def test_the_note_says_whether_rows_can_be_compared(plan, tmp_path):
    assert "All rows have the same training scenes, test views" in table(plan, "1", {})["note"]
    other = PLAN.replace("per scene = toy.txt", "per scene = toy.txt --height 48 --test_frames ::4")
    other = other.replace("[Ours]", "[Ours]\ngeneralized = gpnerf.txt --train_scenes 0-4\n[Others]")
    (tmp_path / "plan.ini").write_text(other)
    note = table(read_plan(Path("plan.ini")), "1", {})["note"]
    assert "The rows differ in height, test_frames, train_scenes, so that" in note


def test_the_note_says_which_rows_had_learnt_before(plan, tmp_path):
    assert "not counted" not in table(plan, "1", {})["note"]
    started = PLAN.replace("[Ours]\n", "[Ours]\ngeneralized = gpnerf.txt --load_weights rooms\n[Other]\n")
    (tmp_path / "plan.ini").write_text(started)
    note = table(read_plan(Path("plan.ini")), "1", {})["note"]
    assert note.count("not counted") == 1
    assert "**Ours starts from rooms, whose scenes and core-minutes are not counted.**" in note


def test_the_note_says_how_recipes_were_tuned(plan):
    note = table(plan, "1", {})["note"]
    assert "Tuning of the recipes: As published: 6 runs of 2 core-minutes; Ours, Toy: not stated." in note


def test_a_row_says_whether_its_labels_are_of_the_test_photograph(plan, tmp_path):
    blocks = "[Detector]\nper scene = gpnerf.txt --method mask_rcnn\n[Ceiling]\nview_metric = overlap\n"
    blocks += "generalized = gpnerf.txt --segment target"
    (tmp_path / "plan.ini").write_text(f"{PLAN}\n{blocks}\n")
    plan = read_plan(Path("plan.ini"))
    rows = table(plan, "1", {})
    assert rows["Ours, generalized"]["labels from"] == "rendering"
    assert rows["Ceiling, generalized"]["labels from"] == "test photograph"
    rows = table(plan, "2", {})
    detector = rows["Detector, per scene"]
    assert detector["labels from"] == "test photograph" and detector["paper, Replica AP"] == "75.68"
    assert "Mask R-CNN and Swin-T label the photograph of the test view" in rows["note"]


def test_a_table_with_labels_of_a_model_says_so(plan):
    cell = record(0, miou=0.5)
    told = cell | {"labels": "made by m, not the truth"}
    for one, said in ((cell, False), (told, True)):
        note = table(plan, "1", {("Ours", "generalized", 0, "1000"): one})["note"]
        assert ("**Labels made by m, not the truth.**" in note) == said


def test_costs_are_means_over_the_cells_of_rows_that_label(plan):
    cells = {
        ("Ours", "generalized", 0, "1000"): record(0, seconds=0.4, miou=0.5),
        ("Ours", "generalized", 0, "1001"): record(0, seconds=0.6, miou=0.7),
        ("Toy", "per scene", 0, "1000"): record(0, seconds=None, miou=0.7),
    }
    found = cost_points(plan, [0], lambda row, seed, scene: cells.get((row.title, row.setting, seed, scene)))
    assert found == [Point(pytest.approx(0.5), pytest.approx(60.0), "Ours, overlap", "generalized")]
