"""Results are kept while their data stay as they were, and made anew after any change of them."""

import json
import os
import shutil

import numpy as np
import pytest
from helpers import load_folder
from script_runs import EXPNAME, run_here

from gpnerf.datasets.fingerprint import fingerprint
from gpnerf.media.images import write_image
from gpnerf.training.checkpoint import checkpoint_path

FRAMES = (1, 0)


def of(folder, **reading):
    return fingerprint(load_folder(folder, **reading), FRAMES)


def add_mask(writer):
    writer.save("mask.png", np.full((6, 8), 255, np.uint8))
    writer.top["frames"][0]["mask_path"] = "mask.png"


def widen(writer):
    writer.top["fl_x"] = 4.5


def bend(writer):
    writer.top["k1"] = 0.01


def ignore_another_label(writer):
    writer.top["ignore_label"] = 254


def rename_class(writer):
    writer.top["semantic_classes"][0] = "ceiling"


def halve_depth_unit(writer):
    writer.top["depth_unit_scale_factor"] = 0.0005


def bring_near(writer):
    writer.top["near"] = 0.2


def move(writer):
    writer.top["frames"][1]["transform_matrix"][0][3] += 0.001


def touch(name):
    """A later modification time of a file."""

    def change(writer):
        path = writer.folder / name
        found = path.stat()
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1000))

    return change


@pytest.fixture
def writer(scene_writer):
    writer = scene_writer(depth=True, semantic=True)
    writer.top |= {"near": 0.1, "far": 10.0}
    for number in range(3):
        # Nothing unlabelled: so any id outside the classes may mean that.
        writer.save(f"semantic/{number}.png", np.full((6, 8), number, np.uint8))
    return writer


CHANGES = [add_mask, widen, bend, ignore_another_label, rename_class, halve_depth_unit, bring_near, move]


@pytest.mark.parametrize(
    "change", [*CHANGES, *(touch(f"{kind}/1.png") for kind in ("images", "depth", "semantic"))]
)
def test_every_change_of_the_data_shows(writer, change):
    before = of(writer.write())
    assert of(writer.write()) == before
    change(writer)
    assert of(writer.write()) != before


def test_a_replaced_mask_shows(writer):
    add_mask(writer)
    before = of(writer.write())
    # Of as many bytes: it is the time that tells.
    touch("mask.png")(writer)
    assert of(writer.write()) != before


def test_the_border_and_the_order_of_frames_show(writer):
    folder = writer.write()
    scene = load_folder(folder)
    assert of(folder, border=1) != fingerprint(scene, FRAMES) != fingerprint(scene, FRAMES[::-1])


def test_other_frames_and_a_missing_file_do_not_matter(writer):
    scene = load_folder(writer.write())
    before = fingerprint(scene, FRAMES)
    touch("images/2.png")(writer)
    assert fingerprint(scene, FRAMES) == before
    (writer.folder / "images" / "1.png").unlink()
    assert fingerprint(scene, FRAMES) != before


def test_scores_and_frames_of_changed_data_are_made_anew(scene_writer, rooms_run, rooms_config, tmp_path):
    writer = scene_writer(frames=4)
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 255, (24, 32, 3), np.uint8)
        write_image(writer.folder / f"images/{number}.png", pixels)
    writer.top |= {"w": 32, "h": 24, "fl_x": 20.0, "cx": 16.0, "cy": 12.0}
    writer.write()
    run, copy = tmp_path / "out" / EXPNAME, tmp_path / "copy" / EXPNAME
    shutil.copytree(rooms_run, run, ignore=shutil.ignore_patterns("eval*", "render"))
    data = ["--dataset", "transforms", "--data_root", tmp_path, "--test_scenes", "tiny"]
    options = ["--config", rooms_config, "--checkpoint", checkpoint_path(rooms_run, 6), *data]

    def times(run):
        run_here("eval.py", *options, "--out", run.parent)
        run_here("render.py", *options, "--out", run.parent)
        made = [*sorted(run.glob("eval/*/*/scores.json")), *sorted(run.glob("render/*/*.png"))]
        return [path.stat().st_mtime_ns for path in made]

    first = times(run)
    assert len(first) == 2 + 3
    # A copied run still knows its data.
    shutil.copytree(run, copy)
    assert times(copy) == first == times(run)
    psnr = json.loads((run / "eval" / "metrics.json").read_text())["overall"]["psnr"]
    writer.top["fl_x"] = 30.0
    writer.write()
    assert all(new > old for new, old in zip(times(run), first, strict=True))
    assert json.loads((run / "eval" / "metrics.json").read_text())["overall"]["psnr"] != psnr
