"""Weights folders: what comes back, where they are found, what is refused; the last tests run scripts."""

from __future__ import annotations

import builtins
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from helpers import prepared, rays_of, tiny_example, tiny_model, tiny_settings
from safetensors.torch import load_file, save
from script_runs import refusal, run_here

import gpnerf
from gpnerf.evaluation.model_card import model_card
from gpnerf.methods.settings import Settings
from gpnerf.system.errors import CheckpointError
from gpnerf.training import find_model as finding
from gpnerf.training.checkpoint import Checkpoint, save_checkpoint
from gpnerf.training.find_model import find_model, shipped_models
from gpnerf.training.weights_folder import CARD, CONFIG, MODEL, read_weights, write_weights

NAMES = ("wall", "floor", "chair")
OPTIONS = {"seed": 3, "target": "semantic", "data_root": "/home/someone/rooms", "workers": 2, "device": "cpu"}


def trained(**changes) -> Checkpoint:
    settings, model = tiny_settings(**changes), tiny_model(seed=4, **changes)
    return Checkpoint(7, settings, NAMES, model.state_dict(), {"state": {0: torch.ones(1)}}, OPTIONS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_weights(tmp_path / "wall", trained(), "# card\n")
    return tmp_path / "wall"


def test_what_comes_back_is_the_model_in_float16_without_training_state(folder):
    given, found = trained(), read_weights(folder)
    assert found.settings == given.settings and found.settings.sizes.encoder_blocks == (1, 1, 1)
    assert (found.step, found.class_names, found.optimizer) == (7, NAMES, {})
    # Nothing of the machine: of an absolute path its name, and no loader processes.
    assert found.options == {"seed": 3, "target": "semantic", "data_root": "rooms"}
    for name, tensor in given.model.items():
        assert found.model[name].dtype == torch.float32
        assert torch.equal(found.model[name], tensor.half().float())
    assert (folder / MODEL).stat().st_size < 2.2 * sum(one.numel() for one in given.model.values()) + 20_000


def test_the_outputs_are_equal_within_rounding_to_float16(folder):
    example, pixels = tiny_example(), torch.tensor([[1, 2], [30, 20], [15, 11]])
    expected, found = (
        model.render_rays(*prepared(model, example), rays_of(example, pixels), semantics=True)[-1]
        for model in (one.build().eval() for one in (trained(), read_weights(folder)))
    )
    # A float16 has 11 significant bits; a few layers add up to some such errors.
    torch.testing.assert_close(found.color, expected.color, atol=8 * 2**-11, rtol=0)
    torch.testing.assert_close(found.depth, expected.depth, atol=0, rtol=8 * 2**-11)


def test_a_weight_beyond_float16_is_refused(tmp_path):
    checkpoint = trained()
    name = next(iter(checkpoint.model))
    checkpoint.model[name].view(-1)[0] = 7e4
    with pytest.raises(CheckpointError, match=f"float16, found 70000 in {name}; export another"):
        write_weights(tmp_path / "wall", checkpoint, "")
    assert not list(tmp_path.iterdir())


def test_nothing_is_replaced_but_a_weights_folder_that_may_be(folder):
    with pytest.raises(CheckpointError, match=f"found {folder}, which exists; add --overwrite"):
        write_weights(folder, trained(), "")
    before = (folder / CONFIG).read_text()
    write_weights(folder, trained(), "# newer\n", overwrite=True)
    assert (folder / CARD).read_text() == "# newer\n" and (folder / CONFIG).read_text() == before
    assert [path.name for path in folder.parent.iterdir()] == ["wall"]
    run = save_checkpoint(folder.parent / "run", trained())
    with pytest.raises(CheckpointError, match="which exists; name another with --out"):
        write_weights(run.parent, trained(), "", overwrite=True)
    assert run.is_file()


def rewritten(folder: Path, **changes) -> None:
    """Changes entries of config.json; None removes one."""
    config = json.loads((folder / CONFIG).read_text()) | changes
    (folder / CONFIG).write_text(json.dumps({name: one for name, one in config.items() if one is not None}))


def resaved(folder: Path, change: Callable[[dict], None]) -> None:
    """Changes the tensors, and the checksum with them."""
    tensors = load_file(folder / MODEL)
    change(tensors)
    data = save(tensors)
    (folder / MODEL).write_bytes(data)
    rewritten(folder, sha256=sha256(data).hexdigest())


def cut(folder: Path) -> None:
    (folder / MODEL).write_bytes((folder / MODEL).read_bytes()[:999])


def cut_knowingly(folder: Path) -> None:
    cut(folder)
    rewritten(folder, sha256=sha256((folder / MODEL).read_bytes()).hexdigest())


def flip_bit(folder: Path) -> None:
    data = bytearray((folder / MODEL).read_bytes())
    data[-1] ^= 1
    (folder / MODEL).write_bytes(data)


FAULTS = {
    "a flipped bit": (
        flip_bit,
        rf"{MODEL} is damaged, .*expected sha256 \w+\.\.\., found \w+.*copy the folder",
    ),
    "truncated": (cut, rf"{MODEL} is damaged, .* in 999 bytes; copy the folder again"),
    "no safetensors": (cut_knowingly, rf"{MODEL}: expected a safetensors file, found something else"),
    "no weights": (lambda folder: (folder / MODEL).unlink(), rf"{MODEL} cannot be read \(No such file"),
    "no config": (lambda folder: (folder / CONFIG).unlink(), rf"{CONFIG} cannot be read \(No such file"),
    "no JSON": (
        lambda folder: (folder / CONFIG).write_text("{"),
        rf"{CONFIG}: expected JSON, found something",
    ),
    "a list": (lambda folder: (folder / CONFIG).write_text("[]"), "not of this program.*export_weights.py"),
    "foreign": (
        lambda folder: (folder / CONFIG).write_text('{"model_type": "bert"}'),
        rf"{CONFIG} is not of this program: it states no format_version; name a folder",
    ),
    "later format": (
        lambda folder: rewritten(folder, format_version=2),
        rf"{CONFIG}: expected format_version 1, found 2; use the version",
    ),
    "no step": (
        lambda folder: rewritten(folder, step=None),
        rf"{CONFIG}: expected step as int, found None",
    ),
    "other method": (lambda folder: rewritten(folder, method="nerf"), "cannot build .*unknown method 'nerf'"),
    "odd sizes": (lambda folder: rewritten(folder, sizes={"channels": 3}), "unknown sizes: channels"),
    "sizes that are no numbers": (lambda folder: rewritten(folder, sizes={"layers": "two"}), "cannot build"),
    "too few names": (
        lambda folder: rewritten(folder, class_names=["wall"]),
        "expected 3 class_names, found 1",
    ),
    "a tensor less": (
        lambda folder: resaved(folder, lambda tensors: tensors.pop("head.classify.bias")),
        r"expected head.classify.bias of shape \[3\], as config.json implies, found none; export the run",
    ),
    "a tensor more": (
        lambda folder: resaved(folder, lambda tensors: tensors.update(extra=torch.zeros(2))),
        r"expected extra of shape none, as config.json implies, found \[2\]",
    ),
    "another shape": (
        lambda folder: resaved(
            folder, lambda tensors: tensors.update({"head.classify.bias": torch.zeros(4)})
        ),
        r"expected head.classify.bias of shape \[3\], .* found \[4\]",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_or_foreign_folder_is_a_sentence(folder, fault):
    spoil, sentence = FAULTS[fault]
    spoil(folder)
    with pytest.raises(CheckpointError, match=sentence) as caught:
        find_model(folder)
    assert str(folder) in str(caught.value)


def test_reading_draws_no_random_numbers(folder):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    read_weights(folder)
    assert torch.equal(torch.get_rng_state(), before)


def of_step(place: Path, step: int) -> Checkpoint:
    given = trained()
    return Checkpoint(step, given.settings, NAMES, given.model, {}, {})


@pytest.fixture
def shipped(tmp_path, monkeypatch) -> Path:
    """A checkout that ships the model `wall` of step 7; the current folder lies beside it."""
    monkeypatch.setattr(finding, "PACKAGE", tmp_path / "checkout" / "gpnerf")
    write_weights(tmp_path / "checkout" / "weights" / "wall", trained(), "")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "checkout" / "weights" / "wall"


def test_a_name_is_that_of_a_path_first_and_of_a_shipped_model_then(shipped, caplog):
    caplog.set_level("INFO")
    assert find_model("wall").step == 7
    assert f"Using the model of {shipped} at step 7." in caplog.text
    # A folder of the name that holds no model does not hide the shipped one.
    Path("wall").mkdir()
    assert find_model("wall").step == 7
    save_checkpoint(Path("wall"), of_step(Path(), 9))
    assert find_model("wall").step == 9 and "Using the model of wall at step 9." in caplog.text
    for reference in (shipped, shipped / MODEL, shipped / CONFIG, str(shipped)):
        assert find_model(reference).step == 7
    assert find_model("wall/step_0000009.pt").step == 9


def test_an_unknown_name_lists_what_is_known(shipped):
    with pytest.raises(
        CheckpointError, match=r"roms does not exist, and no shipped model .* \(wall do\); train"
    ):
        find_model("out/roms")
    assert {"wall"} <= set(shipped_models())


def test_the_hub_needs_its_package(monkeypatch):
    load = builtins.__import__

    def without_hub(name, *others, **named):
        if name == "huggingface_hub":
            raise ImportError(name)
        return load(name, *others, **named)

    monkeypatch.setattr(builtins, "__import__", without_hub)
    with pytest.raises(CheckpointError, match="hf://a/b needs the package huggingface_hub.*pip install"):
        find_model("hf://a/b")


def test_a_snapshot_in_the_hub_s_cache_loads_without_network(folder, tmp_path, monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(CheckpointError, match="hf://someone/wall can neither be found in the cache"):
        find_model("hf://someone/wall")
    place = tmp_path / "cache" / "models--someone--wall"
    shutil.copytree(folder, place / "snapshots" / ("0" * 40))
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("0" * 40)
    assert find_model("hf://someone/wall").step == 7


def test_the_card_is_one_that_the_hub_reads(tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    (tmp_path / CARD).write_text(model_card("wall", trained(), None))
    card = hub.ModelCard.load(tmp_path / CARD)
    assert (card.data.license, card.data.library_name) == ("mit", "gpnerf")
    assert card.data.pipeline_tag == "image-to-3d" and "novel-view-synthesis" in card.data.tags
    assert "* seed: 3" in card.text and "wall, floor, chair" in card.text
    assert "## Scores" not in card.text and "None" not in card.text


@pytest.mark.parametrize(
    ("vary", "untrained"),
    [
        ([], "Other image sizes and numbers of source views work"),
        (["size", "range"], "Other numbers of source views work"),
        (["size", "sources"], None),
    ],
)
def test_the_card_tells_what_the_training_did_not_vary(vary, untrained):
    one = trained()
    card = model_card("wall", replace(one, options={**one.options, "vary": vary}), None)
    assert (untrained or "## Limits") in card and ("were not trained" in card) == bool(untrained)


def test_the_card_of_a_model_of_one_scene_promises_no_other():
    rooms = replace(trained(), options={**trained().options, "dataset": "rooms"})
    general, tuned = (
        model_card("wall", replace(rooms, settings=Settings.of("mvsnerf", tune_volume=tune)), None)
        for tune in (False, True)
    )
    for promise in (
        "From a few photographs of a scene",
        "until it is finetuned",
        "work, but were not trained",
    ):
        assert promise in general and promise not in tuned
    assert "This model represents the scene of its training." in tuned and "no other scene" in tuned


@pytest.fixture(scope="module")
def exported(rooms_run, rooms_config, tmp_path_factory) -> Path:
    """The folder that the script makes of an evaluated run."""
    run_here("eval.py", "--config", rooms_config)
    place = tmp_path_factory.mktemp("exported") / "weights" / "small"
    said = run_here("scripts/export_weights.py", rooms_run, "--out", place, "--core_hours", 0.5)
    assert f"{place} holds step 6 of {rooms_run}:" in said and "MB, sha256" in said
    return place


def test_export_tells_training_and_scores(exported, rooms_run):
    config, card = json.loads((exported / CONFIG).read_text()), (exported / CARD).read_text()
    assert config["training"]["train_scenes"] == ["0"] and config["training"]["core_hours"] == 0.5
    assert config["training"]["commit"] and "/" not in config["training"]["data_root"]
    assert config["sha256"] == sha256((exported / MODEL).read_bytes()).hexdigest()
    assert "| **mean of scenes** | 4 |" in card and "* core-hours: 0.5" in card and "* commit: " in card
    assert str(rooms_run.parent) not in card + (exported / CONFIG).read_text()


def test_scores_of_another_step_are_left_out(rooms_run, exported, tmp_path):
    said = run_here("scripts/export_weights.py", rooms_run / "step_0000003.pt", "--out", tmp_path / "small")
    assert "are of step 6, not 3; they are left out." in said
    assert "## Scores" not in (tmp_path / "small" / CARD).read_text()
    sentence = refusal("scripts/export_weights.py", rooms_run, "--out", tmp_path / "small")
    assert "add --overwrite" in sentence


def test_a_folder_evaluates_renders_and_finetunes_as_its_run_does(
    exported, rooms_run, rooms_config, tmp_path, monkeypatch
):
    """By its folder, and by its name."""
    monkeypatch.setattr(finding, "PACKAGE", exported.parent.parent / "gpnerf")
    out = ["--config", rooms_config, "--out", tmp_path]
    said = run_here("eval.py", *out, "--checkpoint", "small")
    assert f"Using the model of {exported} at step 6." in said
    found, expected = (
        json.loads((folder / "eval" / "metrics.json").read_text())["overall"]
        for folder in (tmp_path / "tiny", rooms_run)
    )
    assert abs(found["psnr"] - expected["psnr"]) < 0.01
    run_here("render.py", *out, "--checkpoint", exported, "--frames", 1)
    said = run_here("train.py", *out, "--expname", "other", "--load_weights", "small", "--steps", 1)
    assert "Starting from the weights of small; new tensors: none." in said
    model, other = gpnerf.load("small", device="cpu"), gpnerf.load(rooms_run, device="cpu")
    assert model.class_names == other.class_names
    for name, tensor in other.method.state_dict().items():
        assert torch.equal(model.method.state_dict()[name], tensor.half().float())
