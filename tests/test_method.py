"""A method that the scripts know nothing of trains, resumes, is scored and rendered by them."""

import json

import pytest
import torch
from helpers import tiny_model
from script_runs import refusal, run_here
from toy_method import Pair, Toy

from gpnerf.commands.options import parse_options
from gpnerf.methods.registry import METHODS
from gpnerf.methods.settings import Settings
from gpnerf.system.errors import ConfigError
from gpnerf.training.checkpoint import latest_checkpoint

RUN = ["height = 24", "width = 32", "test_frames = 1::2", "num_rays = 32", "checkpoint_every = 3"]
RUN += ["steps = 6", "log_every = 3", "picture_every = 3", "workers = 0", "frames = 2", "lpips = no"]
RUN += ["device = cpu", "precision = float32", "compile = no"]


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setitem(METHODS, "toy", Toy)
    monkeypatch.setitem(METHODS, "pair", Pair)


@pytest.fixture
def toy_config(toy, tmp_path, rooms_config):
    path = tmp_path / "toy.txt"
    lines = ["method = toy", "expname = toy", f"out = {tmp_path / 'out'}", "dataset = rooms", *RUN]
    rooms = rooms_config.parent / "rooms"
    lines += [f"data_root = {rooms}", "views_per_room = 5", "train_scenes = 0", "test_scenes = 0"]
    path.write_text("\n".join(lines))
    return path


def test_a_method_of_its_own_goes_through_all_scripts(toy_config, tmp_path):
    folder = tmp_path / "out" / "toy"
    run_here("train.py", "--config", toy_config, "--steps", 3)
    first = latest_checkpoint(folder)
    assert "Resuming" in run_here("train.py", "--config", toy_config)
    assert first.settings == Settings.of("toy", classes=first.settings.sizes.classes)
    assert (first.step, latest_checkpoint(folder).step) == (3, 6)
    run_here("train.py", "--config", toy_config, "--expname", "whole")
    whole, resumed = latest_checkpoint(tmp_path / "out" / "whole"), latest_checkpoint(folder)
    assert all(torch.equal(whole.model[name], resumed.model[name]) for name in whole.model)
    run_here("eval.py", "--config", toy_config)
    overall = json.loads((folder / "eval" / "metrics.json").read_text())["overall"]
    assert overall["psnr"] > 5.0 and overall["miou_pooled"] is not None
    assert overall["psnr_nearest_view"] is None
    run_here("render.py", "--config", toy_config)
    assert (folder / "render" / "room_0000_interpolate.mp4").is_file()


def test_a_method_that_prepares_its_views_together_and_counts_batches_does_too(toy_config, tmp_path):
    """The timing of --precision auto leaves its batch norm alone."""
    pair = [toy_config, "--method", "pair", "--expname", "pair", "--test_scenes", "1000"]
    run_here("train.py", "--config", *pair, "--precision", "auto")
    found = latest_checkpoint(tmp_path / "out" / "pair")
    assert found.model["normalize.num_batches_tracked"] == 6
    assert found.options["num_rays"] == 32
    run_here("eval.py", "--config", *pair)
    run_here("render.py", "--config", *pair)
    assert (tmp_path / "out" / "pair" / "render" / "room_1000_interpolate.mp4").is_file()


def test_a_method_has_defaults_of_its_own(toy):
    assert parse_options("", ["--method", "pair"]).num_rays == 7
    assert parse_options("", ["--method", "pair", "--num_rays", "9"]).num_rays == 9
    assert parse_options("", ["--method", "toy"]).num_rays == 512


def test_a_model_of_one_scene_is_not_used_on_another(toy_config, tmp_path):
    run_here("train.py", "--config", toy_config, "--steps", 3)
    sentence = "Expected the scene 0, the only one that this model of --method toy knows, found 1000"
    assert sentence in refusal("eval.py", "--config", toy_config, "--test_scenes", "1000")
    assert sentence in refusal("render.py", "--config", toy_config, "--render_scene", "1000")
    assert sentence in refusal("train.py", "--config", toy_config, "--train_scenes", "1000")


