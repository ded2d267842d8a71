"""The table of GSNeRF's protocol: published rows of its scenes and ours, with their gain over Semantic-Ray.

Semantic-Ray itself differs by 1.6 mIoU between these scenes and the paper's, so that the two are compared by
the gain over each paper's own Semantic-Ray row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gpnerf.evaluation.protocols import GSNERF, listed_scenes, results_folder
from gpnerf.evaluation.published_numbers import GSNERF_TABLE, TABLE_1, TABLE_3
from gpnerf.evaluation.result_files import read_results
from gpnerf.evaluation.results import EvaluationResult, overall
from gpnerf.evaluation.table import Table, write_table

NAME = "table_gsnerf"
BASELINE, PAPER_METHOD, GENERALIZED = "Semantic-Ray", "GP-NeRF", "generalized"
DATASETS = ("scannet", "replica")
SCORES = ("mIoU", "PSNR")
NOTHING = "-"
PERCENT = 100.0

# mIoU in percent and PSNR in dB, None where unknown.
Values = tuple[float | None, float | None]


def write_gsnerf_table(folder: Path, out: Path, facts: Mapping[str, Any]) -> None:
    """Writes the table to `folder`, with the runs of the folder `out` that were evaluated by the protocol."""
    found = [read_results(path) for path in sorted(out.glob(f"*/{results_folder(GSNERF)}"))]
    write_table(folder, NAME, gsnerf_table([one for one in found if one]), facts)


def gsnerf_table(runs: Sequence[EvaluationResult]) -> Table:
    """Published rows, then ours. The gain of a run is over our run of Semantic-Ray on the same scenes."""
    rows = [
        [method, depth, setting, "all", *_cells(values, _published_baseline(depth, setting, values))]
        for (method, depth), settings in GSNERF_TABLE.items()
        for setting, values in settings.items()
    ]
    for run in runs:
        title = f"**this repository: {Path(run.facts['run']).name}**"
        depth = run.facts.get("depth in training", NOTHING)
        values = {run.facts["dataset"]: _values(run)}
        rows.append(
            [title, depth, run.facts["setting"], _extent(run), *_cells(values, _own_baseline(run, runs))]
        )
    columns = [f"{data} {score}{gain}" for data in DATASETS for score in SCORES for gain in ("", " gain")]
    return Table(
        "Scenes of GSNeRF", ["method", "depth in training", "setting", "scenes", *columns], rows, _note()
    )


def _note() -> str:
    gains = [
        TABLE_1[PAPER_METHOD, GENERALIZED]["scannet"][2] - TABLE_1[BASELINE, GENERALIZED]["scannet"][2],
        TABLE_3[PAPER_METHOD, GENERALIZED][0] - TABLE_3[BASELINE, GENERALIZED][0],
    ]
    return (
        "mIoU in percent, PSNR in dB; 8 source views. Gain: over the Semantic-Ray row of the same paper with "
        "the same depth, for ours over our run of Semantic-Ray on the same scenes. The paper's Tables 1 and "
        f"3 are of other scenes, on which {PAPER_METHOD} gains {gains[0]:+.2f} mIoU and {gains[1]:+.2f} dB "
        f"(ScanNet, {GENERALIZED}). On Replica, GSNeRF scores 19 classes, and we those of --label_space: its "
        "mIoU is not comparable with ours there."
    )


def _cells(values: Mapping[str, Values], baseline: Mapping[str, Values]) -> list[str]:
    """The scores of each data set, each followed by its difference from the baseline."""
    cells = []
    for data in DATASETS:
        own, other = (group.get(data, (None, None)) for group in (values, baseline))
        for value, reference in zip(own, other, strict=True):
            cells.append(NOTHING if value is None else f"{value:.2f}")
            cells.append(NOTHING if None in (value, reference) else f"{value - reference:+.2f}")
    return cells


def _published_baseline(depth: str, setting: str, values: Mapping[str, Values]) -> Mapping[str, Values]:
    baseline = GSNERF_TABLE[BASELINE, depth].get(setting, {})
    return {} if values is baseline else baseline


def _own_baseline(run: EvaluationResult, runs: Sequence[EvaluationResult]) -> Mapping[str, Values]:
    """The scores of our Semantic-Ray with the data, setting and scenes of a run; empty without such a run."""

    def kind(one: EvaluationResult) -> tuple[str, str, list[str]]:
        return one.facts["dataset"], one.facts["setting"], sorted(scene.scene for scene in one.scenes)

    for other in runs:
        if other is not run and other.facts.get("row of the paper") == BASELINE and kind(other) == kind(run):
            return {run.facts["dataset"]: _values(other)}
    return {}


def _values(run: EvaluationResult) -> Values:
    scores = overall(run.scenes)
    miou = scores.get("miou")
    return None if miou is None else PERCENT * miou, scores.get("psnr")


def _extent(run: EvaluationResult) -> str:
    """How many scenes of the list a run has."""
    listed = len(listed_scenes(run.facts["dataset"], GSNERF))
    return "all" if len(run.scenes) == listed else f"{len(run.scenes)} of {listed}"
