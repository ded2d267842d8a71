"""The table of GSNeRF's protocol: published rows of its scenes and ours, with their gain over Semantic-Ray.

Semantic-Ray itself differs by 1.6 mIoU between these scenes and the paper's, so that the two are compared by
the gain over each paper's own Semantic-Ray row. Beside the table lies a file with a table of each protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpnerf.datasets.options import INSTANCE
from gpnerf.evaluation.protocols import GSNERF, PAPER, listed_scenes, results_folder
from gpnerf.evaluation.published_numbers import GSNERF_TABLE, TABLE_1, TABLE_3
from gpnerf.evaluation.result_files import read_results
from gpnerf.evaluation.results import EvaluationResult, overall
from gpnerf.evaluation.table import Table, markdown, write_table
from gpnerf.system.files import write_whole

NAME, BOTH = "table_gsnerf", "both_protocols.md"
ADVICE = "The two tables are of other scenes: compare gains between them, not scores."
BASELINE, PAPER_METHOD, GENERALIZED = "Semantic-Ray", "GP-NeRF", "generalized"
DATASETS = ("scannet", "replica")
SCORES = ("mIoU", "PSNR")
NOTHING = "-"
NOT_STATED = "not stated"
PERCENT = 100.0

# mIoU in percent and PSNR in dB, None where unknown.
Values = tuple[float | None, float | None]
# By method and depth in training, then by setting and data set.
Published = Mapping[tuple[str, str], Mapping[str, Mapping[str, Values]]]


@dataclass(frozen=True)
class Block:
    """What makes the table of a protocol: published rows, and the note below them."""

    protocol: str
    title: str
    published: Published
    note: str


def write_gsnerf_table(folder: Path, out: Path, facts: Mapping[str, Any]) -> None:
    """Writes the table to `folder`, and a file with it and the table of the paper's protocol.

    Each holds the runs of the folder `out` that were evaluated by its protocol.
    """
    gsnerf = gsnerf_table(_evaluated(out, GSNERF))
    write_table(folder, NAME, gsnerf, facts)
    paper = paper_table([run for run in _evaluated(out, PAPER) if _is_of_paper(run)])
    write_whole(folder / BOTH, f"{ADVICE}\n\n{markdown(paper)}\n{markdown(gsnerf)}")


def _evaluated(out: Path, protocol: str) -> list[EvaluationResult]:
    found = [read_results(path) for path in sorted(out.glob(f"*/{results_folder(protocol)}"))]
    return [one for one in found if one]


def _is_of_paper(run: EvaluationResult) -> bool:
    """Whether a run has scenes of the paper's Tables 1 and 3 alone; those of Table 2 have other frames."""
    dataset = run.facts.get("dataset")
    listed = listed_scenes(dataset, PAPER) if dataset in DATASETS else ()
    return run.facts.get("target") != INSTANCE and {scene.scene for scene in run.scenes} <= set(listed)


def gsnerf_table(runs: Sequence[EvaluationResult]) -> Table:
    """Published rows, then ours. The gain of a run is over our run of Semantic-Ray on the same scenes."""
    return _table(Block(GSNERF, "Scenes of GSNeRF", GSNERF_TABLE, _note()), runs)


def paper_table(runs: Sequence[EvaluationResult]) -> Table:
    """Likewise for the paper's scenes: mIoU of Table 1, and PSNR of Table 3, which is of ScanNet."""
    note = (
        "mIoU in percent, PSNR in dB. Gain: over the Semantic-Ray row of the paper in the same setting, for "
        "ours over our run of Semantic-Ray on the same scenes."
    )
    return _table(Block(PAPER, "Scenes of the paper", _paper_rows(), note), runs)


def _paper_rows() -> Published:
    rows: dict[tuple[str, str], dict[str, Mapping[str, Values]]] = {}
    for method, setting in dict.fromkeys([*TABLE_1, *TABLE_3]):
        miou = {data: scores[-1] for data, scores in TABLE_1.get((method, setting), {}).items()}
        psnr = {"scannet": TABLE_3.get((method, setting), (None,))[0]}
        values = {data: (miou.get(data), psnr.get(data)) for data in DATASETS}
        rows.setdefault((method, NOT_STATED), {})[setting] = values
    return rows


def _table(block: Block, runs: Sequence[EvaluationResult]) -> Table:
    rows = [
        [method, depth, setting, "all", *_cells(values, _published_baseline(block, depth, setting, values))]
        for (method, depth), settings in block.published.items()
        for setting, values in settings.items()
    ]
    for run in runs:
        title = f"**this repository: {Path(run.facts['run']).name}**"
        facts = [run.facts.get("depth in training", NOTHING), run.facts["setting"], _extent(run, block)]
        values = {run.facts["dataset"]: _values(run)}
        rows.append([title, *facts, *_cells(values, _own_baseline(run, runs))])
    columns = [f"{data} {score}{gain}" for data in DATASETS for score in SCORES for gain in ("", " gain")]
    return Table(
        block.title, ["method", "depth in training", "setting", "scenes", *columns], rows, block.note
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


def _published_baseline(
    block: Block, depth: str, setting: str, values: Mapping[str, Values]
) -> Mapping[str, Values]:
    baseline = block.published[BASELINE, depth].get(setting, {})
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


def _extent(run: EvaluationResult, block: Block) -> str:
    """How many scenes of the list a run has."""
    listed = len(listed_scenes(run.facts["dataset"], block.protocol))
    return "all" if len(run.scenes) == listed else f"{len(run.scenes)} of {listed}"
