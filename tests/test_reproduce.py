"""scripts/reproduce.py: every cell is made once, whatever fails or is killed on the way."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
from script_runs import command, environment, only_sentence, run_here

from gpnerf.reproduction import scripts as started_scripts
from gpnerf.reproduction.keys import pace_key
from gpnerf.reproduction.plan import read_plan
from gpnerf.system.errors import ConfigError
from gpnerf.system.scripting import EXIT_STOPPED
from scripts import reproduce

GENERALIZED = "generalized = {config} --picture_every 100"
# Seconds after which a script that another process runs counts as stuck.
PATIENCE_S = 300.0
FINETUNED = "finetuned = {config} --picture_every 100 --steps 3"


class Started:
    """Runs the scripts of a store in this process. names: of those started; failing: part of one to fail."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.failing: str | None = None

    def __call__(self, command, log, started) -> int:
        _, script, *arguments = command
        self.names.append(f"{Path(script).stem} {arguments[arguments.index('--expname') + 1]}")
        if self.failing and self.failing in self.names[-1]:
            log.write_text("Reading scenes\nError: Expected less, found more; lower it.\n")
            return 2
        log.write_text(run_here(Path(script).name, *arguments))
        return 0


@pytest.fixture
def started(monkeypatch) -> Started:
    found = Started()
    monkeypatch.setattr(started_scripts, "run_logged", found)
    return found


@pytest.fixture
def arguments(tmp_path: Path, rooms_config: Path):
    """arguments(*lines, **shared) -> those of reproduce.py with a plan of one block of these lines."""

    def write(*lines: str, **shared: str) -> list[str]:
        top = {"scenes": "1000", "view_metric": "overlap"} | shared
        text = ["[every row]", *(f"{name} = {value}" for name, value in top.items()), "[Tiny]", *lines]
        plan = tmp_path / "plan.ini"
        plan.write_text("\n".join(text).format(config=rooms_config))
        return ["--plan", str(plan), "--store", str(tmp_path / "store")]

    return write


def know_paces(arguments: list[str]) -> None:
    """Writes the speed of all rows to the store: 0.1 seconds per step, 0.2 seconds per view."""
    plan, store = Path(arguments[1]), Path(arguments[3])
    for row in read_plan(plan).rows:
        path = store / "pace" / f"{pace_key(row.options)}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"seconds_per_step": 0.1, "seconds_per_view": 0.2, "machine": "any"}))


def cells_of(store: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in store.rglob("cell.json")]


def steps_of_cell(cell: dict) -> int:
    return cell["training"]["steps"]


def cells(store: Path) -> dict[str, dict]:
    """The records of all cells, by setting and seed."""
    found = cells_of(store)
    setting = {True: "finetuned", False: "generalized"}
    return {f"{setting[bool(one['training']['start'])]} {one['seed']}": one for one in found}


def test_a_cell_is_made_once_and_stands_in_the_tables(arguments, started, tmp_path, capsys):
    words = arguments(GENERALIZED, FINETUNED)
    assert reproduce.main([*words, "--tables", "1"]) == 0
    # The speed of both rows is measured at once; then there are two trainings and their evaluations.
    assert [name.split()[0] for name in started.names] == 3 * ["train", "eval"]
    store = tmp_path / "store"
    found = cells(store)
    assert found.keys() == {"generalized 0", "finetuned 0"}
    general, tuned = found["generalized 0"], found["finetuned 0"]
    assert (general["training"]["steps"], tuned["training"]["steps"]) == (6, 3)
    assert tuned["training"]["start"]["key"] == general["training"]["key"]
    assert 0.0 < general["training"]["usage"]["core_seconds"] < 60.0
    assert general["seconds_per_view"] > 0.0 and general["training"]["parameters"] > 1000
    table = json.loads((store / "tables" / "table_1.json").read_text())
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
    assert rows[0]["mIoU"] == f"{100 * general['scores']['miou']:.2f}"
    assert (rows[1]["setting"], rows[1]["steps"]) == ("finetuned", "3")
    assert table["made_by"]["machines"] == general["training"]["numerics"]["machine"]
    assert "Empty cells" not in table["note"]
    assert "| Tiny (finetuned, overlap) | 1 | 3 |" in capsys.readouterr().out
    started.names.clear()
    assert reproduce.main([*words, "--tables", "1,3"]) == 0
    assert not started.names
    # Another scene needs no other generalized training.
    assert reproduce.main([*words, "--tables", "1", "--scenes", "1001", "--rows", "Tiny"]) == 0
    assert [name.split("_")[0] for name in started.names] == ["eval gpnerf", "train gpnerf", "eval gpnerf"]
    started.names.clear()
    assert reproduce.main([*words, "--tables", "1", "--scenes", "1002", "--settings", "generalized"]) == 0
    assert [name.split("_")[0] for name in started.names] == ["eval gpnerf"]
    table = json.loads((store / "tables" / "table_1.json").read_text())
    assert table["rows"][0][1] == "generalized" and "Empty cells" not in table["note"]
    assert "--settings generalized" in table["made_by"]["command"]


