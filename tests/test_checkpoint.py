"""Checkpoints: nothing is lost, foreign and damaged files are refused, weights can start another run."""

import copy
import pickle
from argparse import Namespace
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from helpers import TINY, prepared, rays_of, tiny_example, tiny_model, tiny_settings

from gpnerf.commands.options import parse_options
from gpnerf.system.errors import CheckpointError, ConfigError
from gpnerf.training import checkpoint as checkpoints
from gpnerf.training.checkpoint import (
    Checkpoint,
    checkpoint_path,
    latest_checkpoint,
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
)
from gpnerf.training.resume import adopt_sizes, check_settings, checkpoint_to_use, load_weights
from gpnerf.training.schedule import build_optimizer, step_generator

NAMES = ("wall", "floor", "chair")


def checkpoint_of(model, step=7, optimizer=None, **changes):
    state = optimizer.state_dict() if optimizer else {}
    return Checkpoint(step, tiny_settings(**changes), NAMES, model.state_dict(), state, {"expname": "tiny"})


def train(model, optimizer, first, steps):
    for step in range(first, first + steps):
        losses, _ = model.losses(tiny_example(), 16, step_generator(0, step))
        optimizer.zero_grad()
        model.total(losses).backward()
        optimizer.step()


@pytest.fixture
def saved(tmp_path):
    return save_checkpoint(tmp_path / "run", checkpoint_of(tiny_model()))


def test_a_checkpoint_comes_back_bit_for_bit(tmp_path):
    model = tiny_model(seed=5)
    optimizer = build_optimizer(model)
    train(model, optimizer, 0, 1)
    loaded = load_checkpoint(save_checkpoint(tmp_path, checkpoint_of(model, 1, optimizer)))
    assert (loaded.step, loaded.class_names, loaded.options) == (1, NAMES, {"expname": "tiny"})
    assert loaded.settings == tiny_settings()
    rebuilt = loaded.build()
    for name, tensor in model.state_dict().items():
        assert torch.equal(rebuilt.state_dict()[name], tensor)
    state = optimizer.state_dict()["state"]
    assert set(loaded.optimizer["state"]) == set(state)
    for number, moments in state.items():
        for name, tensor in moments.items():
            assert torch.equal(loaded.optimizer["state"][number][name], tensor)


def test_a_resumed_training_repeats_the_uninterrupted_one(tmp_path):
    model = tiny_model(dropout=0.1)
    optimizer = build_optimizer(model)
    train(model, optimizer, 0, 2)
    loaded = load_checkpoint(save_checkpoint(tmp_path, checkpoint_of(model, 2, optimizer, dropout=0.1)))
    resumed = loaded.build()
    continued = build_optimizer(resumed)
    continued.load_state_dict(loaded.optimizer)
    train(model, optimizer, 2, 2)
    train(resumed, continued, 2, 2)
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], tensor, atol=0, rtol=0, msg=name)


def test_only_the_newest_three_are_kept_and_nothing_partial(tmp_path):
    model = tiny_model()
    for step in (5, 10, 100, 20_000_000, 15):
        save_checkpoint(tmp_path, checkpoint_of(model, step))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 3
    assert names == sorted(path.name for path in list_checkpoints(tmp_path))
    assert latest_checkpoint(tmp_path).step == 20_000_000


def test_an_interrupted_write_leaves_the_earlier_checkpoint_whole(saved, monkeypatch):
    def fail(source, destination):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints.os, "replace", fail)
    with pytest.raises(CheckpointError, match="No space left on device.*make room"):
        save_checkpoint(saved.parent, checkpoint_of(tiny_model(), 8))
    assert list_checkpoints(saved.parent) == [saved]
    assert latest_checkpoint(saved.parent).step == 7


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.9999])
def test_a_truncated_file_is_refused(saved, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match="truncated"):
        load_checkpoint(saved)


@pytest.mark.parametrize(
    "content",
    [b"a photograph", b"\x80\x02.", b"\x80\x02(X", b"PK\x03\x04", b"\x80\x02K\x01.", b"0", b"\x89PNG\r\n"],
)
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "foreign.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"foreign\.pt is not a readable checkpoint"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "content",
    [
        [1, 2],
        {"model": {}},
        {"architecture": {"classes": 3}},
        {"architecture": {"channels": 3}},
        {"settings": {"method": "gpnerf"}},
    ],
)
def test_a_file_of_another_project_is_refused(tmp_path, content):
    path = tmp_path / "foreign.pt"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="another project"):
        load_checkpoint(path)


EMPTY = {"method": "gpnerf", "sizes": {}, "function": {}, "recipe": {}}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"architecture": {"transformer_width": 7}}, "Expected --transformer_width to be a multiple"),
        ({"settings": {"method": "nerf"}}, "it has the unknown method 'nerf'"),
        ({"settings": {**EMPTY, "sizes": {"channels": 3}}}, "it has unknown sizes: channels"),
        ({"settings": EMPTY, "gravity": 1}, "it has unknown parts: gravity"),
    ],
)
def test_a_model_that_this_version_cannot_build_is_refused_with_the_reason(tmp_path, content, reason):
    path = tmp_path / "later.pt"
    torch.save(content, path)
    with pytest.raises(
        CheckpointError, match=rf"later\.pt holds a model that this version cannot build \({reason}"
    ):
        load_checkpoint(path)


