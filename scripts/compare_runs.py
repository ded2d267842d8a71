"""Compares the scores of evaluated runs, scene by scene, with the differences from the first run.

    python scripts/compare_runs.py out/rooms out/rooms_finetuned
    python scripts/compare_runs.py out/a out/b out/c --scores psnr,miou,ap_75 --scenes office_0,room_1

A score is compared if at least two of the runs have it. A single scene has one table of all scores.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gpnerf.config.parser import Parser
from gpnerf.config.types import names
from gpnerf.evaluation.label_scoring import ORIGIN
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
    """Makes a table for each score that two runs have: a row per scene, columns of runs and differences.

    A single scene has one table instead, with a row per score.
    """
    by_run = {run: _rows(result) for run, result in runs.items()}
    known = [score for score in scores if _count(by_run, score) > 1]
    scenes = list(dict.fromkeys(scene for rows in by_run.values() for scene in rows if scene != MEAN))
    first, *others = by_run
    columns = [*by_run, *(f"{run} - {first}" for run in others)]
    if len(scenes) == 1:
        rows = [[ALL_TITLES[score], *_cells(by_run, *scenes, score)] for score in known]
        return [Table(*scenes, ["score", *columns], rows)] if known else []
    return [
        Table(
            ALL_TITLES[score],
            ["scene", *columns],
            [[scene, *_cells(by_run, scene, score)] for scene in (*scenes, MEAN)],
        )
        for score in known
    ]


def _rows(result: EvaluationResult) -> dict[str, Scores]:
    """Scores by scene, the mean of scenes last."""
    scenes = result.scenes
    return {**{scene.scene: scene.scores for scene in scenes}, MEAN: overall(scenes)}


def _count(by_run: dict[str, dict[str, Scores]], score: str) -> int:
    """The number of runs that have this score of a scene."""
    return sum(any(one.get(score) is not None for one in rows.values()) for rows in by_run.values())


def _cells(by_run: dict[str, dict[str, Scores]], scene: str, score: str) -> list[str]:
    """A score of a scene in every run, then the differences from the first run."""
    first, *others = by_run
    # Means over different scenes cannot be compared.
    comparable = {run: scene != MEAN or by_run[run].keys() == by_run[first].keys() for run in others}
    values = {run: rows.get(scene, {}).get(score) for run, rows in by_run.items()}
    differences = [
        "-"
        if None in (values[run], values[first]) or not comparable[run]
        else f"{values[run] - values[first]:+.3f}"
        for run in others
    ]
    return [*(cell(score, {score: value}) for value in values.values()), *differences]


def disagreements(runs: dict[str, EvaluationResult]) -> list[str]:
    """One sentence for each of COMPARED_FACTS in which the runs differ."""
    sentences = []
    for fact in COMPARED_FACTS:
        values = {run: str(result.facts.get(fact)) for run, result in runs.items()}
        if len(set(values.values())) > 1:
            listed = ", ".join(f"{run}: {value}" for run, value in values.items())
            sentences.append(f"The runs differ in {fact} ({listed}), so differences of scores mean little.")
    return sentences


def origins(runs: dict[str, EvaluationResult]) -> list[str]:
    """One sentence for each run whose labels a model made."""
    return [f"{run}: labels {one.facts[ORIGIN]}." for run, one in runs.items() if one.facts.get(ORIGIN)]


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    runs = {str(run): load(run, options.scenes) for run in options.runs}
    found = {view.scene for result in runs.values() for view in result.views}
    missing = [scene for scene in options.scenes or () if scene not in found]
    if missing:
        raise DataError(
            f"--scenes: expected scenes of the runs, found {', '.join(missing)}, which none has; correct it."
        )
    tables = compare(runs, options.scores)
    if not tables:
        raise DataError(
            f"Expected two runs with one of the scores {', '.join(options.scores)}, found none; choose other "
            "--scores."
        )
    for text in [*disagreements(runs), *origins(runs), *map(markdown, tables)]:
        sys.stdout.write(f"{text}\n")
    return 0


if __name__ == "__main__":
    run_script(main)
