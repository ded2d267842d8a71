"""The tables of an evaluation: scenes weigh the same whatever their number of views; gaps stay gaps."""

import csv
import json

import pytest

from gpnerf.report import Scores, ViewRow, average, markdown_table, summarize, write_report


def scores(psnr, miou=0.5, lpips=None):
    return Scores(
        psnr=psnr,
        ssim=0.9,
        ssim_scikit=0.8,
        lpips=lpips,
        miou=miou,
        total_accuracy=miou,
        average_accuracy=miou,
        psnr_nearest_view=15.0,
        miou_majority_class=None if miou is None else 0.1,
    )


# Hall: three views; attic: one.
ROWS = [
    ViewRow("hall", "2", scores(20.0, 0.2)),
    ViewRow("attic", "0", scores(30.0, 0.9)),
    ViewRow("hall", "8", scores(22.0, 0.4)),
    ViewRow("hall", "14", scores(27.0, 0.6)),
]


def test_views_are_averaged_per_scene_and_scenes_overall():
    summary = summarize(ROWS)
    assert summary["scenes"]["hall"]["psnr"] == pytest.approx(23.0)
    assert summary["scenes"]["hall"]["miou"] == pytest.approx(0.4)
    assert summary["scenes"]["attic"]["psnr"] == pytest.approx(30.0)
    # 26.5, not the mean over views, 24.75.
    assert summary["overall"]["psnr"] == pytest.approx(26.5)
    assert summary["overall"]["miou"] == pytest.approx(0.65)
    counts = {name: scene["views"] for name, scene in summary["scenes"].items()}
    assert counts == {"hall": 3, "attic": 1}
    assert summary["overall"]["views"] == 4


def test_a_missing_value_makes_its_mean_missing_and_no_other():
    mean = average([scores(20.0, 0.2), scores(30.0, None)])
    assert mean.miou is None and mean.total_accuracy is None and mean.miou_majority_class is None
    assert mean.psnr == pytest.approx(25.0)
    summary = summarize([*ROWS, ViewRow("cellar", "0", scores(10.0, None))])
    assert summary["scenes"]["hall"]["miou"] == pytest.approx(0.4)
    assert summary["scenes"]["cellar"]["miou"] is None
    assert summary["overall"]["miou"] is None
    assert summary["overall"]["psnr"] == pytest.approx(21.0)


def test_the_markdown_table_has_a_line_per_scene_the_mean_last_and_dashes_for_gaps():
    lines = markdown_table(summarize(ROWS)).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert {len(line) for line in cells} == {len(cells[0])}
    assert [line[0] for line in cells] == ["scene", "---", "hall", "attic", "**mean of scenes**"]
    last = dict(zip(cells[0], cells[-1], strict=True))
    assert (last["views"], last["PSNR"], last["mIoU"], last["LPIPS"]) == ("4", "26.50", "0.650", "-")


def test_the_files_of_a_report(tmp_path):
    table = write_report(tmp_path, ROWS, {"step": 1200, "height": 96})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.json", "table.md", "views.csv"]
    text = (tmp_path / "table.md").read_text()
    assert text.startswith(table) and "step 1200, height 96" in text
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert set(metrics) == {"step", "height", "overall", "scenes"}
    fields = {"psnr", "ssim", "ssim_scikit", "lpips", "miou", "total_accuracy", "average_accuracy", "views"}
    assert set(metrics["overall"]) == fields | {"psnr_nearest_view", "miou_majority_class"}
    assert set(metrics["scenes"]["hall"]) == set(metrics["overall"])
    assert metrics["overall"]["lpips"] is None
    with open(tmp_path / "views.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["scene"], row["view"], float(row["psnr"])) for row in rows] == [
        (row.scene, row.view, row.scores.psnr) for row in ROWS
    ]
    assert rows[0]["lpips"] == ""
