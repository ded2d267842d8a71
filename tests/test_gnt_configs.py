"""The rows of GNT, with and without a head: function, recipe, and the weights that each starts from."""

from dataclasses import replace

import pytest
import torch
from script_runs import REPOSITORY

from gpnerf.commands.options import parse_options
from gpnerf.geometry.canonical import CAMERA, WORLD
from gpnerf.methods.gpnerf.settings import ALL, FINE, Sizes
from gpnerf.methods.settings import Settings

CONFIGS = REPOSITORY / "configs"
ROWS = sorted((CONFIGS / "baselines").glob("gnt*.txt"))
STAGES = sorted(CONFIGS.glob("*_stage_2.txt"))
STARTS = [*STAGES, *(path for path in ROWS if "finetune" in path.stem)]


def options_of(path):
    return parse_options("", ["--config", str(path)])


def settings_of(path):
    options = options_of(path)
    return Settings.from_options(options, 0 if options.target == "none" else 5)


@pytest.mark.parametrize("path", ROWS, ids=lambda path: path.stem)
def test_a_row_is_the_method_of_its_name_on_the_data_of_its_name(path):
    row, _, data = path.stem.removesuffix("_finetune").rpartition("_")
    with torch.device("meta"):
        model = settings_of(path).build()
    assert model.paper_row == {"gnt": "GNT", "gnt_head": "GNT + Semantic Head"}[row]
    assert options_of(path).dataset == data


def test_every_data_set_has_all_rows():
    wanted = {f"{row}_{data}" for row in ("gnt", "gnt_head") for data in ("rooms", "replica", "scannet")}
    wanted |= {f"{name}_finetune" for name in wanted} | {"gnt_transforms", "gnt_head_transforms"}
    assert {path.stem for path in ROWS} == wanted


@pytest.mark.parametrize("path", ROWS, ids=lambda path: path.stem)
def test_published_rows_have_the_published_function_and_small_ones_ours(path):
    options = options_of(path)
    published = options.dataset in ("scannet", "replica")
    function = (WORLD, ALL, "published") if published else (CAMERA, FINE, "mean")
    assert (options.coordinates, options.last_pass, options.ray_weights) == function
    sizes = settings_of(path).sizes
    assert (replace(sizes, classes=0, head="unet") == Sizes()) == published


def test_rates_and_steps_of_the_published_rows_are_those_of_gnt():
    names = ("lr_extractor", "lr_transformer", "decay_rate", "decay_steps", "steps", "num_rays")
    for row in ("gnt", "gnt_head"):
        for data in ("scannet", "replica"):
            whole, tuned = (
                options_of(CONFIGS / "baselines" / f"{row}_{data}{end}.txt") for end in ("", "_finetune")
            )
            expected = (1e-3, 5e-4, 0.5, 50_000, 250_000, 2048)
            assert tuple(getattr(whole, name) for name in names) == expected
            expected = (5e-4, 2e-4, 0.5, 20_000, 10_000, 2048)
            assert tuple(getattr(tuned, name) for name in names) == expected


@pytest.mark.parametrize("path", STARTS, ids=lambda path: path.stem)
def test_the_weights_that_a_config_starts_from_are_those_of_another_config_and_fit(path):
    folder, _, name = options_of(path).load_weights.partition("/")
    (start,) = [one for one in [*ROWS, *CONFIGS.glob("*.txt")] if options_of(one).expname == name]
    assert folder == options_of(start).out
    theirs, own = settings_of(start), settings_of(path)
    assert theirs.function == own.function
    # What weights without classes leave open.
    left_open = {"classes": 0, "head": "unet", "head_shortcut": False}
    assert replace(theirs.sizes, **left_open) == replace(own.sizes, **left_open)
    assert options_of(start).dataset == options_of(path).dataset
    stage_1 = path in STAGES
    assert stage_1 == (options_of(start).target == "none" and options_of(path).target == "semantic")


def test_only_finetunings_and_second_stages_start_from_weights():
    assert {path for path in [*ROWS, *STAGES] if options_of(path).load_weights} == set(STARTS)
    assert len(STAGES) == 3
