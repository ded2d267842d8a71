"""GSNeRF's protocol: its lists, what it refuses, its table, and a dry run on rooms with its scene names."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import chain, product
from pathlib import Path

import pytest
from script_runs import EXPNAME, REPOSITORY, refusal, run_here, write_config
from test_results import scores
from test_splits import rule_of, scenes

from gpnerf.commands.options import parse_options
from gpnerf.evaluation.gsnerf_table import gsnerf_table, paper_table, write_gsnerf_table
from gpnerf.evaluation.protocols import (
    GSNERF,
    PAPER,
    check_protocol,
    frame_rule,
    listed_scenes,
    results_folder,
)
from gpnerf.evaluation.published_numbers import GSNERF_TABLE, TABLE_1, TABLE_3
from gpnerf.evaluation.result_files import write_results
from gpnerf.evaluation.results import EvaluationResult, ViewResult
from gpnerf.rooms.exports.scannet import LABEL_FILE, label_table, write_folders
from gpnerf.rooms.shots import Job, Shoot
from gpnerf.system.errors import ConfigError

DATASETS = ("scannet", "replica")
# Tested in the dry runs, by GSNeRF's protocol and by the paper's, and trained on.
TESTED, TRAINED = ("scene0063_00", "scene0211_00"), "scene0000_00"
OF_PAPER = ("scene0160_00", "scene0211_00")


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


@pytest.mark.parametrize("name", ["{}", "baselines/semantic_ray_{}", "scenes/{}"])
@pytest.mark.parametrize("data", DATASETS)
def test_the_configs_have_the_protocol(data, name):
    own = config(f"{name.format(data)}_gsnerf")
    options = parse_options("", own, "eval")
    assert (options.protocol, options.num_source_views, options.dataset) == (GSNERF, 8, data)
    assert options.test_scenes == listed_scenes(data, GSNERF)
    assert options.train_scenes == scenes(f"{data}_train_gsnerf")
    check_protocol(options, vars(options))
    rule = frame_rule(options)
    assert rule == rule_of(f"{data}_frames")
    assert rule.split(1200, "scene").test == list(range(2, 200, 20))
    paper = parse_options("", config(name.format(data)), "eval")
    assert (options.height, options.width) == (paper.height, paper.width)
    # Frames of other options do not change the protocol.
    other = parse_options(
        "", [*config(f"{name.format(data)}_gsnerf"), "--test_frames", "::3", "--test_limit", "2"]
    )
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
        ("scannet_gsnerf", "--table all", "Expected no --table .* found --table 1,2,3"),
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


def test_gains_on_the_papers_scenes_are_over_its_semantic_ray_row():
    rows = rows_of(paper_table([]))
    names = ("scannet mIoU", "scannet mIoU gain", "scannet PSNR", "scannet PSNR gain", "replica PSNR")
    values = {name.replace(", not stated", ""): [row[one] for one in names] for name, row in rows.items()}
    assert values["GP-NeRF, generalized"] == ["59.92", "+2.77", "29.37", "+2.80", "-"]
    assert values["GP-NeRF, finetuned"] == ["93.84", "+2.78", "29.60", "+0.33", "-"]
    assert values["Semantic-Ray, generalized"] == ["57.15", "-", "26.57", "-", "-"]
    # Only Table 3 has the row; the paper has no Semantic-Ray of a single scene.
    assert values["GNT, generalized"] == ["-", "-", "28.96", "+2.39", "-"]
    assert values["Semantic-NeRF, per scene"] == ["91.24", "-", "25.07", "-", "-"]
    assert rows["GP-NeRF, not stated, generalized"]["replica mIoU gain"] == "+6.94"


def test_the_file_of_both_protocols_has_a_block_of_each(tmp_path):
    out = tmp_path / "out"
    for run, folder, names, target in (
        ("mine", "eval", OF_PAPER, "semantic"),
        ("ray", "eval", OF_PAPER, "semantic"),
        ("elsewhere", "eval", TESTED, "semantic"),
        ("objects", "eval", OF_PAPER, "instance"),
        ("mine", "eval_gsnerf", TESTED, "semantic"),
    ):
        row = "Semantic-Ray" if run == "ray" else "GP-NeRF"
        found = result(run, 0.6 if folder == "eval" else 0.4, 30.0, row, names=names)
        write_results(out / run / folder, replace(found, facts={**found.facts, "target": target}))
    write_gsnerf_table(tmp_path, out, {})
    paper, theirs = blocks_of(tmp_path / "both_protocols.md")
    assert ours_in(paper) == {
        "mine": ["-", "generalized", "2 of 10", "60.00", "+0.00", "30.00", "+0.00", *4 * ["-"]],
        "ray": ["-", "generalized", "2 of 10", "60.00", "-", "30.00", "-", *4 * ["-"]],
    }
    assert [row[3] for row in ours_in(theirs).values()] == ["40.00"]
    assert "| GP-NeRF |" in paper and "| GSNeRF |" not in paper
    assert "| GSNeRF |" in theirs and "| GP-NeRF |" not in theirs


def blocks_of(path: Path) -> tuple[str, str]:
    """The tables of the paper's protocol and of GSNeRF's in the file of both."""
    _, paper, theirs = path.read_text().split("### Scenes of ")
    assert paper.startswith("the paper") and theirs.startswith("GSNeRF")
    return paper, theirs


def ours_in(block: str) -> dict[str, list[str]]:
    """The cells of our rows, by the names of the runs."""
    rows = [line.strip("| ").split(" | ") for line in block.splitlines() if "this repository" in line]
    return {row[0].strip("*").removeprefix("this repository: "): row[1:] for row in rows}


@pytest.fixture
def scans(tmp_path) -> Path:
    """Rooms in ScanNet's layout with names of the lists, long enough for two test frames."""
    root = tmp_path / "scannet"
    root.mkdir()
    (root / LABEL_FILE).write_text(label_table())
    for seed, name in enumerate(dict.fromkeys((TRAINED, *TESTED, *OF_PAPER))):
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


