"""Compares the scores of evaluated runs, scene by scene, with the differences from the first run.

    python scripts/compare_runs.py out/rooms out/rooms_finetuned
    python scripts/compare_runs.py out/a out/b out/c --scores psnr,miou,ap_75 --scenes office_0,room_1

A score is compared if at least two of the runs have it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gpnerf.config.parser import Parser
from gpnerf.config.types import names
from gpnerf.evaluation.result_files import read_results
from gpnerf.evaluation.results import POOLED_TITLES, TITLES, EvaluationResult, Scores, overall
from gpnerf.evaluation.scene_table import cell
from gpnerf.evaluation.table import Table, markdown
from gpnerf.system.errors import ConfigError, DataError
from gpnerf.system.scripting import run_script

ALL_TITLES = TITLES | POOLED_TITLES
DEFAULT_SCORES = ("psnr", "ssim", "miou", "ap_75")
MEAN = "**mean of scenes**"
# Facts of evaluations that must agree for a difference of scores to mean anything.
COMPARED_FACTS = ("protocol", "dataset", "size", "stride", "segment")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("runs", nargs="+", type=Path, help="folders of runs, or of their evaluations")
    parser.add_argument("--scores", type=names, default=DEFAULT_SCORES, help="default: psnr,ssim,miou,ap_75")
    parser.add_argument("--scenes", type=names, help="scenes to compare (default: all)")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.scores if name not in ALL_TITLES]
    if unknown:
        raise ConfigError(f"Unknown score {unknown[0]}; expected some of {', '.join(ALL_TITLES)}.")
    if len(options.runs) < 2:
        raise ConfigError(f"Expected two runs or more, found {len(options.runs)}; name another folder.")
    return options


def load(run: Path, scenes: Sequence[str] | None) -> EvaluationResult:
    """Reads the evaluation of a run, of these scenes alone if there are any. Raises DataError for nothing."""
    found = read_results(run / "eval") or read_results(run)
    if found is None:
        raise DataError(f"{run}: expected an evaluated run, found no eval/metrics.json; run eval.py first.")
    views = [view for view in found.views if scenes is None or view.scene in scenes]
    if not views:
        raise DataError(
            f"{run}: expected views of {', '.join(scenes)}, found only "
            f"{', '.join(scene.scene for scene in found.scenes)}; correct --scenes."
        )
    return replace(found, views=views)


def compare(runs: dict[str, EvaluationResult], scores: Sequence[str]) -> list[Table]:
    """Makes a table for each score that two runs have: a row per scene, columns of runs and differences."""
    tables = []
    for name in scores:
        by_run = {run: _rows(result, name) for run, result in runs.items()}
        scenes = list(dict.fromkeys(scene for rows in by_run.values() for scene in rows))
        if sum(any(value.get(name) is not None for value in rows.values()) for rows in by_run.values()) > 1:
            tables.append(_table(name, by_run, scenes))
    return tables


def _rows(result: EvaluationResult, name: str) -> dict[str, Scores]:
    """Scores by scene, the mean of scenes last."""
    scenes = result.scenes
    return {**{scene.scene: scene.scores for scene in scenes}, MEAN: overall(scenes)}


def _table(name: str, by_run: dict[str, dict[str, Scores]], scenes: Sequence[str]) -> Table:
    first, *others = by_run
    # Means over different scenes cannot be compared.
    comparable = {run: by_run[run].keys() == by_run[first].keys() for run in others}
    rows = []
    for scene in [*(scene for scene in scenes if scene != MEAN), MEAN]:
        values = {run: rows_of.get(scene, {}).get(name) for run, rows_of in by_run.items()}
        differences = [
            "-"
            if None in (values[run], values[first]) or (scene == MEAN and not comparable[run])
            else f"{values[run] - values[first]:+.3f}"
            for run in others
        ]
        rows.append([scene, *(cell(name, {name: value}) for value in values.values()), *differences])
    columns = ["scene", *by_run, *(f"{run} - {first}" for run in others)]
    return Table(ALL_TITLES[name], columns, rows)


def disagreements(runs: dict[str, EvaluationResult]) -> list[str]:
    """One sentence for each of COMPARED_FACTS in which the runs differ."""
    sentences = []
    for fact in COMPARED_FACTS:
        values = {run: str(result.facts.get(fact)) for run, result in runs.items()}
        if len(set(values.values())) > 1:
            listed = ", ".join(f"{run}: {value}" for run, value in values.items())
            sentences.append(f"The runs differ in {fact} ({listed}), so differences of scores mean little.")
    return sentences


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    runs = {str(run): load(run, options.scenes) for run in options.runs}
    tables = compare(runs, options.scores)
    if not tables:
        raise DataError(
            f"Expected two runs with one of the scores {', '.join(options.scores)}, found none; choose other "
            "--scores."
        )
    for text in [*disagreements(runs), *map(markdown, tables)]:
        sys.stdout.write(f"{text}\n")
    return 0


if __name__ == "__main__":
    run_script(main)
