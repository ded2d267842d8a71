"""The four tables of the paper with our rows beside the published ones, as markdown, csv, LaTeX and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gpnerf.evaluation.page import Table
from gpnerf.evaluation.paper_results import (
    TABLE_1,
    TABLE_2,
    TABLE_2_AVERAGE,
    TABLE_2_METHODS,
    TABLE_3,
    TABLE_4,
    TABLE_4_PARTS,
)
from gpnerf.evaluation.view_results import SceneResult, Scores, overall
from gpnerf.system.files import write_whole

OURS = "this repository"
PAPER = "GP-NeRF"
ACCURACIES = ("total_accuracy", "average_accuracy", "miou")
QUALITIES = ("psnr", "ssim", "lpips_as_published")
TABLE_2_SCORE = "ap_75"
PERCENT = 100.0
NOTHING = "-"


@dataclass(frozen=True)
class Run:
    """The results of one evaluation. setting: "generalized", "finetuned" or "per scene"; step: of the
    checkpoint."""

    name: str
    setting: str
    dataset: str
    scenes: Sequence[SceneResult]
    step: int

    @property
    def scores(self) -> Scores:
        return overall(self.scenes)


def table_1(runs: Sequence[Run]) -> Table:
    """Semantic segmentation: accuracies and mIoU in percent, and how far our mIoU is from the paper's."""
    datasets = list(dict.fromkeys(["replica", "scannet", *(run.dataset for run in runs)]))
    titles = [f"{dataset} {title}" for dataset in datasets for title in ("total acc.", "avg. acc.", "mIoU")]
    rows = [
        [method, setting, *_cells([published.get(dataset, (None,) * 3) for dataset in datasets], 2), NOTHING]
        for (method, setting), published in TABLE_1.items()
    ]
    for run in runs:
        ours = tuple(_percent(run.scores.get(name)) for name in ACCURACIES)
        paper = TABLE_1.get((PAPER, run.setting), {}).get(run.dataset)
        values = [ours if dataset == run.dataset else (None,) * 3 for dataset in datasets]
        difference = _difference(ours[-1], paper and paper[-1], 2)
        rows.append([_ours(run), run.setting, *_cells(values, 2), difference])
    return Table(
        "Table 1. Semantic segmentation",
        ["method", "setting", *titles, "mIoU - paper's"],
        rows,
        "Percent. mIoU and average accuracy over the classes present in a view's truth, averaged per view, "
        "scene and data set; unlabelled pixels are not counted." + _gaps(runs, ACCURACIES),
    )


def table_2(runs: Sequence[Run]) -> Table:
    """Instance segmentation: AP at an IoU of 0.75 in percent, a row per scene."""
    own = {
        scene.scene: _percent(scene.scores.get(TABLE_2_SCORE))
        for run in runs
        for scene in run.scenes
        if scene.scores.get(TABLE_2_SCORE) is not None
    }
    rows = []
    for scene, published in TABLE_2.items():
        ours = next((value for name, value in own.items() if name.split("/")[0] == scene), None)
        rows.append([scene, *_cells([published, (ours,)], 2), _difference(ours, published[-1], 2)])
    others = {name: value for name, value in own.items() if name.split("/")[0] not in TABLE_2}
    for scene, value in others.items():
        rows.append([scene, *_cells([(None,) * len(TABLE_2_METHODS), (value,)], 2), NOTHING])
    average = sum(own.values()) / len(own) if own else None
    gap = "" if own else _gaps(runs, (TABLE_2_SCORE,))
    rows.append(["**average**", *_cells([TABLE_2_AVERAGE, (average,)], 2), NOTHING])
    return Table(
        "Table 2. Instance segmentation, AP at 0.75",
        ["scene", *TABLE_2_METHODS, OURS, "ours - GP-NeRF"],
        rows,
        "Percent; per image by DM-NeRF's recipe, in which unmatched predictions are no false positives "
        "(the stricter AP stands in table.md)." + gap,
    )


def table_3(runs: Sequence[Run]) -> Table:
    """Reconstruction: PSNR, SSIM and LPIPS as published."""
    decimals = (2, 3, 3)
    rows = [
        [method, setting, *_cells([published], decimals), NOTHING]
        for (method, setting), published in TABLE_3.items()
    ]
    for run in runs:
        ours = tuple(run.scores.get(name) for name in QUALITIES)
        paper = TABLE_3.get((PAPER, run.setting)) if run.dataset == "scannet" else None
        difference = _difference(ours[0], paper and paper[0], 2)
        rows.append([f"{_ours(run)}, {run.dataset}", run.setting, *_cells([ours], decimals), difference])
    return Table(
        "Table 3. Reconstruction (published rows: ScanNet)",
        ["method", "setting", "PSNR", "SSIM", "LPIPS", "PSNR - paper's"],
        rows,
        "PSNR of unclipped colours; SSIM with an 11x11 Gaussian window, zero-padded (rows taken from "
        "Semantic-Ray: uniform window); LPIPS: VGG with inputs in [0, 1], as published."
        + _gaps(runs, QUALITIES),
    )


