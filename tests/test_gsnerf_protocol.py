"""GSNeRF's protocol: its lists, what it refuses, its table, and a dry run on rooms with its scene names."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import pytest
from script_runs import EXPNAME, REPOSITORY, refusal, run_here, write_config
from test_results import scores
from test_splits import rule_of, scenes

from gpnerf.commands.options import parse_options
from gpnerf.evaluation.gsnerf_table import gsnerf_table
from gpnerf.evaluation.protocols import (
    GSNERF,
    PAPER,
    check_protocol,
    frame_rule,
    listed_scenes,
    results_folder,
)
from gpnerf.evaluation.published_numbers import GSNERF_TABLE, TABLE_1, TABLE_3
from gpnerf.evaluation.results import EvaluationResult, ViewResult
from gpnerf.rooms.exports.scannet import LABEL_FILE, label_table, write_folders
from gpnerf.rooms.shots import Job, Shoot
from gpnerf.system.errors import ConfigError

DATASETS = ("scannet", "replica")
# Tested in the dry run, and trained on.
TESTED, TRAINED = ("scene0063_00", "scene0211_00"), "scene0000_00"


def config(name: str) -> list[str]:
    return ["--config", str(REPOSITORY / "configs" / f"{name}.txt")]


@pytest.mark.parametrize("data", DATASETS)
def test_no_room_is_both_trained_on_and_tested(data):
    train, test = scenes(f"{data}_train_gsnerf"), scenes(f"{data}_test_gsnerf")
    assert (len(set(train)), len(set(test))) == {"scannet": (61, 10), "replica": (12, 4)}[data]
    rooms = [{name.split("/")[0][:9] for name in names} for names in (train, test)]
    assert not rooms[0] & rooms[1]


def test_the_test_lists_of_the_two_protocols_differ_as_published():
    shared = set(listed_scenes("scannet", GSNERF)) & set(listed_scenes("scannet", PAPER))
    assert shared == {"scene0211_00", "scene0376_02"}
    assert not set(listed_scenes("replica", GSNERF)) & set(listed_scenes("replica", PAPER))
    assert listed_scenes("rooms", GSNERF) == ()
    # The paper's training list holds scenes that GSNeRF tests.
    assert len(set(scenes("scannet_train")) & set(listed_scenes("scannet", GSNERF))) == 6
    assert not set(scenes("scannet_train_gsnerf")) & set(listed_scenes("scannet", PAPER))


@pytest.mark.parametrize("data", DATASETS)
def test_the_configs_have_the_protocol(data):
    options = parse_options("", config(f"{data}_gsnerf"), "eval")
    assert (options.protocol, options.num_source_views, options.dataset) == (GSNERF, 8, data)
    assert options.test_scenes == listed_scenes(data, GSNERF)
    assert options.train_scenes == scenes(f"{data}_train_gsnerf")
    check_protocol(options, vars(options))
    rule = frame_rule(options)
    assert rule == rule_of(f"{data}_frames")
    assert rule.split(1200, "scene").test == list(range(2, 200, 20))
    paper = parse_options("", config(data), "eval")
    assert (options.height, options.width) == (paper.height, paper.width)
    # Frames of other options do not change the protocol.
    other = parse_options("", [*config(f"{data}_gsnerf"), "--test_frames", "::3", "--test_limit", "2"])
    assert frame_rule(other) == rule


@pytest.mark.parametrize(
    "base, arguments, sentence",
    [
        (
            "scannet",
            "--protocol gsnerf --num_source_views 8",
            "GSNeRF's list .* found scene0160_00, ",
        ),
        (
            "replica",
            "--protocol gsnerf",
            "found office_0/.*, room_0/.*; use configs/replica_g",
        ),
        ("scannet_gsnerf", "--num_source_views 10", "Expected --num_source_views 8 .* found 10"),
        ("scannet_gsnerf", "--table all", "Expected no --table .* found --table 1,2,3,4"),
        (
            "scannet_gsnerf",
            "--protocol paper --table 1",
            "rows are of other scenes, found scene0063_00",
        ),
        ("replica_gsnerf", "--protocol released --table 3", "of other scenes, found office_4/Sequence_1"),
        ("rooms", "--protocol gsnerf", "Expected --dataset scannet or replica .* found rooms"),
    ],
)
def test_what_is_of_the_other_list_is_refused(base, arguments, sentence):
    options = parse_options("", [*config(base), *arguments.split()])
    with pytest.raises(ConfigError, match=sentence):
        check_protocol(options, {})


def test_what_is_of_both_lists_or_of_no_list_is_not_refused():
    for arguments in (
        [*config("scannet"), "--table", "all"],
        [*config("scannet_gsnerf"), "--test_scenes", "scene0211_00", "--protocol", "paper", "--table", "1"],
        [*config("scannet_gsnerf"), "--test_scenes", "scene0063_00"],
        [*config("scannet_gsnerf"), "--protocol", "paper"],
        # Table 2 of the paper has office_4 and room_2.
        [*config("replica_instance"), "--test_scenes", "office_4/Sequence_1", "--table", "2"],
    ):
        check_protocol(parse_options("", arguments), {})


def test_a_model_that_saw_tested_scenes_is_refused_unless_it_was_finetuned_on_one():
    options = parse_options("", config("scannet_gsnerf"))
    paper = vars(parse_options("", config("scannet")))
    with pytest.raises(ConfigError, match="found scene0063_00, .* among its 198 training scenes; train with"):
        check_protocol(options, paper)
    check_protocol(options, paper | {"train_scenes": ("scene0063_00",)})


def result(run, miou, psnr, row, dataset="scannet", setting="generalized", names=TESTED):
    views = [ViewResult(name, "2", scores(psnr, miou)) for name in names]
    facts = {"run": f"out/{run}", "dataset": dataset, "setting": setting, "row of the paper": row}
    return EvaluationResult(views, facts)


def rows_of(table):
    return {
        f"{row[0].strip('*')}, {row[1]}, {row[2]}": dict(zip(table.columns, row, strict=True))
        for row in table.rows
    }


def test_published_gains_are_over_the_semantic_ray_row_of_the_same_paper():
    rows = rows_of(gsnerf_table([]))
    gains = {name: (row["scannet mIoU gain"], row["scannet PSNR gain"]) for name, row in rows.items()}
    assert gains["GSNeRF, true depth, generalized"] == ("+2.77", "+6.14")
    assert gains["GSNeRF, no depth, generalized"] == ("+4.52", "+6.36")
    splats = "RT-GS2 (splats fitted to each scene first), no depth"
    assert gains[f"{splats}, generalized"] == ("+5.58", "+2.14")
    assert gains["Semantic-Ray, no depth, generalized"] == ("-", "-")
    assert rows[f"{splats}, finetuned"]["replica mIoU gain"] == "+9.63"
    assert "gains +2.77 mIoU and +2.80 dB (ScanNet" in gsnerf_table([]).note


def test_our_gain_is_over_our_semantic_ray_on_the_same_scenes():
    runs = [
        result("mine", 0.6, 30.0, "GP-NeRF"),
        result("ray", 0.55, 28.5, "Semantic-Ray"),
        result("tuned", 0.9, 31.0, "GP-NeRF", setting="finetuned"),
        result("fewer", 0.7, 32.0, "GP-NeRF", names=TESTED[:1]),
        result("all", 0.7, 32.0, "GP-NeRF", names=listed_scenes("scannet", GSNERF)),
    ]
    rows = {name.split(",")[0]: row for name, row in rows_of(gsnerf_table(runs)).items() if "this" in name}
    found = {name.removeprefix("this repository: "): row for name, row in rows.items()}
    names = ("scannet mIoU", "scannet mIoU gain", "scannet PSNR", "scannet PSNR gain", "replica mIoU")
    assert [found["mine"][name] for name in names] == ["60.00", "+5.00", "30.00", "+1.50", "-"]
    gains = {name: row["scannet mIoU gain"] for name, row in found.items()}
    assert gains == {"mine": "+5.00", "ray": "-", "tuned": "-", "fewer": "-", "all": "-"}
    assert [found[name]["scenes"] for name in ("fewer", "mine", "all")] == ["1 of 10", "2 of 10", "all"]


def test_the_tables_of_the_two_lists_share_no_row():
    paper = {values[-1] for row in TABLE_1.values() for values in row.values()}
    paper |= {values[0] for values in TABLE_3.values()}
    theirs = set(
        chain(*(pair for one in GSNERF_TABLE.values() for data in one.values() for pair in data.values()))
    )
    assert not paper & theirs
    assert (results_folder(PAPER), results_folder(GSNERF)) == ("eval", "eval_gsnerf")


@pytest.fixture
def scans(tmp_path) -> Path:
    """Three rooms in ScanNet's layout with names of the lists, long enough for two test frames."""
    root = tmp_path / "scannet"
    root.mkdir()
    (root / LABEL_FILE).write_text(label_table())
    for seed, name in enumerate((TRAINED, *TESTED)):
        (root / name).mkdir()
        write_folders(Job(root / name, seed, Shoot(18, 24, 42)), root / name)
    return root


