"""MVSNeRF through the scripts: a resumed run, one that learns the volume of its scene, scores, videos."""

import json

import pytest
import torch
from mvsnerf_arrays import TINY
from script_runs import EXPNAME, VIEWS_PER_ROOM, refusal, run_here

from gpnerf.training.checkpoint import latest_checkpoint

RUN = {
    "method": "mvsnerf",
    "expname": EXPNAME,
    "dataset": "rooms",
    "views_per_room": VIEWS_PER_ROOM,
    "train_scenes": "0",
    "test_scenes": "1000",
    "test_frames": "2:3",
    "height": 24,
    "width": 32,
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
ROOM = ["--train_scenes", "1000", "--tune_volume", "yes", "--load_weights"]


@pytest.fixture
def config(tmp_path, rooms_config):
    places = {"out": tmp_path / "out", "data_root": rooms_config.parent / "rooms"}
    sizes = {name: value for name, value in TINY.items() if name != "classes"}
    path = tmp_path / "mvsnerf.txt"
    path.write_text("".join(f"{name} = {value}\n" for name, value in {**RUN, **places, **sizes}.items()))
    return path


def assert_resumes(config, name, *arguments):
    """A training in two parts ends with the weights of one in a single part; returns its checkpoint."""
    out = config.parent / "out"
    run_here("train.py", "--config", config, "--expname", name, "--steps", 3, *arguments)
    assert "Resuming" in run_here("train.py", "--config", config, "--expname", name, *arguments)
    run_here("train.py", "--config", config, "--expname", f"{name}_whole", *arguments)
    resumed, whole = latest_checkpoint(out / name), latest_checkpoint(out / f"{name}_whole")
    assert resumed.step == whole.step == 6
    assert all(torch.equal(whole.model[key], resumed.model[key]) for key in whole.model)
    return resumed


def assert_scored_and_rendered(config, name):
    """The run is scored and rendered; returns how it was made."""
    run_here("eval.py", "--config", config, "--expname", name)
    found = json.loads((config.parent / "out" / name / "eval" / "metrics.json").read_text())
    assert found["overall"]["psnr"] > 3.0 and found["overall"]["miou_pooled"] is not None
    run_here("render.py", "--config", config, "--expname", name)
    assert (config.parent / "out" / name / "render" / "room_1000_interpolate.mp4").is_file()
    return found["made_by"]


def test_a_general_model_trains_resumes_bit_for_bit_is_scored_and_rendered(config):
    found = assert_resumes(config, EXPNAME)
    assert (found.settings.method, found.settings.sizes.scene_size) == ("mvsnerf", ())
    facts = assert_scored_and_rendered(config, EXPNAME)
    assert (facts["setting"], facts["row of the paper"]) == ("generalized", "MVSNeRF + Semantic Head")


def test_a_room_is_finetuned_by_its_volume_resumes_is_scored_and_rendered(config):
    run_here("train.py", "--config", config)
    start = latest_checkpoint(config.parent / "out" / EXPNAME).model
    place = [*ROOM, config.parent / "out" / EXPNAME]
    first = run_here("train.py", "--config", config, "--expname", "early", "--steps", 1, *place)
    # The tested frame is none of the three.
    (line,) = [one for one in first.splitlines() if "room_1000 is represented by what its views " in one]
    assert line.count(",") == 2 and "0002" not in line
    assert "new tensors: none" in first
    found = assert_resumes(config, "tuned", *place)
    assert found.settings.sizes.scene_size == (24, 32)
    early = latest_checkpoint(config.parent / "out" / "early").model
    for name, tensor in start.items():
        assert torch.equal(found.model[name], tensor) == name.startswith("encoder."), name
    for name in ("pixels", "poses", "intrinsics", "range"):
        assert torch.equal(found.model[f"scene.{name}"], early[f"scene.{name}"])
    assert not torch.equal(found.model["scene.volume"], early["scene.volume"])
    assert assert_scored_and_rendered(config, "tuned")["setting"] == "finetuned"


def test_a_tuned_model_is_of_one_scene(config):
    out = config.parent / "out"
    sentence = refusal("train.py", "--config", config, "--tune_volume", "yes", "--train_scenes", "0,1000")
    assert "Expected one scene, because --method mvsnerf learns a single one with these options" in sentence
    assert "found 2; name one with --train_scenes." in sentence
    sentence = refusal("train.py", "--config", config, "--tune_volume", "yes", "--vary", "size,color")
    assert "Expected --vary without color, as --method mvsnerf learns a single scene, found" in sentence
    run_here("train.py", "--config", config, "--tune_volume", "yes")
    sentence = "Expected the scene 0, the only one that this model of --method mvsnerf knows, found 1000"
    assert sentence in refusal("eval.py", "--config", config)
    assert sentence in refusal("render.py", "--config", config)
    # Its volume is not that of another scene: that starts from what the encoder makes of it.
    other = run_here("train.py", "--config", config, "--expname", "other", *ROOM, out / EXPNAME)
    assert "Unused tensors" in other and "scene_size" not in other
    assert not torch.equal(
        latest_checkpoint(out / "other").model["scene.pixels"],
        latest_checkpoint(out / EXPNAME).model["scene.pixels"],
    )


def test_colors_alone_are_learnt_from_crops_of_many_sizes(config):
    arguments = ["--config", config, "--target", "none"]
    run_here("train.py", *arguments, "--vary", "size,range")
    assert latest_checkpoint(config.parent / "out" / EXPNAME).settings.sizes.classes == 0
    run_here("eval.py", *arguments)


def test_a_scene_of_three_views_is_too_small(config, scene_writer):
    folder = scene_writer(frames=3).write()
    place = ["--dataset", "transforms", "--data_root", folder.parent, "--train_scenes", "tiny"]
    sentence = refusal("train.py", "--config", config, *place, "--test_scenes", "")
    assert "tiny: expected at least 3 source views besides the target, found 2; add frames" in sentence
    assert sentence == refusal("train.py", "--config", config, *place, "--test_scenes", "", *ROOM[2:4])
