"""NeuRay and Semantic-Ray through the scripts: a resumed run, scores, a video, scenes without depth."""

import json

import pytest
import torch
from helpers import load_folder
from script_runs import EXPNAME, refusal, run_here

from gpnerf.datasets.examples import TestExamples, TrainingExamples
from gpnerf.training.checkpoint import latest_checkpoint

RUN = {
    "method": "semantic_ray",
    "height": 24,
    "width": 32,
    "num_source_views": 3,
    "encoder_width": 4,
    "encoder_blocks": "1,1,1",
    "image_features": 8,
    "ray_features": 8,
    "depth_width": 4,
    "depth_blocks": "1,1,1",
    "aggregation_width": 16,
    "samples": 8,
    "fine_samples": 6,
    "seen_samples": 2,
    "steps": 6,
    "num_rays": 32,
    "log_every": 3,
    "picture_every": 3,
    "checkpoint_every": 3,
    "workers": 0,
    "frames": 2,
    "lpips": "no",
    "device": "cpu",
    "precision": "float32",
}


@pytest.fixture
def config(tmp_path, rooms_config):
    options = {
        **RUN,
        "expname": EXPNAME,
        "out": tmp_path / "out",
        "dataset": "rooms",
        "data_root": rooms_config.parent / "rooms",
        "views_per_room": 5,
        "train_scenes": "0",
        "test_scenes": "1000",
        "test_frames": "2:3",
    }
    path = tmp_path / "semantic_ray.txt"
    path.write_text("".join(f"{name} = {value}\n" for name, value in options.items()))
    return path


def test_semantic_ray_trains_resumes_bit_for_bit_is_scored_and_rendered(config, tmp_path):
    folder = tmp_path / "out" / EXPNAME
    run_here("train.py", "--config", config, "--steps", 3)
    assert "Resuming" in run_here("train.py", "--config", config)
    run_here("train.py", "--config", config, "--expname", "whole")
    whole, resumed = latest_checkpoint(tmp_path / "out" / "whole"), latest_checkpoint(folder)
    assert (resumed.step, resumed.settings.method) == (6, "semantic_ray")
    assert all(torch.equal(whole.model[name], resumed.model[name]) for name in whole.model)
    run_here("eval.py", "--config", config)
    overall = json.loads((folder / "eval" / "metrics.json").read_text())["overall"]
    assert overall["psnr"] > 3.0 and overall["miou_pooled"] is not None
    run_here("render.py", "--config", config)
    assert (folder / "render" / "room_1000_interpolate.mp4").is_file()


def test_neuray_learns_crops_of_many_sizes_and_colors_alone(config, tmp_path):
    run_here("train.py", "--config", config, "--method", "neuray", "--target", "none", "--vary", "size,range")
    found = latest_checkpoint(tmp_path / "out" / EXPNAME)
    assert (found.settings.method, found.settings.sizes.classes) == ("neuray", 0)
    run_here("eval.py", "--config", config, "--method", "neuray", "--target", "none")


def test_a_scene_without_depth_is_named_with_what_helps(config, scene_writer, tmp_path):
    folder = scene_writer(frames=6).write()
    place = ["--dataset", "transforms", "--data_root", folder.parent, "--train_scenes", "tiny"]
    place += ["--test_scenes", "tiny", "--test_frames", "5:", "--view_metric", "distance"]
    sentence = refusal("train.py", "--config", config, *place)
    expected = "tiny: expected a depth map of every view, from which Semantic-Ray starts, found 0 of 6"
    assert expected in sentence and "add them, or train with --depth_init no." in sentence
    trimmed = [*place, "--depth_init", "no", "--expname", "trimmed"]
    assert "Finished 6 steps" in run_here("train.py", "--config", config, *trimmed)
    run_here("eval.py", "--config", config, *trimmed)
    run_here("train.py", "--config", config)
    for script in ("eval.py", "render.py"):
        assert expected in refusal(script, "--config", config, *place)


def test_depth_maps_of_sources_are_read_where_they_are_wanted(scene_writer):
    scene = load_folder(scene_writer(frames=5, depth=True).write())
    size = (6, 8, 3, "distance")
    wanted = TestExamples([(scene, 0, range(5))], *size, with_depth=True)[0].sources
    # Frame n of the writer lies 2 + n / 1000 m deep.
    assert wanted.depths.shape == (3, 6, 8)
    for name, depth in zip(wanted.names, wanted.depths, strict=True):
        assert torch.allclose(depth, torch.tensor(2.0 + int(name) / 1000))
    assert TestExamples([(scene, 0, range(5))], *size)[0].sources.depths is None
    every = range(5)
    varied = TrainingExamples([(scene, every, every)], *size, 0, 1, vary=("size",), with_depth=True)[0]
    assert varied.sources.depths.shape == (3, *varied.sources.images.shape[2:])
    assert varied.sources.depths.min() > 1.9