def test_claims_are_tested_on_the_views_in_the_store(arguments, started, tmp_path):
    short = f"{GENERALIZED} --steps 3"
    words = arguments(GENERALIZED, "tables = 4", "[Short]", short, "tables = 4", "claims = psnr below Tiny")
    know_paces(words)
    assert reproduce.main(words) == 0
    tables = tmp_path / "store" / "tables"
    assert {path.stem for path in tables.glob("*.json")} == {"table_4", "claims"}
    (row,) = json.loads((tables / "claims.json").read_text())["rows"]
    psnr = [one["scores"]["psnr"] for one in sorted(cells_of(tmp_path / "store"), key=steps_of_cell)]
    assert row[:3] == ["Short", "PSNR", "below Tiny"] and row[-1] == "open"
    assert float(row[3]) == pytest.approx(psnr[0] - psnr[1], abs=6e-4)
    ablations = json.loads((tables / "table_4.json").read_text())
    assert [one[0] for one in ablations["rows"][:3]] == ["Tiny", "Short", "ID 1"]
    views = list(csv.DictReader((tables / "views.csv").open()))
    assert {one["row"] for one in views} == {"Tiny (generalized, overlap)", "Short (generalized, overlap)"}
    of_short = [float(one["psnr"]) for one in views if one["row"].startswith("Short")]
    assert fmean(of_short) == pytest.approx(psnr[0], abs=1e-4)


def test_a_budget_sets_the_steps_and_an_estimate_makes_nothing(arguments, started, tmp_path, capsys):
    words = arguments(GENERALIZED, FINETUNED, seeds="0,1")
    know_paces(words)
    assert reproduce.main([*words, "--budget", "0.05", "--estimate"]) == 0
    out = capsys.readouterr().out
    # 3 s at 0.1 s are 30 steps; two seeds; two test views at 0.2 s.
    assert "| Tiny (generalized, overlap) | 2 | 30 | 0.1 | 4 | 0.0 |" in out
    assert "About 0.00 hours" in out and not started.names
    assert reproduce.main([*words, "--budget", "0.05", "--seeds", "1"]) == 0
    found = cells(tmp_path / "store")
    assert {name: one["training"]["steps"] for name, one in found.items()} == {
        "generalized 1": 30,
        "finetuned 1": 30,
    }
    table = (tmp_path / "store" / "tables" / "table_3.md").read_text()
    assert "| Tiny | generalized | depth 0.1, depth_guided 0.25 | no | overlap | 2 | 8 + 4 |" in table


def test_a_failed_run_is_reported_and_others_go_on(arguments, started, tmp_path, caplog):
    words = arguments(GENERALIZED, FINETUNED, seeds="0,1")
    know_paces(words)
    started.failing = "train gpnerf_generalized_seed0"
    with caplog.at_level("INFO"):
        assert reproduce.main(words) == 2
    assert cells(tmp_path / "store").keys() == {"generalized 1", "finetuned 1"}
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    (log,) = (tmp_path / "store" / "runs").glob("gpnerf_generalized_seed0*/train.log")
    assert errors == [
        "Tiny (generalized, overlap), seed 0: train.py ended with code 2: Error: Expected less, found more; "
        f"lower it. (the log is {log})."
    ]
    assert (
        "Tiny (finetuned, overlap) is left out, because the run from which it starts failed." in caplog.text
    )
    started.failing = None
    assert reproduce.main(words) == 0
    assert len(cells(tmp_path / "store")) == 4


def test_a_row_whose_speed_cannot_be_measured_is_reported(arguments, started, tmp_path, caplog):
    """The first evaluation that fails is that of the probe."""
    words = arguments(GENERALIZED)
    started.failing = "eval"
    assert reproduce.main(words) == 2
    assert [name.split()[0] for name in started.names] == ["train", "eval"]
    (log,) = (tmp_path / "store" / "pace").glob("*/eval.log")
    assert "Tiny (generalized, overlap): eval.py ended with code 2" in caplog.text and str(log) in caplog.text
    assert (tmp_path / "store" / "tables" / "table_1.md").is_file()


def test_a_run_at_which_another_process_works_is_left_to_it(arguments, started, tmp_path, caplog):
    words = arguments(GENERALIZED)
    know_paces(words)
    started.failing = "train"
    assert reproduce.main(words) == 2
    (run,) = (tmp_path / "store" / "runs").iterdir()
    (run / "lock").write_text(json.dumps({"host": "another.machine", "pids": [1]}))
    started.names.clear()
    with caplog.at_level("INFO"):
        assert reproduce.main(words) == 0
    assert not started.names and f"Another process works at {run}" in caplog.text


