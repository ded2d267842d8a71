"""The quickstart with a tiny model in place of the shipped one, really run in a copied checkout."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from script_runs import REPOSITORY, run_here
from test_scripts_shell import Checkout
from textured_box import box_photograph, pose_on_walk

from gpnerf.media.images import write_image

pytestmark = pytest.mark.slow

# An environment in which everything is installed.
PYTHON = """#!/usr/bin/env bash
if [[ "$*" == "-m pip install"* ]]; then exit 0; fi
PYTHONPATH="{root}" exec "{python}" "$@"
"""
TINY = "--height 24 --width 32 --num_source_views 2 --steps 2 --picture_every 2 --num_rays 32 --frames 2"
TINY += " --workers 0 --device cpu --precision float32 --compile no --lpips no --chunk_size 256"


@pytest.fixture
def whole_checkout(tmp_path: Path, rooms_run: Path) -> Checkout:
    checkout = Checkout(tmp_path, seconds=600)
    for name in ("gpnerf", "configs"):
        shutil.copytree(REPOSITORY / name, checkout.root / name)
    for name in ("train.py", "eval.py", "render.py"):
        shutil.copy(REPOSITORY / name, checkout.root)
    run_here("scripts/export_weights.py", rooms_run, "--out", checkout.weights, "--overwrite")
    python = checkout.root / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON.format(root=checkout.root, python=sys.executable))
    python.chmod(0o755)
    return checkout


def quickstart(checkout: Checkout, *arguments: str) -> str:
    variables = {"OMP_NUM_THREADS": "1", "GPNERF_CACHE": os.environ["GPNERF_CACHE"]}
    result = checkout.run("scripts/quickstart.sh", *arguments, *TINY.split(), **variables)
    assert result.returncode == 0, result.stderr
    return result.stdout + result.stderr


def facts(folder: Path) -> dict:
    return json.loads((folder / "eval" / "metrics.json").read_text())["made_by"]


def assert_shown(out: Path, scene: str) -> None:
    assert facts(out / "shipped")["setting"] == "generalized"
    assert (facts(out / "shipped")["step"], facts(out / "finetuned")["step"]) == (6, 2)
    assert facts(out / "finetuned")["setting"] == "finetuned"
    assert (out / "finetuned" / "render" / f"{scene}_interpolate.mp4").is_file()


def test_rooms_before_and_after_finetuning(whole_checkout):
    out = whole_checkout.root / "out" / "quickstart" / "rooms"
    said = quickstart(whole_checkout, "--views_per_room", "5")
    assert (
        "Using the sizes of the weights instead of those of the options: encoder_width is 8, not 32" in said
    )
    assert_shown(out, "room_1000")
    table = said[said.index("Before and after") : said.index("Done in")]
    assert "### room_1000" in table and "| score | shipped | finetuned | finetuned - shipped |" in table
    assert "| mIoU |" in table and "room_1001" not in table
    again = quickstart(whole_checkout, "--views_per_room", "5")
    assert "has already finished its 2 steps" in again and "The views took" not in again


def test_a_scene_of_one_s_own_before_and_after_finetuning(whole_checkout, scene_writer):
    folder = scene_writer(frames=13, name="my office").write()
    said = quickstart(whole_checkout, str(folder))
    assert_shown(whole_checkout.root / "out" / "quickstart" / "scenes" / "my office", "my office")
    assert "### my office" in said[said.index("Before and after") :] and "| PSNR |" in said


def test_photographs_without_poses_before_and_after_finetuning(whole_checkout, tmp_path):
    pytest.importorskip("pycolmap")
    photographs = tmp_path / "my walk"
    for step in range(8):
        write_image(photographs / f"{step}.png", box_photograph(pose_on_walk(step)))
    out = whole_checkout.root / "out" / "quickstart"
    assert "8 of 8 photographs have poses" in quickstart(whole_checkout, str(photographs))
    assert_shown(out / "scenes" / "my walk", "my walk")
    again = quickstart(whole_checkout, str(photographs))
    assert "has the poses of these photographs already" in again and "finished its 2 steps" in again


def test_a_recorded_scene_before_and_after_finetuning(whole_checkout, real_scene):
    quickstart(whole_checkout, str(real_scene))
    name = real_scene.name
    assert_shown(whole_checkout.root / "out" / "quickstart" / "scenes" / name, name)