@pytest.mark.slow
def test_a_dry_run_of_both_protocols_with_the_configs_of_scannet(scans, tmp_path):
    """As in docs/scripts.md, in fewer pixels and steps."""
    sizes = {"scannet": "demo", "baselines/semantic_ray_scannet": "neuray_demo"}
    few = dict(data_root=scans, out=tmp_path / "out", height=18, width=24, train_scenes=TRAINED, steps=2)
    few |= dict(num_source_views=8, workers=0, lpips="no", compile="no", precision="float32", device="cpu")
    for (base, size), ending in product(sizes.items(), ("", "_gsnerf")):
        given = {"variant": f"{REPOSITORY}/configs/sizes/{size}.txt", **few}
        given["test_scenes"] = ",".join(TESTED if ending else OF_PAPER)
        words = [word for name, value in given.items() for word in (f"--{name}", value)]
        for script in ("train.py", "eval.py"):
            run_here(script, *config(base + ending), *words)
    names = [f"{Path(base).name}_gsnerf" for base in sizes]
    blocks = blocks_of(tmp_path / "out" / names[-1] / "eval_gsnerf" / "both_protocols.md")
    check_block(blocks[0], tmp_path / "out", [name.removesuffix("_gsnerf") for name in names], "eval")
    check_block(blocks[1], tmp_path / "out", names, "eval_gsnerf")


def check_block(block: str, out: Path, names: list[str], folder: str) -> None:
    """Asserts that our rows are these runs, with the scores of their evaluations, the last without a gain."""
    rows = ours_in(block)
    assert set(rows) == set(names)
    for name, cells in rows.items():
        overall = json.loads((out / name / folder / "metrics.json").read_text())["overall"]
        found = [float(cell) for cell in (cells[3], cells[5])]
        assert found == pytest.approx([100 * overall["miou"], overall["psnr"]], abs=0.01)
    mine, ray = (rows[name] for name in names)
    assert float(mine[6]) == pytest.approx(float(mine[5]) - float(ray[5]), abs=0.02)
    assert ray[6] == "-"
