"""The configs of MVSNeRF: published sizes, and the weights from which finetuning starts."""

import pytest
from script_runs import REPOSITORY

from gpnerf.commands.options import parse_options
from gpnerf.methods.settings import Settings

CONFIGS = sorted((REPOSITORY / "configs" / "baselines").glob("mvsnerf*.txt"))


def options_of(name):
    return parse_options("", ["--config", str(REPOSITORY / "configs" / "baselines" / f"{name}.txt")])


@pytest.mark.parametrize("name", [path.stem for path in CONFIGS if "demo" not in path.stem])
def test_configs_have_the_published_sizes(name):
    options = options_of(name)
    assert options.method == "mvsnerf" and f"_{options.dataset}" in name
    assert Settings.from_options(options, 0) == Settings.of("mvsnerf", tune_volume="finetune" in name)


@pytest.mark.parametrize("name", [path.stem for path in CONFIGS if "finetune" in path.stem])
def test_finetuning_starts_from_the_weights_of_the_general_config_and_learns_one_scene(name):
    tuned, general = options_of(name), options_of(name.removesuffix("_finetune"))
    assert tuned.load_weights == f"out/{general.expname}"
    assert tuned.tune_volume and not general.tune_volume
    assert len(tuned.train_scenes) == 1 and tuned.train_scenes == tuned.test_scenes
    assert not set(tuned.train_scenes) & set(general.train_scenes)
    sizes = [Settings.from_options(one, 0).sizes for one in (tuned, general)]
    assert sizes[0] == sizes[1] and tuned.decay_steps == tuned.steps