def table_4(runs: Mapping[str, Sequence[Run]]) -> Table:
    """Ablation. runs: those of each ID, one per seed; their mean is shown."""
    rows = []
    for number, (parts, miou, psnr) in TABLE_4.items():
        scores = [run.scores for run in runs.get(number, ())]
        ours = [_mean([one.get(name) for one in scores]) for name in ("miou", "psnr")]
        ours[0] = _percent(ours[0])
        marks = ["yes" if part else "no" for part in parts]
        cells = _cells([(miou, psnr), tuple(ours)], 2)
        rows.append([number, *marks, *cells, _difference(ours[0], miou, 2), str(len(scores))])
        rows[-1].append(", ".join(map(str, sorted({run.step for run in runs.get(number, ())}))) or "-")
    lacking = [number for number in TABLE_4 if not runs.get(number)]
    gap = f" Not run: ID {', '.join(lacking)} (scripts/run_ablations.py table4)." if lacking else ""
    return Table(
        "Table 4. Ablation (published rows: ScanNet)",
        [
            "ID",
            *TABLE_4_PARTS,
            "mIoU, paper",
            "PSNR, paper",
            "mIoU",
            "PSNR",
            "mIoU - paper's",
            "seeds",
            "steps",
        ],
        rows,
        "mIoU in percent, PSNR in dB; ours are means over seeds." + gap,
    )


def markdown(table: Table) -> str:
    """The table with its title and note."""
    return f"### {table.title}\n\n{markdown_rows(table)}\n{table.note}\n"


def markdown_rows(table: Table) -> str:
    """The table alone."""
    aligned = ["---", *["--:"] * (len(table.columns) - 1)]
    return "".join(f"| {' | '.join(row)} |\n" for row in (table.columns, aligned, *table.rows))


def latex(table: Table) -> str:
    """The table as a tabular of booktabs."""
    columns = "l" + "r" * (len(table.columns) - 1)
    body = [" & ".join(map(_latex_cell, row)) + r" \\" for row in table.rows]
    header = " & ".join(map(_latex_cell, table.columns)) + r" \\"
    lines = [f"% {table.title}. {table.note}", rf"\begin{{tabular}}{{{columns}}}", r"\toprule", header]
    return "\n".join([*lines, r"\midrule", *body, r"\bottomrule", r"\end{tabular}", ""])


def write_table(folder: Path, name: str, table: Table, facts: Mapping[str, str]) -> None:
    """Writes name.md, .csv, .tex and .json; facts: protocol, checkpoint, ..., how the rows were made."""
    made_by = facts_line(facts)
    write_whole(folder / f"{name}.md", f"{markdown(table)}\n{made_by}\n")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([table.columns, *([cell.strip("*") for cell in row] for row in table.rows)])
    write_whole(folder / f"{name}.csv", text.getvalue())
    write_whole(folder / f"{name}.tex", f"% {made_by}\n{latex(table)}")
    write_whole(
        folder / f"{name}.json", json.dumps({**asdict(table), "made_by": dict(facts)}, indent=1) + "\n"
    )


def facts_line(facts: Mapping[str, object]) -> str:
    """How numbers were made, in a line."""
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def _ours(run: Run) -> str:
    return f"**{OURS}: {run.name}**"


def _latex_cell(cell: str) -> str:
    bold = cell.startswith("**")
    text = cell.strip("*")
    for special in "&%$#_{}":
        text = text.replace(special, f"\\{special}")
    return rf"\textbf{{{text}}}" if bold else text


def _percent(value: float | None) -> float | None:
    return None if value is None else PERCENT * value


def _mean(values: Sequence[float | None]) -> float | None:
    return None if not values or None in values else sum(values) / len(values)


def _difference(ours: float | None, paper: float | None, decimals: int) -> str:
    return NOTHING if ours is None or paper is None else f"{ours - paper:+.{decimals}f}"


def _cells(groups: Sequence[Sequence[float | None]], decimals: int | Sequence[int]) -> list[str]:
    values = [value for group in groups for value in group]
    places = [decimals] * len(values) if isinstance(decimals, int) else decimals
    return [
        NOTHING if value is None else f"{value:.{one}f}" for value, one in zip(values, places, strict=True)
    ]


def _gaps(runs: Sequence[Run], names: Sequence[str]) -> str:
    """Why cells of our rows are empty."""
    reasons = {
        "lpips_as_published": "the VGG weights of LPIPS are not on this machine",
        TABLE_2_SCORE: "the run was not trained with --target instance",
        "miou": "the run has no classes, or its test views no labels",
    }
    missing = [
        name for name in names if name in reasons and any(run.scores.get(name) is None for run in runs)
    ]
    return "".join(f" Empty cells of ours: {reasons[name]}." for name in missing)
