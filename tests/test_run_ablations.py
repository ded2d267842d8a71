"""Ablations: variants resolve, override the config, and give one table with mean and spread."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from script_runs import call_here

from gpnerf.commands.options import parse_options
from gpnerf.methods.settings import Settings
from gpnerf.system.errors import ConfigError
from scripts import run_ablations

VARIANTS = run_ablations.VARIANTS


def variant_of(name: str, tmp_path: Path):
    config = tmp_path / "base.txt"
    config.write_text("weight_distill = 0.7\nweight_depth_guided = 0.3\ngradient_block = features\n")
    return parse_options("", ["--config", str(config), "--variant", str(VARIANTS / f"{name}.txt")])


@pytest.mark.parametrize(
    "name, joint, distill, block, depth_guided",
    [
        ("table4_id1", False, 0.0, "features", 0.0),
        ("table4_id2", True, 0.0, "features", 0.0),
        ("table4_id3", True, 0.7, "none", 0.0),
        ("table4_id4", True, 0.7, "full", 0.0),
        ("table4_id5", True, 0.7, "full", 0.3),
    ],
)
def test_variants_are_the_rows_of_table_4(name, joint, distill, block, depth_guided, tmp_path: Path):
    options = variant_of(name, tmp_path)
    recipe = Settings.from_options(options, classes=3).recipe
    assert (recipe.joint_attention, recipe.gradient_block) == (joint, block)
    assert (recipe.weight_distill, recipe.weight_depth_guided) == (distill, depth_guided)


def test_every_variant_file_can_be_read(tmp_path: Path):
    names = [path.stem for path in VARIANTS.glob("*.txt")]
    assert len(names) >= 8
    for name in names:
        variant_of(name, tmp_path)


def test_sets_resolve_and_unknown_names_get_a_sentence():
    assert run_ablations.resolve(["heads", "table4_id2"]) == [
        "head_concat",
        "head_add",
        "head_linear",
        "table4_id2",
    ]
    with pytest.raises(ConfigError, match="table5.*table4"):
        run_ablations.resolve(["table5"])


def test_finished_runs_are_collected_with_mean_and_spread(tmp_path: Path):
    for seed, miou in (("0", 0.5), ("1", 0.6)):
        folder = tmp_path / f"head_add_seed{seed}" / "eval"
        folder.mkdir(parents=True)
        overall = {"miou": miou, "total_accuracy": 0.8, "average_accuracy": None, "psnr": 20.0}
        (folder / "metrics.json").write_text(json.dumps({"overall": overall}))
    arguments = ["--config", "configs/rooms.txt", "--seeds", "0,1", "--out", str(tmp_path), "head_add"]
    assert run_ablations.main(arguments) == 0
    row = (tmp_path / "table.md").read_text().splitlines()[2]
    # The sample standard deviation of 0.5 and 0.6 is 0.0707.
    assert row == "| head_add | 2 | 0.550 ± 0.071 | 0.800 ± 0.000 | - | 20.000 ± 0.000 |"


def test_ablation_trains_and_evaluates_a_variant(rooms_config, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(run_ablations.subprocess, "call", call_here)
    arguments = ["--config", str(rooms_config), "--out", str(tmp_path / "runs"), "head_linear"]
    assert run_ablations.main([*arguments, "--", "--steps", "2"]) == 0
    assert "| head_linear | 1 |" in (tmp_path / "runs" / "table.md").read_text()
    assert "head = linear" in (tmp_path / "runs" / "head_linear_seed0" / "config.txt").read_text()
