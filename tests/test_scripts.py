"""train.py, eval.py and render.py as a user runs them, on tiny rooms and on a scene of photographs only."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path
from statistics import fmean

import pytest
from script_runs import EXPNAME, REPOSITORY, command, environment, run_here, write_config
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gpnerf.media.images import read_image
from gpnerf.rooms.layout import CLASS_NAMES
from gpnerf.training.checkpoint import checkpoint_path, load_checkpoint

TEST_FRAMES = ("0001", "0003")
FILES = sorted(
    path for folder in (".", "scripts", "benchmarks") for path in REPOSITORY.glob(f"{folder}/*.py")
)
SCRIPTS = [path for path in FILES if "__main__" in path.read_text()]
METRICS = (
    "psnr",
    "ssim",
    "miou",
    "total_accuracy",
    "average_accuracy",
    "psnr_nearest_view",
    "miou_majority_class",
)


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_starts_as_a_process_from_any_folder(script: Path, tmp_path: Path):
    done = subprocess.run(
        command(script, "--help"), env=environment(), cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0 and f"usage: {script.name}" in done.stdout, done.stderr


@pytest.fixture(scope="module")
def evaluated(rooms_config: Path, rooms_run: Path) -> Path:
    assert "| **mean of scenes** | 4 |" in run_here("eval.py", "--config", rooms_config)
    return rooms_run / "eval"


@pytest.fixture(scope="module")
def rendered(rooms_config: Path, rooms_run: Path) -> Path:
    """The folder of a video's frames."""
    assert "room_1000_interpolate.mp4 is written" in run_here("render.py", "--config", rooms_config)
    return rooms_run / "render" / "room_1000_interpolate"


def mean(values: list[str]) -> float:
    return fmean(float(value) for value in values)


def test_training_leaves_checkpoints_scalars_and_a_held_out_picture(rooms_run):
    assert [load_checkpoint(checkpoint_path(rooms_run, step)).step for step in (3, 6)] == [3, 6]
    events = EventAccumulator(str(rooms_run / "tensorboard")).Reload()
    for name in ("loss", "psnr", "photometric", "semantic", "distill", "depth_guided"):
        assert [scalar.step for scalar in events.Scalars(f"training/{name}")] == [2, 4, 6]
    assert [scalar.step for scalar in events.Scalars("held_out/psnr")] == [3, 6]
    assert [picture.step for picture in events.Images("held_out")] == [3, 6]
    saved = read_image(rooms_run / "pictures" / "step_0000006.png")
    assert events.Images("held_out")[-1].height == saved.shape[0]


def test_evaluation_writes_a_row_per_view_and_means_per_scene_and_overall(evaluated):
    with open(evaluated / "views.csv") as file:
        rows = list(csv.DictReader(file))
    summary = json.loads((evaluated / "metrics.json").read_text())
    assert list(summary["scenes"]) == ["room_1000", "room_1001"]
    assert summary["made_by"]["step"] == 6 and summary["overall"]["views"] == 4
    for name, scene in summary["scenes"].items():
        of_scene = [row for row in rows if row["scene"] == name]
        assert tuple(row["view"] for row in of_scene) == TEST_FRAMES and scene["views"] == 2
        for metric in METRICS:
            assert scene[metric] == pytest.approx(mean([row[metric] for row in of_scene]))
    for metric in METRICS:
        scenes = [scene[metric] for scene in summary["scenes"].values()]
        assert summary["overall"][metric] == pytest.approx(fmean(scenes))
    table = (evaluated / "table.md").read_text()
    assert f"| {summary['overall']['psnr']:.2f} |" in table and "step 6" in table
    for row in rows:
        assert read_image(evaluated / row["scene"] / f"{row['view']}.png").ndim == 3


