"""Trains and scores the rows of the paper's Tables 1 to 4 as a plan lists them, and writes the tables.

    python scripts/reproduce.py --estimate
    python scripts/reproduce.py --tables 1,2 --seeds 0,1,2
    python scripts/reproduce.py --plan configs/reproduce/rooms.ini --rows "GP-NeRF ours" --budget 10
    python scripts/reproduce.py --scenes 1010-1013 --settings generalized
    python scripts/reproduce.py --plan configs/reproduce/ablations.ini

A cell is a row, a test scene and a seed. Its results are kept in the store, so that it is trained and scored
once: the same command goes on after any stop, and several may work on one store. The tables are made of what
is in the store; one more tests what the plan claims of its rows, and views.csv has the scores of every view.
Options after -- go to train.py and eval.py.
"""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from gpnerf.config.parser import PASS_ON, Parser, options_in
from gpnerf.config.types import amount, names
from gpnerf.evaluation.table import markdown
from gpnerf.reproduction.claims import read_claims
from gpnerf.reproduction.estimate import estimate
from gpnerf.reproduction.keys import SCALED, DataVersions
from gpnerf.reproduction.pace import Pace, known_pace, measured_pace
from gpnerf.reproduction.plan import SETTINGS, Plan, Row, read_plan, whole_numbers
from gpnerf.reproduction.report import Report
from gpnerf.reproduction.runner import fill
from gpnerf.reproduction.runs import Cells
from gpnerf.reproduction.schedules import schedule
from gpnerf.reproduction.scripts import ScriptFailed
from gpnerf.reproduction.store import Store
from gpnerf.reproduction.tables import SHAPES
from gpnerf.system.errors import ConfigError, Faults
from gpnerf.system.scripting import EXIT_STOPPED, EXIT_USER_FAULT, run_script

log = logging.getLogger("reproduce")

PLAN, STORE = "configs/reproduce/rooms.ini", "out/store"
# What the script itself gives to train.py and eval.py.
OWN = {"seed", "view_metric", "out", "expname", "checkpoint", "load_weights"}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--plan", default=PLAN, help=f"file that lists the rows (default: {PLAN})")
    add("--store", default=STORE, help=f"folder of all results (default: {STORE})")
    add("--tables", type=names, help="numbers of tables (default: those of the plan)")
    add("--rows", type=names, help="titles of blocks of the plan (default: all)")
    add("--settings", type=names, help=f"some of {', '.join(SETTINGS)} (default: all of the plan)")
    add("--seeds", help="a,b,c (default: those of the plan)")
    add("--scenes", type=names, help="test scenes (default: those of the plan)")
    add("--budget", type=amount, help="core-minutes of each training; 0: the steps of the configs")
    add("--estimate", action="store_true", help="only say how long it will take")
    return parser.parse_passing_on(arguments)


def with_settings(plan: Plan, settings: Sequence[str] | None) -> Plan:
    """The plan with its rows of these settings alone. Raises ConfigError for one that it lacks."""
    known = dict.fromkeys(row.setting for row in plan.rows)
    unknown = [setting for setting in settings or () if setting not in known]
    if unknown:
        raise ConfigError(
            f"--settings: {plan.path} has no rows {unknown[0]!r}; expected some of {','.join(known)}."
        )
    return replace(plan, rows=tuple(row for row in plan.rows if not settings or row.setting in settings))


def choose_tables(plan: Plan, numbers: Sequence[str] | None) -> list[str]:
    """Those of the tables that were asked for, or all that have rows. Raises ConfigError for an empty one."""
    known = [number for number in SHAPES if any(number in row.tables for row in plan.rows)]
    empty = [number for number in numbers or () if number not in known]
    if empty:
        raise ConfigError(
            f"--tables: {plan.path} has no rows of table {empty[0]!r}; expected some of {','.join(known)}."
        )
    return list(numbers or known)


def choose(plan: Plan, tables: Sequence[str], titles: Sequence[str] | None) -> list[Row]:
    """The rows of these tables and titles. Raises ConfigError for a title that the plan does not have."""
    known = dict.fromkeys(row.title for row in plan.rows)
    unknown = [title for title in titles or () if title not in known]
    if unknown:
        raise ConfigError(
            f"--rows: {plan.path} has no row {unknown[0]!r}; expected some of {','.join(known)}."
        )
    rows = [row for row in plan.rows if set(row.tables) & set(tables) and (not titles or row.title in titles)]
    if not rows:
        raise ConfigError(
            f"{plan.path} has none of the rows {','.join(titles or ())} in table {','.join(tables)}; choose "
            "other --tables, or other --rows."
        )
    return rows