def test_labels_of_the_true_image_are_refused_by_a_method_that_does_not_look_at_it(toy_config):
    run_here("train.py", "--config", toy_config, "--steps", 3)
    sentence = refusal("eval.py", "--config", toy_config, "--segment", "target")
    assert "Expected a model that labels a true image with --segment target" in sentence


def test_without_source_views_nothing_is_rendered_by_a_method_that_needs_them():
    with pytest.raises(ConfigError, match="num_source_views of at least 1, which --method gpnerf needs"):
        parse_options("", ["--num_source_views", "0"])


def test_a_method_brings_its_own_options_and_no_others(toy):
    options = parse_options("", ["--method", "toy", "--toy_width", "5"])
    assert (options.toy_width, options.num_source_views) == (5, 0)
    assert not hasattr(options, "transformer_width")
    sentence = "--transformer_width is an option of --method gpnerf, found with --method toy"
    with pytest.raises(ConfigError, match=sentence):
        parse_options("", ["--method", "toy", "--transformer_width", "64"])
    with pytest.raises(ConfigError, match="--toy_width is an option of --method pair and toy, found"):
        parse_options("", ["--toy_width", "5"])


def test_an_option_of_another_method_in_a_file_is_named(toy, tmp_path):
    path = tmp_path / "options.txt"
    path.write_text("method = toy\nlayers = 8\n")
    with pytest.raises(ConfigError, match=r"--layers is an option of --method gpnerf.*options\.txt"):
        parse_options("", ["--config", str(path)])


def test_an_unknown_method_is_named_with_those_that_there_are():
    known = ", ".join(sorted(METHODS))
    with pytest.raises(ConfigError, match=f"one of the methods {known}, found 'nerf'; correct --method"):
        parse_options("", ["--method", "nerf"])


def test_a_method_that_takes_a_number_of_source_views_takes_no_other(toy):
    with pytest.raises(ConfigError, match="Expected 0 source views.*found --num_source_views 4"):
        parse_options("", ["--method", "toy", "--num_source_views", "4"])


@pytest.mark.parametrize(("vary", "wrong"), [("size,sources", "sources"), ("damage", "damage")])
def test_source_views_that_a_method_lacks_are_not_varied(toy_config, vary, wrong):
    sentence = refusal("train.py", "--config", toy_config, "--vary", vary)
    assert f"Expected --vary without {wrong}, as --method toy always has 0 source views" in sentence
    assert f"found --vary {vary}; leave out that." in sentence


def test_a_method_without_source_views_trains_on_images_of_many_sizes(toy_config):
    assert "Finished 6 steps" in run_here("train.py", "--config", toy_config, "--vary", "size")


def test_a_method_of_one_scene_refuses_two(toy_config):
    sentence = refusal("train.py", "--config", toy_config, "--train_scenes", "0,1")
    assert "Expected one scene, because --method toy learns a single one, found 2" in sentence


def test_a_checkpoint_of_another_method_is_refused(toy_config):
    run_here("train.py", "--config", toy_config, "--steps", 3)
    toy_config.write_text(toy_config.read_text().replace("method = toy\n", ""))
    for script in ("eval.py", "render.py"):
        sentence = refusal(script, "--config", toy_config)
        assert "Expected --method toy, the method of the model in" in sentence
        assert "found --method gpnerf; add --method toy." in sentence
    sentence = refusal("train.py", "--config", toy_config)
    assert "holds another model: method is toy, not gpnerf" in sentence


def test_losses_are_added_up_by_the_weights_of_their_names():
    losses = {"photometric": torch.tensor(2.0), "semantic": torch.tensor(3.0)}
    model = tiny_model(weight_photometric=10.0, weight_semantic=100.0)
    assert model.total(losses) == 320.0
    of_paper, of_queries = ["photometric", "semantic", "distill", "depth_guided"], ["class", "mask", "dice"]
    assert model.loss_names == [*of_paper, "depth", *(f"query_{name}" for name in of_queries)]
