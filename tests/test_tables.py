"""The paper's tables with our rows: numbers, differences, gaps, and their four forms."""

import csv
import json
from dataclasses import replace

import pytest

from gpnerf.evaluation.paper_tables import (
    Run,
    table_1,
    table_2,
    table_3,
)
from gpnerf.evaluation.published_numbers import TABLE_1, TABLE_2, TABLE_2_AVERAGE, TABLE_3, TABLE_4
from gpnerf.evaluation.results import TITLES, SceneResult
from gpnerf.evaluation.table import latex, markdown, write_table


def run(dataset="scannet", setting="generalized", name="mine", **scenes):
    """A run whose scenes have the scores given as dicts."""
    results = [SceneResult(scene, 2, dict.fromkeys(TITLES) | scores) for scene, scores in scenes.items()]
    return Run(name, setting, dataset, results, step=500)


SEGMENTED = {"miou": 0.6, "total_accuracy": 0.8, "average_accuracy": 0.7, "psnr": 29.0, "ssim": 0.9}


def row_of(table, start):
    (row,) = (row for row in table.rows if row[0].startswith(start))
    return dict(zip(table.columns, row, strict=True))


def test_table_1_puts_our_row_beside_the_papers_with_the_difference():
    table = table_1([run(hall=SEGMENTED, attic=SEGMENTED | {"miou": 0.62})])
    assert [row[:2] for row in table.rows[:-1]] == [list(key) for key in TABLE_1]
    ours = row_of(table, "**this repository: mine")
    assert (ours["scannet total acc."], ours["scannet mIoU"]) == ("80.00", "61.00")
    assert ours["replica mIoU"] == "-"
    # The paper: 59.92.
    assert ours["mIoU - paper's"] == "+1.08"
    assert table.rows[3] == [
        "GP-NeRF",
        "generalized",
        *["78.01", "50.80", "48.53", "78.49", "70.75", "59.92", "-"],
    ]


def test_table_1_of_other_data_has_columns_of_its_own_and_no_difference():
    table = table_1([run("rooms", hall=SEGMENTED)])
    ours = row_of(table, "**this repository")
    assert (ours["rooms mIoU"], ours["mIoU - paper's"]) == ("60.00", "-")
    assert "Empty cells" not in table.note
    assert "no classes, or its test views have no labels" in table_1([run(hall={"psnr": 20.0})]).note


def test_table_2_has_a_row_per_scene_of_replica_and_of_ours():
    runs = [run("replica", "per scene", **{"office_0/Sequence_1": {"ap_75": 0.91}, "attic": {"ap_75": 0.5}})]
    table = table_2(runs)
    office = row_of(table, "office_0")
    assert (office["GP-NeRF"], office["this repository"], office["ours - GP-NeRF"]) == (
        "90.46",
        "91.00",
        "+0.54",
    )
    assert row_of(table, "room_2")["this repository"] == "-"
    assert row_of(table, "attic")["this repository"] == "50.00"
    assert row_of(table, "**average")["this repository"] == "70.50"
    assert "not trained with --target instance" in table_2([run(hall=SEGMENTED)]).note


def test_table_2_compares_a_method_with_its_own_column():
    own = replace(run("replica", "per scene", office_0={"ap_75": 0.83}), row="DM-NeRF")
    assert row_of(table_2([own]), "office_0")["ours - DM-NeRF"] == "+0.29"


def test_table_3_compares_by_setting():
    table = table_3([run(hall=SEGMENTED), run(setting="finetuned", name="tuned", hall=SEGMENTED)])
    generalized, finetuned = (dict(zip(table.columns, row, strict=True)) for row in table.rows[-2:])
    assert (generalized["PSNR"], generalized["SSIM"], generalized["LPIPS"]) == ("29.00", "0.900", "-")
    assert (generalized["PSNR - paper's"], finetuned["PSNR - paper's"]) == ("-0.37", "-0.60")
    assert "LPIPS are not on this machine" in table.note


def test_the_published_numbers_are_consistent():
    """The paper's own averages of Table 2, and that finetuning beats generalizing in every row of Table 1."""
    columns = list(zip(*TABLE_2.values(), strict=True))
    means = [sum(column) / len(column) for column in columns]
    assert means == pytest.approx(TABLE_2_AVERAGE, abs=0.01)
    for (method, setting), values in TABLE_1.items():
        if setting == "finetuned":
            for dataset, tuned in values.items():
                general = TABLE_1[method, "generalized"][dataset]
                assert all(one > other for one, other in zip(tuned, general, strict=True))
    assert (len(TABLE_1), len(TABLE_3), len(TABLE_4)) == (9, 9, 5)


def test_the_four_forms_of_a_table(tmp_path):
    table = table_1([run(hall=SEGMENTED, name="100%_mine")])
    write_table(tmp_path, "table_1", table, {"protocol": "paper", "step": 7})
    text = (tmp_path / "table_1.md").read_text()
    assert text.startswith(markdown(table)) and "protocol paper, step 7" in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1 and len(lines) == len(table.rows) + 2
    with open(tmp_path / "table_1.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == table.columns and rows[-1][0] == "this repository: 100%_mine"
    tex = (tmp_path / "table_1.tex").read_text()
    assert tex.startswith("% protocol paper, step 7\n") and latex(table) in tex
    assert r"\textbf{this repository: 100\%\_mine} & generalized" in tex
    assert tex.count(r"\\") == len(table.rows) + 1
    assert json.loads((tmp_path / "table_1.json").read_text())["made_by"]["step"] == 7
