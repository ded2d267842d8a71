"""Keys of a store: they change with everything that decides a result, and with nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from toy_method import Toy

from gpnerf.commands.options import parse_options
from gpnerf.config.fields import option
from gpnerf.config.types import amount
from gpnerf.methods.registry import METHODS
from gpnerf.reproduction import keys
from gpnerf.reproduction.keys import DataVersions, evaluation_key, pace_key, training_key

ROOMS = ("--dataset", "rooms", "--train_scenes", "0-3", "--test_scenes", "1000")


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    monkeypatch.setitem(METHODS, "toy", Toy)


def trained(*words: str, start: str | None = None) -> str:
    return training_key(parse_options("", [*ROOMS, *words]), DataVersions(), start)


def evaluated(*words: str, training: str = "t", scene: str = "1000") -> str:
    return evaluation_key(training, parse_options("", [*ROOMS, *words]), DataVersions(), scene)


@pytest.mark.parametrize(
    "words",
    [
        "--steps 7", "--decay_steps 7", "--seed 1", "--num_rays 7", "--samples 7", "--layers 7",
        "--coordinates world", "--weight_depth 0.7", "--lr_head 0.7", "--view_metric distance",
        "--num_source_views 7", "--height 48", "--train_scenes 0-4", "--views_per_room 7",
        "--test_frames ::7", "--target none", "--vary size", "--accumulate 2", "--precision float32",
        "--method toy",
    ],
)  # fmt: skip
def test_a_training_has_another_key_with_another(words):
    assert trained(*words.split()) != trained()


@pytest.mark.parametrize(
    "words",
    [
        "--expname x", "--out x", "--workers 0", "--device cpu", "--log_every 7", "--checkpoint_every 7",
        "--picture_every 7", "--milestone_every 7", "--max_hours 7", "--data_root x", "--stride 7",
        "--guide 7", "--lpips no", "--frames 7", "--protocol released", "--steps 200000",
    ],
)  # fmt: skip
def test_a_training_has_the_same_key_with_another(words):
    assert trained(*words.split()) == trained()


def test_a_training_depends_on_its_start_and_on_the_version_of_its_method_and_data(monkeypatch):
    assert len({trained(), trained(start="a"), trained(start="b")}) == 3
    before = trained("--method", "toy")
    monkeypatch.setattr(Toy, "version", 2)
    later = trained("--method", "toy")
    monkeypatch.setattr(keys, "ROOMS", keys.ROOMS + 1)
    assert len({before, later, trained("--method", "toy")}) == 3


@dataclass(frozen=True)
class LaterRecipe(Toy.Recipe):
    toy_gadget: float = option(0.0, "0: without", amount)


def test_a_new_option_that_is_off_keeps_the_keys(monkeypatch):
    before = trained("--method", "toy")
    monkeypatch.setattr(Toy, "Recipe", LaterRecipe)
    assert trained("--method", "toy") == before
    assert trained("--method", "toy", "--toy_gadget", "0.5") != before


def test_a_training_from_weights_elsewhere_depends_on_these():
    assert trained("--load_weights", "rooms") != trained()
    assert trained("--load_weights", "rooms", start="a") == trained(start="a")


def test_an_evaluation_depends_on_its_training_its_scene_and_its_own_options():
    others = [evaluated(training="u"), evaluated(scene="1001")]
    others += [evaluated(*words.split()) for words in ("--stride 2", "--guide 1", "--protocol released")]
    others += [evaluated(*words.split()) for words in ("--view_metric distance", "--test_frames ::7")]
    assert len({evaluated(), *others}) == 8
    same = ("--steps 7", "--seed 1", "--chunk_size 7", "--train_scenes 9", "--out x", "--layers 7")
    assert {evaluated(*words.split()) for words in same} == {evaluated()}


def test_the_speed_of_a_training_is_measured_once_for_all_its_scenes_seeds_rates_and_steps():
    def pace(*words: str) -> str:
        return pace_key(parse_options("", [*ROOMS, *words]))

    same = ("--steps 7", "--decay_steps 7", "--warmup_steps 7", "--seed 7", "--train_scenes 7", "--lr_head 7")
    assert {pace(*words.split()) for words in same} == {pace()}
    assert len({pace(), pace("--num_rays", "7"), pace("--target", "none")}) == 3


def test_a_changed_file_of_a_scene_changes_the_keys_that_read_it(scene_writer, tmp_path: Path):
    words = ("--dataset", "transforms", "--data_root", str(tmp_path), "--train_scenes", "hall")
    writers = {name: scene_writer(frames=4, depth=True, name=name) for name in ("hall", "attic")}
    for writer in writers.values():
        writer.write()

    def both() -> tuple[str, str]:
        options = parse_options("", list(words))
        data = DataVersions()
        return training_key(options, data, None), evaluation_key("t", options, data, "attic")

    before = both()
    assert both() == before
    writers["attic"].top["frames"][0]["transform_matrix"][0][3] += 0.5
    writers["attic"].write()
    changed = both()
    assert changed[0] == before[0] and changed[1] != before[1]
