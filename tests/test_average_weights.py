"""The mean of trained models: its weights by hand, its record, what is refused; one test runs scripts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from helpers import tiny_model, tiny_settings
from script_runs import refusal, run_here

from gpnerf.system.errors import CheckpointError
from gpnerf.training.averaging import averaged
from gpnerf.training.checkpoint import Checkpoint, load_checkpoint
from gpnerf.training.weights_folder import CARD, CONFIG

NAMES = ("wall", "floor", "chair")


def of_values(*values: float) -> Checkpoint:
    """A model of the tiny settings with two tensors: float32 weights and a counter."""
    model = {"weights": torch.tensor(values, dtype=torch.float32), "steps": torch.tensor(int(values[0]))}
    return Checkpoint(5, tiny_settings(), NAMES, model, {"state": {}}, {"seed": 3})


def test_the_mean_is_that_by_hand_and_the_record_tells_it():
    mean = averaged({"/home/someone/a": of_values(1, 4), "b/step_0000005.pt": of_values(3, -4)}, [0.25, 0.75])
    assert mean.model["weights"].tolist() == [2.5, -2.0] and mean.model["weights"].dtype == torch.float32
    assert mean.model["steps"] == 1
    assert mean.options == {"seed": 3, "averaged": ("0.25 of a at step 5", "0.75 of b at step 5")}
    assert mean.optimizer == {} and mean.step == 5


def test_what_all_models_share_stays_exact():
    one, third = of_values(0.1, 0.7), [1 / 3] * 3
    assert averaged({"a": one, "b": one, "c": one}, third).model["weights"].equal(one.model["weights"])


@pytest.mark.parametrize("shares", [[0.5], [0.5, 0.6], [0.2, 0.2, 0.6]])
def test_shares_that_are_not_one_of_each_and_1_in_all_are_refused(shares):
    with pytest.raises(CheckpointError, match="--shares: expected one for each of 2 models .* found 0"):
        averaged({"a": of_values(1), "b": of_values(2)}, shares)


@pytest.mark.parametrize("change", [{"settings": tiny_settings(layers=3)}, {"class_names": NAMES[::-1]}])
def test_another_model_is_refused(change):
    with pytest.raises(CheckpointError, match="b: expected the method, function, sizes and classes of a, "):
        averaged({"a": of_values(1), "b": replace(of_values(2), **change)}, [0.5, 0.5])


def test_another_recipe_is_no_other_model():
    other = replace(of_values(3), settings=tiny_settings(weight_depth=0.7))
    assert averaged({"a": of_values(1), "b": other}, [0.5, 0.5]).model["weights"] == 2


def test_a_shortcut_that_one_head_lacks_is_zero_there():
    """It starts at zero, so the mean is that of two models that have it."""
    without, has = tiny_model(1), tiny_model(2, head_shortcut=True)
    has.head.shortcut.weight.data.normal_()
    settings = tiny_settings(), tiny_settings(head_shortcut=True)
    pair = [
        Checkpoint(5, one, NAMES, model.state_dict(), {}, {})
        for one, model in zip(settings, (without, has), strict=True)
    ]
    for order, shares in ((pair, [0.25, 0.75]), (pair[::-1], [0.75, 0.25])):
        mean = averaged(dict(zip("ab", order, strict=True)), shares)
        assert mean.settings.sizes == settings[1].sizes and mean.model.keys() == has.state_dict().keys()
        torch.testing.assert_close(mean.model["head.shortcut.weight"], 0.75 * has.head.shortcut.weight.data)
        bias = 0.25 * without.head.classify.bias + 0.75 * has.head.classify.bias
        torch.testing.assert_close(mean.model["head.classify.bias"], bias.detach())


def test_the_mean_is_scored_and_exported_as_a_run_and_does_not_resume(rooms_run, rooms_config, tmp_path):
    first = rooms_run / "step_0000003.pt"
    out = tmp_path / "mean"
    said = run_here("scripts/average_weights.py", rooms_run, first, "--shares", 0.5, 0.5, "--out", out)
    assert f"{out / 'step_0000006.pt'} holds 0.5 of {rooms_run.name} at step 6; 0.5 of" in said
    found, old, new = (load_checkpoint(path).model for path in (out, first, rooms_run))
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, (old[name] + new[name]) / 2, atol=1e-7, rtol=1e-6)
    named = ["--config", rooms_config, "--out", tmp_path, "--expname", "mean"]
    run_here("eval.py", *named)
    run_here("scripts/export_weights.py", out, "--out", tmp_path / "folder")
    assert "* mean of: 0.5 of " in (tmp_path / "folder" / CARD).read_text()
    assert len(json.loads((tmp_path / "folder" / CONFIG).read_text())["training"]["averaged"]) == 2
    sentence = refusal("train.py", *named)
    assert "holds weights that no training wrote; start from them with --load_weights" in sentence
    sentence = refusal("scripts/average_weights.py", first, rooms_run, "--out", out)
    assert "--out: expected a folder without checkpoints, found some in" in sentence
    sentence = refusal("scripts/average_weights.py", first, first, "--out", tmp_path / "other")
    assert "expected each model once" in sentence


def test_the_mean_of_a_model_with_itself_is_that_model():
    model = tiny_model(seed=4).state_dict()
    checkpoint = Checkpoint(1, tiny_settings(), NAMES, model, {}, {})
    mean = averaged({"a": checkpoint, "b": checkpoint}, [0.3, 0.7]).build().state_dict()
    assert all(mean[name].equal(tensor) for name, tensor in model.items())