def test_video_has_the_frames_asked_for(rendered):
    imageio = pytest.importorskip("imageio.v3")
    video = imageio.imread(rendered.with_suffix(".mp4"), plugin="FFMPEG")
    assert len(video) == 3
    assert sorted(path.name for path in rendered.glob("*.png")) == ["0000.png", "0001.png", "0002.png"]
    first = read_image(rendered / "0000.png").astype(int)
    decoded = video[0, : first.shape[0], : first.shape[1]].astype(int)
    assert abs(decoded - first).mean() < 8


def test_rendering_again_makes_only_what_is_missing(rooms_config, rendered, rooms_run):
    def times() -> list[int]:
        return [(rendered / f"{number:04d}.png").stat().st_mtime_ns for number in range(3)]

    other_weights = ["--config", rooms_config, "--checkpoint", checkpoint_path(rooms_run, 3)]
    before = times()
    (rendered / "0001.png").unlink()
    run_here("render.py", "--config", rooms_config)
    assert [new == old for new, old in zip(times(), before, strict=True)] == [True, False, True]
    before = times()
    run_here("render.py", *other_weights)
    assert all(new > old for new, old in zip(times(), before, strict=True))
    before = times()
    run_here("render.py", *other_weights, "--frames", 2)
    assert not (rendered / "0002.png").exists()
    assert (rendered / "0000.png").stat().st_mtime_ns > before[0]


def test_photographs_alone_finetune_the_rooms_model_without_labels(scene_writer, rooms_run, rendered):
    folder = scene_writer(frames=5, name="office").write()
    config = write_config(
        folder.parent / "office.txt",
        data_root=folder.parent,
        train_scenes="office",
        test_scenes="office",
        load_weights=checkpoint_path(rooms_run, 6),
        layers=1,
        steps=2,
        picture_every=1,
    )
    stderr = run_here("train.py", "--config", config, "--steps", "1")
    resumed = run_here("train.py", "--config", config)
    for said in (stderr, resumed):
        assert "sizes of the weights instead of those of the options: layers is 2, not 1." in said
    run_folder = folder.parent / "out" / EXPNAME
    assert "layers = 2\n" in (run_folder / "config.txt").read_text()
    assert "office has no depth maps: the depth losses are switched off." in stderr
    assert "office has no semantic labels: the semantic losses and metrics are switched off." in stderr
    assert "Starting from the weights of" in stderr and "new tensors: none" in stderr
    assert set(EventAccumulator(str(run_folder / "tensorboard")).Reload().Tags()["scalars"]) >= {
        "training/photometric",
        "held_out/psnr",
    }
    assert "The model was trained without classes: mIoU and accuracies are left out." in run_here(
        "eval.py", "--config", config
    )
    scene = json.loads((run_folder / "eval" / "metrics.json").read_text())["scenes"]["office"]
    assert scene["miou"] is None and scene["miou_majority_class"] is None and scene["psnr"] > 0
    run_here("render.py", "--config", config, "--path", "orbit", "--frames", 1)
    frame = read_image(run_folder / "render" / "office_orbit" / "0000.png")
    with_labels = read_image(rendered / "0000.png")
    # One row of panels instead of two and a legend.
    assert frame.shape[1] == with_labels.shape[1] and 2 * frame.shape[0] < with_labels.shape[0]


def test_scene_with_some_frames_labelled_has_scores_of_these_alone(scene_writer, rooms_config, rooms_run):
    writer = scene_writer(frames=5, semantic=True, name="half")
    writer.top["semantic_classes"] = list(CLASS_NAMES)
    del writer.top["frames"][3]["semantic_path"]
    root = writer.write().parent
    arguments = ["--dataset", "transforms", "--data_root", root, "--test_scenes", "half", "--out", root]
    arguments += ["--checkpoint", checkpoint_path(rooms_run, 6)]
    run_here("eval.py", "--config", rooms_config, *arguments)
    with open(root / EXPNAME / "eval" / "views.csv") as file:
        assert [bool(row["miou"]) for row in csv.DictReader(file)] == [True, False]
    assert json.loads((root / EXPNAME / "eval" / "metrics.json").read_text())["overall"]["miou"] is None