LATER = ("coordinates", "ray_weights", "last_pass", "weight_depth", "guide_distance", "rays_per_guide")


def test_a_file_of_the_first_versions_gives_the_same_model(saved):
    """They kept all fields in one, without learning rates and weights of the losses."""
    changes = {"heads": 2, "spacing": "linear", "head_norm": "none", "dropout": 0.3, "gradient_block": "none"}
    # All that there was.
    changes |= {"coordinates": "world", "ray_weights": "published", "last_pass": "all"}
    changes |= {"guide_distance": 0, "rays_per_guide": 1}
    written = checkpoint_of(tiny_model(seed=3, **changes), **changes)
    save_checkpoint(saved.parent, written)
    content = torch.load(saved, weights_only=True)
    del content["settings"]
    content["architecture"] = {
        **{name: value for name, value in {**TINY, **changes}.items() if name not in LATER},
        "head": "unet",
        "head_combination": "concat",
        "joint_attention": True,
        "detach_decoder": False,
        "recompute": True,
    }
    torch.save(content, saved)
    loaded = load_checkpoint(saved)
    assert loaded.settings == tiny_settings(**changes)
    assert (loaded.step, loaded.class_names, loaded.options) == (7, NAMES, {"expname": "tiny"})
    example, pixels = tiny_example(), torch.tensor([[1, 2], [30, 20], [15, 11]])
    expected, found = (
        model.render_rays(*prepared(model, example), rays_of(example, pixels), semantics=True)[-1]
        for model in (written.build().eval(), loaded.build().eval())
    )
    for name in ("color", "depth", "semantic"):
        assert torch.equal(getattr(found, name), getattr(expected, name))