def check_passed_on(plan: Plan, words: Sequence[str]) -> None:
    """Raises ConfigError for an option behind -- that the script itself gives to train.py and eval.py."""
    timed = {"steps", *SCALED} if any(row.minutes for row in plan.rows) else set()
    wrong = [f"--{name}" for name in options_in(words) if name in OWN | timed]
    if wrong:
        raise ConfigError(
            f"Expected options behind {PASS_ON} that this script does not choose, found {', '.join(wrong)}; "
            "leave them out, or use --budget, --seeds or another --plan."
        )


class Reproduction:
    """A plan and its store, and the numbers of steps of the rows whose speed is known."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        plan = read_plan(Path(options.plan), options.passed_on, options.budget, options.scenes)
        check_passed_on(plan, options.passed_on)
        self.plan = with_settings(plan, options.settings)
        self.seeds = whole_numbers(options.seeds, "--seeds") if options.seeds else self.plan.seeds
        self.claims = read_claims(self.plan)
        self.tables = choose_tables(self.plan, options.tables)
        self.rows = choose(self.plan, self.tables, options.rows)
        self.store, self.data = Store(Path(options.store)), DataVersions()
        self.paces: dict[Row, Pace] = {}

    def run(self) -> int:
        """Fills the cells and writes the tables; returns the exit code."""
        faults = self.measure()
        cells = self.cells()
        wanted = cells.all(filter(self.is_known, self.rows), self.seeds, self.plan.scenes)
        hours = estimate(self.store, wanted, self.paces, cells.schedules, self.data)
        sys.stdout.write(f"{markdown(hours)}\n")
        sys.stdout.flush()
        if not self.options.estimate:
            faults.add(*fill(self.store, wanted).sentences)
            self.write_tables()
        for sentence in faults.sentences:
            log.error(sentence)
        return EXIT_USER_FAULT if faults.sentences else 0

    def measure(self) -> Faults:
        """Measures the speed of the rows that were asked for; returns the faults of those that do not run."""
        faults = Faults()
        for row in with_starts(self.rows):
            try:
                self.paces[row] = measured_pace(self.store, row, self.plan.scenes[0])
            except ScriptFailed as error:
                faults.add(f"{row.sentence_name}: {error}")
        return faults

    def is_known(self, row: Row) -> bool:
        """Whether the speed of a row is known, and that of the row from which it starts."""
        return {row, row.start or row} <= self.paces.keys()

    def cells(self) -> Cells:
        """Makes cells of the rows whose speed is known."""
        schedules = {row: schedule(row, pace.seconds_per_step) for row, pace in self.paces.items()}
        return Cells(schedules, self.data)

    def write_tables(self) -> None:
        """Writes the tables with all rows of the plan, also with those that were not asked for."""
        for row in with_starts(self.plan.rows):
            pace = self.paces.get(row) or known_pace(self.store, row)
            self.paces |= {row: pace} if pace else {}
        report = Report(self.plan, self.seeds, self.store, self.cells(), self.command)
        report.write(self.tables, self.claims)

    def command(self, number: str, titles: Sequence[str] = ()) -> str:
        """The command that fills the cells of a table, in the rows with these titles or in all."""
        options = self.options
        given = {"plan": options.plan, "store": options.store, "tables": number, "rows": ",".join(titles)}
        given |= {"settings": ",".join(options.settings or ()), "seeds": options.seeds}
        given |= {"scenes": ",".join(options.scenes or ()), "budget": options.budget}
        stated = {name: value for name, value in given.items() if value not in ("", None)}
        words = [word for name, value in stated.items() for word in (f"--{name}", str(value))]
        passed_on = [PASS_ON, *options.passed_on] if options.passed_on else []
        return shlex.join(["python", "scripts/reproduce.py", *words, *passed_on])


def with_starts(rows: Iterable[Row]) -> dict[Row, None]:
    """The rows, each after the one from which it starts."""
    return dict.fromkeys(one for row in rows for one in (row.start, row) if one)


def main(arguments: Sequence[str] | None = None) -> int:
    try:
        return Reproduction(parse(arguments)).run()
    except KeyboardInterrupt:
        log.info("Stopped; the same command goes on.")
        return EXIT_STOPPED


if __name__ == "__main__":
    run_script(main)
