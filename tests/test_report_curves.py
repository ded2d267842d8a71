"""Training curves: read from event files, put on axes, drawn."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from report_example import Node, example, tree
from torch.utils.tensorboard import SummaryWriter

from gpnerf.evaluation.page import Curve, read_curves
from gpnerf.evaluation.page.axes import Axis, even_ticks, log_ticks, number_text
from gpnerf.evaluation.page.charts import BOTTOM, LEFT, RIGHT, TOP, moving_mean
from gpnerf.evaluation.page.document import page


def charts_of(*curves: Curve) -> Node:
    return tree(page(example(curves=list(curves)))).one("div", class_="charts")


def write_log(folder, points, purge=None):
    writer = SummaryWriter(str(folder), purge_step=purge)
    for name, step, value in points:
        writer.add_scalar(name, value, step)
    writer.close()
    # Logs are read in the order of their names, which hold the second and a counter: of two logs of one
    # second, number 10 comes before number 9.
    (log,) = (path for path in folder.iterdir() if path.suffix != ".log")
    log.rename(folder / f"events.out.tfevents.{len(list(folder.iterdir())):04d}.log")


def test_curves_of_training_and_held_out_views_are_read_and_others_are_not(tmp_path):
    points = [("training/loss", step, 1.0 / step) for step in range(1, 1201)]
    points += [("held_out/psnr", 600, 20.5), ("held_out/psnr", 1200, 22.25)]
    write_log(tmp_path, [*points, ("learning_rate/head", 1, 0.1), ("speed/rays_per_second", 1, 9.0)])
    held_out, loss = read_curves(tmp_path)
    assert held_out == Curve("held_out/psnr", [600, 1200], [20.5, 22.25])
    assert loss.name == "training/loss" and len(loss.steps) == 500
    assert (loss.steps[0], loss.steps[-1]) == (1, 1200) and loss.steps == sorted(set(loss.steps))
    assert {after - before for before, after in zip(loss.steps, loss.steps[1:], strict=False)} == {2, 3}
    assert loss.values == pytest.approx([1.0 / step for step in loss.steps])


def test_a_resumed_run_counts_from_where_it_was_resumed(tmp_path):
    write_log(tmp_path, [("training/loss", step, 1.0) for step in (10, 20, 30, 40)])
    write_log(tmp_path, [("training/loss", step, 2.0) for step in (30, 40, 50)], purge=21)
    assert read_curves(tmp_path) == [Curve("training/loss", [10, 20, 30, 40, 50], [1.0, 1.0, 2.0, 2.0, 2.0])]


def test_a_log_that_a_killed_run_left_gives_what_it_holds(tmp_path):
    write_log(tmp_path, [("training/loss", step, 1.0) for step in range(20)])
    (log,) = tmp_path.iterdir()
    log.write_bytes(log.read_bytes()[:-10])
    assert read_curves(tmp_path)[0].steps == list(range(19))


def test_no_log_gives_no_curves(tmp_path):
    assert read_curves(tmp_path) == [] and read_curves(tmp_path / "missing") == []


def test_even_ticks_are_round_and_inside():
    assert even_ticks(0.0, 1.0) == pytest.approx([0.0, 0.5, 1.0])
    assert even_ticks(13.0, 24.1) == [15.0, 20.0]
    assert even_ticks(0.0, 1400.0) == [0.0, 500.0, 1000.0]
    assert even_ticks(0.7335, 0.8191) == pytest.approx([0.74, 0.76, 0.78, 0.8])


def test_log_ticks_are_ones_twos_and_fives_or_powers():
    assert log_ticks(0.03, 0.9) == pytest.approx([0.05, 0.1, 0.2, 0.5])
    assert log_ticks(0.02, 5.0) == pytest.approx([0.03, 0.1, 0.3, 1.0, 3.0])
    assert log_ticks(1e-6, 1e6) == pytest.approx([1e-6, 1e-3, 1.0, 1e3, 1e6])


def test_an_axis_is_logarithmic_where_that_shows_more():
    axis = Axis.fit([0.01, 1.0, 100.0], 200.0, 0.0, allow_log=True)
    assert axis.logarithmic and [axis.at(v) for v in (0.01, 1.0, 100.0)] == pytest.approx([200.0, 100.0, 0.0])
    assert not Axis.fit([1.0, 9.0], 0.0, 1.0, allow_log=True).logarithmic
    assert not Axis.fit([-1.0, 9.0], 0.0, 1.0, allow_log=True).logarithmic
    assert not Axis.fit([1.0, 100.0], 0.0, 1.0).logarithmic
    constant = Axis.fit([5.0, 5.0], 0.0, 10.0)
    assert constant.at(5.0) == pytest.approx(5.0) and 5.0 in constant.ticks


def test_numbers_are_short():
    written = {0.0: "0", 0.0123: "0.0123", 23.1668: "23.17", 1400: "1.4k", 200000: "200k", 2e6: "2M",
               1.5e-5: "1.5e−5", -3.0: "−3", math.nan: "nan"}  # fmt: skip
    assert {value: number_text(value) for value in written} == written


def test_the_moving_mean_shrinks_at_the_ends_and_steps_over_gaps():
    assert moving_mean([1.0, 2.0, 6.0, 3.0], 3) == pytest.approx([1.5, 3.0, 11 / 3, 4.5])
    assert moving_mean([1.0, math.nan, 3.0, math.inf], 3) == pytest.approx([1.0, 2.0, 3.0, 3.0])
    assert np.isnan(moving_mean([math.nan, math.nan], 1)).all()


def test_a_line_goes_through_its_values():
    chart = charts_of(Curve("training/loss", [0, 50, 100], [0.0, 4.0, 2.0]))
    # Half way along, the top; at the end, the middle.
    middle = (LEFT + RIGHT) / 2
    path = chart.one("path", class_="curve").attributes["d"]
    assert path == f"M{LEFT}.0 {BOTTOM}.0L{middle:.1f} {TOP}.0L{RIGHT}.0 {(TOP + BOTTOM) / 2:.1f}"
    label = chart.one("svg").attributes["aria-label"]
    assert label == "loss over training steps: training 0 → 2 (steps 0 to 100)"


def test_a_value_that_is_not_finite_interrupts_the_line_and_is_counted():
    curve = Curve("training/loss", [0, 1, 2, 3, 4], [1.0, 2.0, math.nan, 3.0, 1.0])
    chart = charts_of(curve, Curve("training/lost", [0], [math.nan]))
    path = chart.one("path", class_="curve").attributes["d"]
    assert len(re.findall("M", path)) == 2 and len(re.findall("L", path)) == 2 and "nan" not in path
    assert "1 not finite" in chart.one("figcaption").text
    assert len(chart.all("figure")) == 1


def test_curves_of_one_quantity_share_a_chart_and_the_loss_comes_first():
    figures = charts_of(*example().curves).all("figure")
    assert [figure.one("b").text for figure in figures] == ["psnr", "loss"]
    keys = [[key.text.split(" ")[0] for key in figure.all("li")] for figure in figures]
    assert keys == [["held", "training"], ["training"]]
    # 100 points: a thin line and its mean; 3 points: dots.
    assert len(figures[0].all("circle")) == 3 and len(figures[0].all("path", class_="curve")) == 3
    assert "log scale" in figures[1].text and "log scale" not in figures[0].text