class Intruder:
    """Pickles as a call that creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_code_in_a_file_is_refused_and_not_run(tmp_path):
    mark, path = tmp_path / "mark", tmp_path / "code.pt"
    torch.save({"model": Intruder(mark)}, path)
    pickle.loads(pickle.dumps(Intruder(mark)))
    assert mark.exists(), "the intruder works where it is let in"
    mark.unlink()
    with pytest.raises(CheckpointError):
        load_checkpoint(path)
    assert not mark.exists()


def test_missing_checkpoints_are_named(tmp_path, saved):
    with pytest.raises(CheckpointError, match="step_0000003"):
        load_checkpoint(checkpoint_path(tmp_path, 3))
    with pytest.raises(CheckpointError, match=r"step_\*\.pt"):
        load_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="train first|run train.py"):
        checkpoint_to_use(tmp_path, None, "gpnerf")
    assert latest_checkpoint(tmp_path) is None
    assert checkpoint_to_use(saved.parent, None, "gpnerf").step == 7
    assert checkpoint_to_use(tmp_path, str(saved), "gpnerf").step == 7
    assert load_checkpoint(saved.parent).step == 7


def test_check_settings_names_the_options_that_differ():
    with pytest.raises(CheckpointError, match="layers is 2, not 3; heads is 4, not 2") as caught:
        check_settings("x.pt", tiny_settings(), tiny_settings(layers=3, heads=2))
    assert "x.pt" in str(caught.value) and "level_width" not in str(caught.value)
    check_settings("x.pt", tiny_settings(), tiny_settings())


def test_rates_and_weights_of_losses_may_change_and_are_said(caplog):
    check_settings("x.pt", tiny_settings(), tiny_settings(lr_head=0.5, weight_distill=0.0, recompute=False))
    assert "x.pt resumes with other options:" in caplog.text
    for change in ("lr_head 5e-05 -> 0.5", "weight_distill 0.25 -> 0.0", "recompute True -> False"):
        assert change in caplog.text
    with pytest.raises(CheckpointError, match=r"dropout is 0.0, not 0.5\. Use"):
        check_settings("x.pt", tiny_settings(), tiny_settings(dropout=0.5))


def test_sizes_that_do_not_divide_are_named():
    with pytest.raises(ConfigError, match="--transformer_width.*12 and 8"):
        tiny_settings(transformer_width=12)
    with pytest.raises(ConfigError, match="--heads.*16 and 3"):
        tiny_settings(heads=3)
    with pytest.raises(ConfigError, match="--level_width.*36 and 16"):
        tiny_settings(level_width=9)


def test_weights_of_a_run_with_the_same_classes_are_taken_completely(saved):
    model = tiny_model(seed=9, samples=3)
    start = load_checkpoint(saved)
    assert load_weights(model, tiny_settings(samples=3), NAMES, start) == ([], [])
    expected = start.model
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, expected[name])


def test_weights_that_were_trained_in_other_coordinates_are_taken_with_a_warning(saved, caplog):
    changes = {"coordinates": "world"}
    load_weights(tiny_model(**changes), tiny_settings(**changes), NAMES, load_checkpoint(saved))
    assert "were trained otherwise: coordinates is camera, not world." in caplog.text


def test_with_other_classes_only_the_last_layer_stays_fresh(saved):
    model = tiny_model(seed=9, classes=5)
    before, start = copy.deepcopy(model.state_dict()), load_checkpoint(saved)
    fresh, unused = load_weights(model, tiny_settings(classes=5), "abcde", start)
    assert fresh == ["head.classify.bias", "head.classify.weight"]
    assert not unused
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name] if name in fresh else start.model[name])


def test_a_run_without_classes_leaves_adaptor_and_head_fresh():
    start = checkpoint_of(tiny_model(classes=0), classes=0)
    fresh, unused = load_weights(tiny_model(seed=9), tiny_settings(), NAMES, start)
    assert {name.split(".")[0] for name in fresh} == {"adaptor", "head"} and not unused


def test_what_a_model_without_classes_leaves_out_is_listed(saved):
    fresh, unused = load_weights(tiny_model(classes=0), tiny_settings(classes=0), (), load_checkpoint(saved))
    assert not fresh and {name.split(".")[0] for name in unused} == {"adaptor", "head"}


def test_sizes_are_those_of_the_weights_and_what_changes_is_said(saved, caplog):
    caplog.set_level("INFO")
    start = load_checkpoint(saved)
    names = {part: asdict(getattr(start.settings, part)) for part in ("sizes", "function", "recipe")}
    options = Namespace(method="gpnerf", **{k: v for values in names.values() for k, v in values.items()})
    adopt_sizes(options, start)
    assert not caplog.text
    options.layers, options.samples, options.classes = 3, 5, 7
    adopt_sizes(options, start)
    assert (options.layers, options.samples, options.classes) == (2, 5, 7)
    assert "of the weights instead of those of the options: layers is 2, not 3." in caplog.text


@pytest.mark.parametrize(
    ("found", "wanted", "result"), [(False, True, True), (True, False, True), (False, False, False)]
)
def test_a_shortcut_is_added_to_the_head_of_weights_and_not_taken_away(found, wanted, result):
    start = checkpoint_of(tiny_model(head_shortcut=found), head_shortcut=found)
    options = parse_options("", ["--head_shortcut", "yes" if wanted else "no"])
    adopt_sizes(options, start)
    assert options.head_shortcut == result
    model = tiny_model(seed=9, head_shortcut=result)
    fresh, unused = load_weights(model, tiny_settings(head_shortcut=result), NAMES, start)
    assert fresh == ["head.shortcut.weight"] * (result and not found) and not unused
    features = torch.randn(4 * 8, 16, 16)
    same = tiny_model(seed=1, head_shortcut=found)
    same.load_state_dict(start.model)
    torch.testing.assert_close(model.segment(features, 32, 32), same.segment(features, 32, 32))


def test_weights_of_another_method_are_refused(saved):
    start = load_checkpoint(saved)
    adopt_sizes(Namespace(method="other"), start)
    wanted = replace(start.settings, method="other")
    with pytest.raises(CheckpointError, match="of --method other, found those of --method gpnerf"):
        load_weights(tiny_model(), wanted, NAMES, start)


def steps_on_disk(folder):
    return [int(path.stem.removeprefix("step_")) for path in list_checkpoints(folder)]


def test_the_best_by_training_loss_and_the_milestones_stay(tmp_path):
    model = tiny_model()
    for step, loss in enumerate([5.0, 1.0, 4.0, 3.0, 2.5, 2.0, 1.5, 1.2], start=1):
        save_checkpoint(tmp_path, checkpoint_of(model, step), loss, milestone_every=4)
    assert steps_on_disk(tmp_path) == [2, 4, 6, 7, 8]
    assert checkpoints.best_step(tmp_path) == (2, 1.0)
    save_checkpoint(tmp_path, checkpoint_of(model, 9), 0.5, milestone_every=4)
    assert steps_on_disk(tmp_path) == [4, 7, 8, 9]


@pytest.mark.parametrize("fault", ["truncated", "flipped bit", "empty"])
def test_a_damaged_newest_file_falls_back_to_the_one_before(tmp_path, caplog, fault):
    for step in (1, 2):
        path = save_checkpoint(tmp_path, checkpoint_of(tiny_model(seed=step), step))
    data = bytearray(path.read_bytes())
    if fault == "flipped bit":
        # In the middle lie the weights: torch.load alone would not notice.
        data[len(data) // 2] ^= 4
    path.write_bytes({"truncated": data[: len(data) // 2], "flipped bit": data, "empty": b""}[fault])
    assert latest_checkpoint(tmp_path).step == 1
    assert f"{path} is not a readable checkpoint" in caplog.text
    assert f"Going back to {checkpoint_path(tmp_path, 1)}." in caplog.text
    assert load_checkpoint(tmp_path).step == 1
    checkpoint_path(tmp_path, 1).write_bytes(b"")
    with pytest.raises(CheckpointError, match="step_0000002"):
        latest_checkpoint(tmp_path)
