"""The benchmark of all methods: which configs it finds, and what it measures."""

import pytest
import torch
from methods import DEMO, Case, all_cases, main, measure, median_seconds, parse
from script_runs import REPOSITORY, write_config

from gpnerf.commands.options import parse_options
from gpnerf.methods.registry import METHODS
from gpnerf.training.data import load_training_data

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def cases():
    return all_cases()


def given(folder, *arguments):
    return parse([*map(str, arguments), "--device", "cpu", "--rounds", "1", "--data_root", str(folder)])


def tiny(tmp_path, **options):
    return write_config(tmp_path / "tiny.txt", **{"height": 24, "width": 32, "workers": 0, **options})


def test_every_method_is_found_at_published_and_at_demo_sizes(cases):
    options = [parse_options("", case.arguments) for case in cases]
    for method in METHODS:
        demo = [one.dataset in DEMO for one in options if one.method == method]
        assert True in demo, f"{method} needs a config of {' or '.join(DEMO)}"
        assert False in demo


def test_rows_of_the_paper_are_found_once_at_each_size(cases):
    names = [case.name for case in cases]
    assert len(names) == len(set(names))
    for row in ("configs/{}.txt", "configs/baselines/gnt_{}.txt", "configs/baselines/gnt_head_{}.txt"):
        assert row.format("scannet") in names and row.format("rooms") in names
        assert row.format("replica") not in names
    assert not [name for name in names if "finetune" in name or "stage_2" in name]
    # The paper's choices are not guided, ours are.
    assert "configs/scannet.txt+ours.txt" in names


def test_a_case_keeps_its_sizes_and_leaves_its_data(tmp_path):
    options = Case.of(str(REPOSITORY / "configs" / "scannet.txt")).options(given(tmp_path))
    assert (options.dataset, options.height, options.width, options.layers) == ("rooms", 240, 320, 8)
    assert options.train_scenes == options.test_scenes == ("1000",)


def test_every_case_finds_what_it_needs_in_the_room(cases, tmp_path, rooms_planned_once):
    """Its sources, targets and test views, whatever frames, depth range and scenes its config names."""
    for case in cases:
        options = case.options(given(tmp_path, "--height", "24", "--width", "32"))
        data = load_training_data(options)
        assert (len(data.trained), len(data.tested)) == (1, 3)
        assert len(data.trained[0].sources) > options.num_source_views


def test_a_tiny_method_is_measured(tmp_path, rooms_planned_once):
    arguments = given(tmp_path)
    found = measure(Case.of(str(tiny(tmp_path))), arguments)
    assert (found.row, found.config, found.frame, found.rays) == ("GP-NeRF", "tiny.txt", "32x24", 32)
    assert 0 < found.seconds < 60 and 0 < found.guided < 60 and 0 < found.step < 60
    assert 2**26 < found.memory < 2**36
    plain = measure(Case.of(str(tiny(tmp_path, target="none", last_pass="all"))), arguments)
    assert plain.row == "GNT" and plain.guided is None
    # The pyramid of a model without classes gets no gradient.
    assert 0 < plain.parameters < found.parameters


def test_a_first_run_counts_only_if_it_is_long(monkeypatch):
    seconds = iter([3.0, 1.0, 2.0, 4.0, 30.0])
    monkeypatch.setattr("methods.seconds_of", lambda work, device: next(seconds))
    assert median_seconds(None, 3, CPU) == 2.0
    assert median_seconds(None, 3, CPU) == 30.0


def test_the_table_has_a_row_for_each_config_each_from_a_process_of_its_own(tmp_path, capsys):
    config = tiny(tmp_path, head="rays")
    arguments = [str(config), "--device", "cpu", "--rounds", "1", "--data_root", str(tmp_path / "rooms")]
    assert main(arguments) == 0
    _, _, titles, line, row = capsys.readouterr().out.splitlines()
    assert titles.count("|") == line.count("|") == row.count("|")
    assert row.startswith("| GNT + Semantic Head | tiny.txt | 32x24 |")


@pytest.mark.parametrize("name", ["neuray_rooms_demo", "semantic_fpn_rooms_demo"])
def test_methods_that_read_depth_or_render_nothing_are_measured(name, tmp_path, rooms_planned_once):
    case = Case.of(str(REPOSITORY / "configs" / "baselines" / f"{name}.txt"))
    found = measure(case, given(tmp_path, "--height", "32", "--width", "48"))
    assert found.config == f"configs/baselines/{name}.txt" and 0 < found.step < 60
