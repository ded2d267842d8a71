"""Ablations: variants change what their name says, and claims of a plan are tested on paired views."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy.stats import ttest_rel

from gpnerf.commands.options import parse_options
from gpnerf.config.types import REPOSITORY
from gpnerf.methods.settings import Settings
from gpnerf.reproduction.claims import FAILS, HOLDS, OPEN, UNKNOWN, claims_table, compare, read_claims
from gpnerf.reproduction.plan import read_plan
from gpnerf.reproduction.tables import make_table
from gpnerf.system.errors import ConfigError

VARIANTS = REPOSITORY / "configs" / "variants"


def variant_of(name: str, tmp_path: Path):
    config = tmp_path / "base.txt"
    config.write_text("weight_distill = 0.7\nweight_depth_guided = 0.3\ngradient_block = features\n")
    return parse_options("", ["--config", str(config), "--variant", str(VARIANTS / f"{name}.txt")])


@pytest.mark.parametrize(
    "name, joint, distill, block, depth_guided",
    [
        ("table4_id1", False, 0.0, "features", 0.0),
        ("table4_id2", True, 0.0, "features", 0.0),
        ("table4_id3", True, 0.7, "none", 0.0),
        ("table4_id4", True, 0.7, "full", 0.0),
        ("table4_id5", True, 0.7, "full", 0.3),
    ],
)
def test_variants_are_the_rows_of_table_4(name, joint, distill, block, depth_guided, tmp_path: Path):
    options = variant_of(name, tmp_path)
    recipe = Settings.from_options(options, classes=3).recipe
    assert (recipe.joint_attention, recipe.gradient_block) == (joint, block)
    assert (recipe.weight_distill, recipe.weight_depth_guided) == (distill, depth_guided)


def test_every_variant_file_can_be_read(tmp_path: Path):
    names = [path.stem for path in VARIANTS.glob("*.txt")]
    assert len(names) >= 8
    for name in names:
        variant_of(name, tmp_path)


PLAN = """
[every row]
scenes = 1000
tables = 4

[Without]
generalized = base.txt
[With]
generalized = base.txt --weight_depth 0
claims = miou above Without
    depth_abs_rel below Without
"""


def plan_of(folder: Path, text: str = PLAN):
    (folder / "base.txt").write_text("dataset = rooms\ntrain_scenes = 0\n")
    (folder / "plan.ini").write_text(text)
    return read_plan(folder / "plan.ini")


@pytest.fixture
def plan(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return plan_of(tmp_path)


def views(*values: float) -> dict[tuple[str, str], float]:
    return {("room_1000", f"{number:04d}"): value for number, value in enumerate(values)}


def test_the_interval_is_that_of_a_paired_t_test_over_seeds():
    """The difficulty of views cancels: seeds differ by 0.02, 0.04 and 0.03 though views differ by 0.5."""
    pairs = [
        (views(0.32, 0.82), views(0.30, 0.80)),
        (views(0.34, 0.84), views(0.30, 0.80)),
        (views(0.32, 0.84), views(0.30, 0.80)),
    ]
    found = compare(pairs, 1)
    assert found.differences == pytest.approx([0.02, 0.04, 0.03])
    test = ttest_rel([0.57, 0.59, 0.58], [0.55, 0.55, 0.55]).confidence_interval(0.95)
    assert (0.03 - found.margin, 0.03 + found.margin) == pytest.approx((test.low, test.high))
    # 4.303 is the quantile of t with two degrees of freedom; 0.01 the deviation of the three.
    assert found.margin == pytest.approx(4.303 * 0.01 / 3**0.5, abs=1e-5)
    assert (found.verdict(1), found.verdict(-1), found.share) == (HOLDS, FAILS, 1.0)


def test_a_claim_is_open_if_its_interval_contains_0_or_it_has_one_seed():
    pairs = [(views(0.5, 0.3), views(0.4, 0.4)), (views(0.6, 0.4), views(0.4, 0.4))]
    found = compare(pairs, 1)
    # The views differ by 0.15 and -0.05 in the mean of the seeds, the seeds by 0 and 0.1.
    assert found.differences == pytest.approx([0.0, 0.1]) and found.share == 0.5
    assert found.verdict(1) == OPEN
    single = compare(pairs[1:], 1)
    assert single.margin is None and single.verdict(1) == OPEN


def test_only_views_that_both_rows_have_are_compared():
    first = {**views(0.5), ("room_1001", "0000"): 0.9}
    assert compare([(first, views(0.4))], 1).differences == pytest.approx([0.1])
    assert compare([(first, {})], 1) is None


def test_the_table_of_claims_has_verdicts_and_names_what_is_missing(plan):
    scores = {"With": {"miou": (0.5, 0.52)}, "Without": {"miou": (0.4, 0.41)}}

    def lookup(row, seed, score):
        values = scores[row.title].get(score)
        return {} if values is None else views(values[seed])

    table = claims_table(read_claims(plan), (0, 1), lookup, "fill")
    first, second = table.rows
    assert first[:3] == ["With", "mIoU", "above Without"]
    # Differences 0.10 and 0.11: 12.706 x 0.00707 / sqrt(2).
    assert first[3:] == ["+0.105 ± 0.064", "+0.100, +0.110", "100%", HOLDS]
    assert second == ["With", "depth abs. rel.", "below Without", "–", "–", "–", UNKNOWN]
    assert "`fill`" in table.note


@pytest.mark.parametrize(
    "line, told",
    [
        ("miou over Without", "such as 'miou above TITLE'"),
        ("beauty above Without", "score of views.csv"),
        ("miou above", "such as"),
        ("miou above Within", "found 0; correct the title"),
    ],
)
def test_a_claim_that_cannot_be_read_gets_a_sentence(line, told, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = plan_of(tmp_path, PLAN.replace("miou above Without", line))
    with pytest.raises(ConfigError, match=told):
        read_claims(plan)


def test_a_plan_says_which_table_a_row_is_in(plan, tmp_path: Path):
    assert [row.tables for row in plan.rows] == [("4",), ("4",)]
    with pytest.raises(ConfigError, match="expected tables among 1, 2, 3, 4, found 5"):
        plan_of(tmp_path, PLAN.replace("tables = 4", "tables = 5"))


def test_the_shipped_plan_of_claims_can_be_read():
    plan = read_plan(REPOSITORY / "configs" / "reproduce" / "ablations.ini")
    claims = read_claims(plan)
    assert len(claims) >= 20 and {row.tables for row in plan.rows} == {("4",)}
    printed = [row.notes["paper_row"] for row in plan.rows if "paper_row" in row.notes]
    assert printed == [f"ID {number}" for number in range(1, 6)]
    table = make_table("4", plan, [0], lambda *_: None, lambda titles: "fill")
    row = dict(zip(table.columns, table.rows[2], strict=True))
    assert (row["paper, ScanNet mIoU"], row["paper, ScanNet PSNR"]) == ("52.03", "29.29")
    assert len(table.rows) == len(plan.rows)
