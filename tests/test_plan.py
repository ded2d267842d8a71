"""Plans: which rows they mean, and what is wrong with a bad one."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_method import Pair, Toy

from gpnerf.config.types import REPOSITORY
from gpnerf.evaluation.protocols import PAPER, listed_scenes
from gpnerf.methods.registry import METHODS
from gpnerf.reproduction.plan import Plan, Row, read_plan
from gpnerf.reproduction.row_facts import model_of
from gpnerf.reproduction.schedules import schedule
from gpnerf.reproduction.tables import SHAPES
from gpnerf.system.errors import ConfigError

TOP = "[every row]\nscenes = 1000-1001\nseeds = 0,1\nminutes = 10\nview_metric = distance, overlap\n"


@pytest.fixture
def plan(tmp_path: Path, monkeypatch):
    """plan(text, top=TOP, **options) -> Plan; the text may name configs rooms.txt and toy.txt."""
    monkeypatch.setitem(METHODS, "toy", Toy)
    monkeypatch.setitem(METHODS, "pair", Pair)
    rooms = "dataset = rooms\ntrain_scenes = 0-3\nheight = 24\nwidth = 32\n"
    for method in ("gpnerf", "toy", "pair"):
        (tmp_path / f"{method}.txt").write_text(f"{rooms}method = {method}\n")
    (tmp_path / "other.txt").write_text("target = instance\nsamples = 5\n")
    monkeypatch.chdir(tmp_path)

    def read(text: str, top: str = TOP, **options) -> Plan:
        (tmp_path / "plan.ini").write_text(f"{top}\n{text}\n")
        return read_plan(Path("plan.ini"), **options)

    return read


def test_a_block_is_repeated_for_every_policy_and_finetuning_starts_from_its_generalized_row(plan):
    found = plan("[Ours]\ngeneralized = gpnerf.txt\nfinetuned = gpnerf.txt --steps 7\n  gpnerf.txt other.txt")
    assert (found.scenes, found.seeds) == (("1000", "1001"), (0, 1))
    assert [row.options.view_metric for row in found.rows] == 3 * ["distance"] + 3 * ["overlap"]
    general, tuned, objects = found.rows[3:]
    assert general.start is None and tuned.start is objects.start is general
    assert (tuned.options.steps, objects.options.samples) == (7, 5)
    assert [row.tables for row in (general, tuned, objects)] == [("1", "3"), ("1", "3"), ("2",)]
    assert {row.minutes for row in found.rows} == {10.0}


def test_a_method_without_source_views_has_no_policies(plan):
    (row,) = plan("[Toy]\nper scene = toy.txt --target none").rows
    assert row.tables == ("3",) and row.sentence_name == "Toy (per scene)"


def test_a_method_that_renders_nothing_is_in_no_table_of_reconstructions(plan):
    blocks = "[FPN]\ngeneralized = gpnerf.txt --method semantic_fpn\n[Boxes]\nper scene = gpnerf.txt"
    labels, boxes = plan(f"{blocks} --method mask_rcnn").rows
    assert (labels.tables, boxes.tables) == (("1",), ("2",))
    assert boxes.sentence_name == "Boxes (per scene, instances)"


def test_a_detector_may_start_from_published_weights(plan):
    (row,) = plan("[Boxes]\nper scene = gpnerf.txt --method mask_rcnn --load_weights coco").rows
    assert row.options.load_weights == "coco"


def test_the_command_line_overrides_a_plan(plan):
    found = plan(
        "[Ours]\nminutes = 5\ngeneralized = gpnerf.txt\nview_metric = angle",
        passed_on=["--samples", "9"],
        minutes=2.0,
        scenes=("1003",),
    )
    (row,) = found.rows
    assert (row.minutes, row.options.samples, found.scenes) == (2.0, 9, ("1003",))


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("[A]\ngeneralized = missing.txt", r"\[A\]: expected the config missing.txt, found no such file"),
        ("[A]\ngeneralized = --steps 3", "expected a config, perhaps a variant"),
        ("[A]\nfinetuned = gpnerf.txt", "expected a line 'generalized = ...'"),
        ("[A]\ngeneralised = gpnerf.txt", "found 'generalised = ...'"),
        ("[A]\nscenes = 1002\ngeneralized = gpnerf.txt", "found 'scenes = ...'"),
        ("[A]\nminutes = ten\ngeneralized = gpnerf.txt", "minutes: expected a finite number"),
        ("[A]\ngeneralized = toy.txt", "expected 'per scene = ...', as --method toy learns a single scene"),
        ("[A]\nper scene = gpnerf.txt --load_weights rooms", "starts from no weights in 'per scene'"),
        ("[A]\ngeneralized = gpnerf.txt --train_scenes 1001", "not trained on, found one of 1000, 1001"),
        ("[A]\ngeneralized = gpnerf.txt --stepz 3", "Unknown option --stepz"),
        ("[A, B]\ngeneralized = gpnerf.txt", "expected a title without commas"),
        ("[A]\n[A]", "section 'A' already exists"),
        ("", r"expected blocks \[TITLE\]"),
    ],
)
def test_a_bad_plan_gets_a_sentence(plan, text, sentence):
    with pytest.raises(ConfigError, match=sentence):
        plan(text)


def test_a_plan_needs_scenes_and_a_file(plan):
    with pytest.raises(ConfigError, match="expected a line 'scenes"):
        plan("[A]\ngeneralized = gpnerf.txt", top="")
    with pytest.raises(ConfigError, match="nowhere.ini cannot be read"):
        read_plan(Path("nowhere.ini"))


def test_a_budget_sets_the_steps_and_stretches_the_schedule(plan):
    (row,) = plan(
        "[A]\nview_metric = overlap\ngeneralized = gpnerf.txt --steps 100 --decay_steps 50 --warmup_steps 10"
    ).rows
    # 600 s at 0.28 s are 2142 steps, 21 times as many as the config has.
    assert schedule(row, 0.28) == ("--steps", "2100", "--decay_steps", "1050", "--warmup_steps", "210")
    assert schedule(row, 75.0) == ("--steps", "8", "--decay_steps", "4", "--warmup_steps", "1")
    with pytest.raises(ConfigError, match=r"A \(generalized, overlap\): .* at least 11 minutes"):
        schedule(row, 660.0)


def test_without_a_budget_the_steps_are_those_of_the_config(plan):
    (row,) = plan("[A]\nview_metric = overlap\ngeneralized = gpnerf.txt", minutes=0.0).rows
    assert schedule(row, 0.28) == ()


PLANS = REPOSITORY / "configs" / "reproduce"


@pytest.mark.parametrize("name", ["rooms", "tuning"])
def test_every_plan_of_rooms_has_both_policies(name):
    found = read_plan(PLANS / f"{name}.ini")
    generalizing = [row for row in found.rows if row.setting == "generalized"]
    assert {row.options.view_metric for row in generalizing} == {"distance", "overlap"}


@pytest.mark.parametrize("data, numbers", [("scannet", "13"), ("replica", "12")])
def test_a_plan_of_the_papers_data_has_its_rows_as_published(data, numbers):
    found = read_plan(PLANS / f"{data}.ini")
    assert found.scenes == listed_scenes(data, PAPER)
    assert {(row.options.dataset, row.options.data_root) for row in found.rows} == {(data, f"data/{data}")}
    assert {row.minutes for row in found.rows} == {0.0}
    published = [row for row in found.rows if row.options.num_source_views and row.title != "GP-NeRF ours"]
    assert {row.options.view_metric for row in published} == {"distance"}
    ours = [row.options for row in found.rows if row.title == "GP-NeRF ours"]
    assert {(one.coordinates, one.view_metric) for one in ours} == {("camera", "overlap")}
    for number in numbers:
        rows = {(model_of(row).paper_row, row.setting) for row in found.rows if number in row.tables}
        assert rows >= SHAPES[number].published.keys()


def test_the_dry_run_has_the_rows_of_scannet_at_demo_sizes():
    real, dry = (read_plan(PLANS / f"{name}.ini") for name in ("scannet", "scannet_dry_run"))
    assert [row.sentence_name for row in dry.rows] == [row.sentence_name for row in real.rows]
    assert set(dry.scenes) < set(real.scenes)
    for small, large in zip(dry.rows, real.rows, strict=True):
        assert 0.0 < small.minutes < 1.0
        assert parameters(small) < parameters(large)


def parameters(row: Row) -> int:
    return sum(one.numel() for one in model_of(row).parameters())


def test_rows_of_gsnerfs_protocol_are_refused(plan):
    with pytest.raises(
        ConfigError, match="expected --protocol paper, .* found gsnerf, whose test scenes are others"
    ):
        plan("[Ours]\ngeneralized = gpnerf.txt --protocol gsnerf")