def test_a_dry_run_from_training_to_the_table(scans, tmp_path):
    tiny = dict(dataset="scannet", data_root=scans, height=18, width=24, depth_range="published", steps=2)
    tiny |= dict(train_scenes=TRAINED, test_scenes=",".join(TESTED), num_source_views=8, protocol=GSNERF)
    path = write_config(tmp_path / "tiny.txt", **tiny)
    run_here("train.py", "--config", path, "--test_frames", "2:700:20")
    # The protocol chooses the frames, not the tiny config.
    run_here("eval.py", "--config", path)
    folder = tmp_path / "out" / EXPNAME / "eval_gsnerf"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert {name: scene["views"] for name, scene in metrics["scenes"].items()} == dict.fromkeys(TESTED, 2)
    assert metrics["made_by"]["protocol"] == GSNERF and metrics["made_by"]["setting"] == "generalized"
    assert sorted(one.name for one in (folder / TESTED[0]).iterdir() if one.is_dir()) == ["2", "22"]
    ours = json.loads((folder / "table_gsnerf.json").read_text())["rows"][-1]
    assert ours[0] == f"**this repository: {EXPNAME}**" and ours[3] == "2 of 10"
    assert float(ours[4]) == pytest.approx(100 * metrics["overall"]["miou"], abs=0.01)
    assert not list(folder.glob("table_[1-4]*")) and not (tmp_path / "out" / EXPNAME / "eval").exists()
    sentence = refusal("eval.py", "--config", path, "--test_scenes", TRAINED)
    assert f"Expected test scenes of GSNeRF's list with --protocol gsnerf, found {TRAINED}" in sentence