def test_a_killed_reproduction_goes_on(arguments, started, tmp_path):
    """As if the power had failed: neither the script nor the training that it had started can tidy up."""
    words = [*arguments(GENERALIZED), "--tables", "1", "--", "--steps", "40", "--checkpoint_every", "4"]
    know_paces(words)
    with in_its_own_process(words) as (_, first):
        lock = first.with_name("lock")
    assert lock.exists() and not cells(tmp_path / "store")
    assert reproduce.main(words) == 0
    assert "Resuming" in (lock.parent / "train.log").read_text()
    assert [name.split()[0] for name in started.names] == ["train", "eval"]
    assert cells(tmp_path / "store")["generalized 0"]["training"]["steps"] == 40
    assert not lock.exists()


def test_a_stop_signal_reaches_the_training_which_saves(arguments, tmp_path):
    words = [*arguments(GENERALIZED), "--", "--steps", "100000", "--checkpoint_every", "4"]
    know_paces(words)
    with in_its_own_process(words) as (script, first):
        script.send_signal(signal.SIGTERM)
        assert "Stopped; the same command goes on." in script.communicate(timeout=PATIENCE_S)[1]
        assert script.returncode == EXIT_STOPPED
    assert "Stopped after step" in (first.parent / "train.log").read_text()
    assert not (first.parent / "lock").exists()


@contextmanager
def in_its_own_process(words: list[str]) -> Iterator[tuple[subprocess.Popen, Path]]:
    """Runs the script in a process until its training has a checkpoint; then gives both to the body.

    Afterwards, the script and its training are killed.
    """
    runs = Path(words[3]) / "runs"
    script = subprocess.Popen(
        command("scripts/reproduce.py", *words), env=environment(), stderr=subprocess.PIPE, text=True
    )
    try:
        yield script, wait_for(runs, "*/step_*.pt", script)
    finally:
        named = [json.loads(lock.read_text())["pids"] for lock in runs.glob("*/lock")]
        for pid in {script.pid, *sum(named, [])}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        script.communicate()


def wait_for(folder: Path, pattern: str, script: subprocess.Popen) -> Path:
    """The first such file, which the script will write. A script that has ended will not."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and script.poll() is None:
        found = sorted(folder.glob(pattern))
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"no {pattern} in {folder}; the script's exit code is {script.poll()}")


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["--tables", "4"], "has no rows of table '4'; expected some of 1,3"),
        (["--rows", "Other"], "expected some of Tiny"),
        (["--settings", "finetuned"], "has no rows 'finetuned'; expected some of generalized"),
        (["--seeds", "x"], "--seeds: expected whole numbers"),
        (["--", "--seed", "3", "--num_rays", "9"], "does not choose, found --seed; leave them out"),
        (["--budget", "0.0001"], "expected a budget of at least 0.0017 minutes"),
        (["--plan", "nowhere.ini"], "Plan nowhere.ini cannot be read"),
    ],
)
def test_what_the_user_asks_wrongly_gets_a_sentence(arguments, words, sentence):
    given = arguments(GENERALIZED)
    know_paces(given)
    assert sentence in only_sentence(run_here("scripts/reproduce.py", *given, *words, code=2))


def test_scenes_may_be_passed_on_but_not_the_steps_of_a_budget(arguments):
    plan = read_plan(Path(arguments(GENERALIZED)[1]))
    reproduce.check_passed_on(plan, ["--train_scenes", "0", "--test_scenes", "1000", "--steps", "4"])
    timed = replace(plan, rows=tuple(replace(row, minutes=1.0) for row in plan.rows))
    with pytest.raises(ConfigError, match="that this script does not choose, found --steps; leave them out"):
        reproduce.check_passed_on(timed, ["--train_scenes", "0", "--steps", "4"])


@pytest.mark.parametrize(
    "name, text, sentence",
    [
        ("store.json", '{"format_version": 0}', "expected a store of format_version 1, found 0"),
        ("store.json", "no", "expected the record of a store"),
        ("pace/KEY.json", "{}", "expected 'seconds_per_step', found none"),
    ],
)
def test_a_foreign_store_gets_a_sentence(arguments, tmp_path, name, text, sentence):
    given = arguments(GENERALIZED)
    know_paces(given)
    (pace,) = (tmp_path / "store" / "pace").iterdir()
    (tmp_path / "store" / name.replace("KEY", pace.stem)).write_text(text)
    assert sentence in only_sentence(run_here("scripts/reproduce.py", *given, code=2))
