"""Runs side by side: differences by hand, gaps, and runs that cannot be compared."""

import pytest
from test_results import VIEWS, scores

from gpnerf.evaluation.result_files import write_results
from gpnerf.evaluation.results import EvaluationResult, ViewResult
from gpnerf.system.errors import ConfigError, DataError
from scripts.compare_runs import main

FACTS = {"protocol": "paper", "dataset": "rooms", "size": "32x24", "stride": 1, "segment": "rendered"}


@pytest.fixture
def runs(tmp_path):
    """Two runs; the second is 1 dB and 0.1 mIoU better in the hall and has no attic."""
    better = [
        ViewResult(view.scene, view.view, scores(view.scores["psnr"] + 1, view.scores["miou"] + 0.1))
        for view in VIEWS
        if view.scene == "hall"
    ]
    for name, views in (("a", VIEWS), ("b", better)):
        write_results(tmp_path / name / "eval", EvaluationResult(views, FACTS))
    return tmp_path / "a", tmp_path / "b"


def test_differences_of_every_scene_and_the_mean(runs, capsys):
    assert main([str(run) for run in runs]) == 0
    text = capsys.readouterr().out
    assert "### PSNR" in text and "### mIoU" in text and "### AP" not in text
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if "|" in line
    ]
    psnr = {row[0]: row[1:] for row in rows[:5]}
    assert psnr["hall"] == ["23.00", "24.00", "+1.000"]
    assert psnr["attic"] == ["30.00", "-", "-"]
    # The means are over other scenes.
    assert psnr["**mean of scenes**"] == ["26.50", "24.00", "-"]
    assert ["hall", "0.400", "0.500", "+0.100"] in rows


def test_means_over_the_same_scenes_are_compared(runs, capsys):
    better = [ViewResult(view.scene, view.view, scores(view.scores["psnr"] + 2)) for view in VIEWS]
    write_results(runs[1] / "eval", EvaluationResult(better, FACTS))
    main([str(run) for run in runs])
    assert "| **mean of scenes** | 26.50 | 28.50 | +2.000 |" in capsys.readouterr().out


def test_a_chosen_scene_alone_has_one_table_of_all_scores(runs, capsys):
    main([*map(str, runs), "--scenes", "hall"])
    text = capsys.readouterr().out
    assert "| PSNR | 23.00 | 24.00 | +1.000 |" in text and "| mIoU | 0.400 | 0.500 | +0.100 |" in text
    assert text.count("###") == 1 and "### hall" in text and "attic" not in text and "mean" not in text
    with pytest.raises(DataError, match="b: expected views of attic, found only hall; correct --scenes."):
        main([*map(str, runs), "--scenes", "attic"])


def test_what_was_evaluated_differently_is_said(runs, capsys):
    write_results(runs[1] / "eval", EvaluationResult(VIEWS, FACTS | {"protocol": "released"}))
    main([str(run) for run in runs])
    assert "The runs differ in protocol (" in capsys.readouterr().out


def test_runs_that_cannot_be_compared(runs, tmp_path):
    with pytest.raises(DataError, match="nowhere: expected an evaluated run, found no eval/metrics.json"):
        main([str(runs[0]), str(tmp_path / "nowhere")])
    with pytest.raises(ConfigError, match="Expected two runs or more, found 1"):
        main([str(runs[0])])
    with pytest.raises(ConfigError, match="Unknown score beauty; expected some of psnr"):
        main([*map(str, runs), "--scores", "beauty"])
    with pytest.raises(DataError, match="expected scenes of the runs, found room_9999, which none has"):
        main([*map(str, runs), "--scenes", "hall,room_9999"])
    with pytest.raises(DataError, match="two runs with one of the scores lpips, found none"):
        main([*map(str, runs), "--scores", "lpips"])
