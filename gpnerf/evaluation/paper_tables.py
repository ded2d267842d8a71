"""Tables 1 to 3 of the paper, with our rows below the published ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpnerf.datasets.options import INSTANCE
from gpnerf.evaluation.label_scoring import joint_origin
from gpnerf.evaluation.published_numbers import (
    DETECTORS,
    TABLE_1,
    TABLE_2,
    TABLE_2_AVERAGE,
    TABLE_2_METHODS,
    TABLE_3,
)
from gpnerf.evaluation.result_files import read_results
from gpnerf.evaluation.results import EvaluationResult, SceneResult, Scores, overall
from gpnerf.evaluation.table import Table, write_table
from gpnerf.methods.method import PHOTOGRAPH

OURS = "this repository"
PAPER = "GP-NeRF"
ACCURACIES = ("total_accuracy", "average_accuracy", "miou")
QUALITIES = ("psnr", "ssim", "lpips_as_published")
TABLE_2_SCORE = "ap_75"
PERCENT = 100.0
NOTHING = "-"


@dataclass(frozen=True)
class Run:
    """One evaluated run.

    setting: "generalized", "finetuned" or "per scene"; step: training steps of its checkpoint; row: name of
    the published rows that it is compared with; facts: how it was made.
    """

    name: str
    setting: str
    dataset: str
    scenes: Sequence[SceneResult]
    step: int
    row: str = PAPER
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def scores(self) -> Scores:
        return overall(self.scenes)


def write_paper_tables(folder: Path, numbers: Sequence[str], run: Run, facts: Mapping[str, Any]) -> list[str]:
    """Writes the tables of these numbers, such as "1", to `folder`; returns the names of their files.

    They show `run`, and the finetuned and instance runs of the same name (scripts/finetune_scenes.py).
    """
    out = Path(str(facts["run"])).parent
    runs = [run, *_kept_runs(out, f"{run.name}_finetuned"), *_kept_runs(out, f"{run.name}_instances")]
    # What was finetuned on the objects of a scene has no row besides those of the same run on its classes.
    of_classes = [one for one in runs if one.facts.get("target") != INSTANCE]
    tables = {"1": lambda: table_1(of_classes), "2": lambda: table_2(runs), "3": lambda: table_3(of_classes)}
    facts = {**facts, **joint_origin([facts, *(one.facts for one in runs)])}
    for number in numbers:
        write_table(folder, f"table_{number}", tables[number](), facts)
    return [f"table_{number}" for number in numbers]


def _kept_runs(out: Path, pattern: str) -> list[Run]:
    """The evaluated runs whose names match a glob pattern."""
    runs = []
    for folder in sorted(out.glob(f"{pattern}/eval")):
        found = read_results(folder)
        if found:
            runs.append(run_of(folder.parent.name, found))
    return runs


def run_of(name: str, found: EvaluationResult) -> Run:
    """The evaluated run of this name."""
    facts = found.facts
    row = facts.get("row of the paper", PAPER)
    return Run(name, facts["setting"], facts["dataset"], found.scenes, facts["step"], row, facts)


def table_1(runs: Sequence[Run]) -> Table:
    """Semantic segmentation: accuracies and mIoU in percent, and our mIoU minus the one of the paper."""
    datasets = list(dict.fromkeys(["replica", "scannet", *(run.dataset for run in runs)]))
    titles = [f"{dataset} {title}" for dataset in datasets for title in ("total acc.", "avg. acc.", "mIoU")]
    rows = [
        [method, setting, *_cells([published.get(dataset, (None,) * 3) for dataset in datasets], 2), NOTHING]
        for (method, setting), published in TABLE_1.items()
    ]
    for run in runs:
        ours = tuple(_percent(run.scores.get(name)) for name in ACCURACIES)
        paper = TABLE_1.get((run.row, run.setting), {}).get(run.dataset)
        values = [ours if dataset == run.dataset else (None,) * 3 for dataset in datasets]
        difference = _difference(ours[-1], paper and paper[-1], 2)
        rows.append([_ours(run), run.setting, *_cells(values, 2), difference])
    return Table(
        "Table 1. Semantic segmentation",
        ["method", "setting", *titles, "mIoU - paper's"],
        rows,
        "Percent. mIoU and average accuracy over the classes present in the labels of a view, averaged over "
        "the views of a scene and then over scenes; unlabelled pixels do not count."
        + _gaps(runs, ACCURACIES)
        + _seen(runs),
    )


def table_2(runs: Sequence[Run]) -> Table:
    """Instance segmentation: AP at an IoU of 0.75 in percent, a row per scene."""
    own = {
        scene.scene: _percent(scene.scores.get(TABLE_2_SCORE))
        for run in runs
        for scene in run.scenes
        if scene.scores.get(TABLE_2_SCORE) is not None
    }
    row = next((run.row for run in runs if run.row in TABLE_2_METHODS), PAPER)
    column = TABLE_2_METHODS.index(row)
    rows = []
    for scene, published in TABLE_2.items():
        ours = next((value for name, value in own.items() if name.split("/")[0] == scene), None)
        rows.append([scene, *_cells([published, (ours,)], 2), _difference(ours, published[column], 2)])
    others = {name: value for name, value in own.items() if name.split("/")[0] not in TABLE_2}
    for scene, value in others.items():
        rows.append([scene, *_cells([(None,) * len(TABLE_2_METHODS), (value,)], 2), NOTHING])
    average = sum(own.values()) / len(own) if own else None
    scored = [run for run in runs if run.scores.get(TABLE_2_SCORE) is not None]
    gap = "" if own else _gaps(runs, (TABLE_2_SCORE,))
    rows.append(["**average**", *_cells([TABLE_2_AVERAGE, (average,)], 2), NOTHING])
    return Table(
        "Table 2. Instance segmentation, AP at 0.75",
        ["scene", *TABLE_2_METHODS, OURS, f"ours - {row}"],
        rows,
        "Percent; per image, by the recipe of DM-NeRF, which does not count unmatched predictions as false "
        f"positives (table.md also has the strict AP). {' and '.join(DETECTORS)} label the photograph of the "
        "test view, which the others do not see." + gap + _seen(scored),
    )


def table_3(runs: Sequence[Run]) -> Table:
    """Reconstruction: PSNR, SSIM and LPIPS as published."""
    decimals, rendered = (2, 3, 3), [run for run in runs if run.scores.get("psnr") is not None]
    rows = [
        [method, setting, *_cells([published], decimals), NOTHING]
        for (method, setting), published in TABLE_3.items()
    ]
    for run in runs:
        ours = tuple(run.scores.get(name) for name in QUALITIES)
        paper = TABLE_3.get((run.row, run.setting)) if run.dataset == "scannet" else None
        difference = _difference(ours[0], paper and paper[0], 2)
        rows.append([f"{_ours(run)}, {run.dataset}", run.setting, *_cells([ours], decimals), difference])
    return Table(
        "Table 3. Reconstruction (published rows: ScanNet)",
        ["method", "setting", "PSNR", "SSIM", "LPIPS", "PSNR - paper's"],
        rows,
        "PSNR of unclipped colours; SSIM with an 11x11 Gaussian window, zero-padded (published rows taken "
        "from Semantic-Ray: uniform window); LPIPS: VGG with inputs in [0, 1], as published."
        + _gaps(runs, QUALITIES[:1])
        + _gaps(rendered, QUALITIES),
    )


def _ours(run: Run) -> str:
    return f"**{OURS}: {run.name}**"


def _percent(value: float | None) -> float | None:
    return None if value is None else PERCENT * value


def _difference(ours: float | None, paper: float | None, decimals: int) -> str:
    return NOTHING if ours is None or paper is None else f"{ours - paper:+.{decimals}f}"


def _cells(groups: Sequence[Sequence[float | None]], decimals: int | Sequence[int]) -> list[str]:
    values = [value for group in groups for value in group]
    places = [decimals] * len(values) if isinstance(decimals, int) else decimals
    return [
        NOTHING if value is None else f"{value:.{one}f}" for value, one in zip(values, places, strict=True)
    ]


def _gaps(runs: Sequence[Run], names: Sequence[str]) -> str:
    """Sentences that say why cells of our rows are empty."""
    reasons = {
        "psnr": "the method only labels photographs",
        "lpips_as_published": "the VGG weights of LPIPS are not on this machine (run scripts/fetch_lpips.py)",
        TABLE_2_SCORE: "the run was not trained with --target instance",
        "miou": "the run has no classes, or its test views have no labels",
    }
    missing = [
        name for name in names if name in reasons and any(run.scores.get(name) is None for run in runs)
    ]
    return "".join(f" Empty cells of ours: {reasons[name]}." for name in missing)


def _seen(runs: Sequence[Run]) -> str:
    """A sentence that names those of our runs whose labels are not of a rendered view."""
    names = [run.name for run in runs if run.facts.get("segment") == PHOTOGRAPH]
    return f" Labels of the photograph of the test view: {', '.join(names)}." if names else ""
