"""From a row per view to the tables of an evaluation: csv, json, markdown."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import Any

from gpnerf.files import write_whole


@dataclass(frozen=True)
class Scores:
    """Of one view, or averaged. None where the data has no labels or the metric cannot be computed.

    psnr in dB, ssim and lpips as gpnerf.metrics.image defines them; miou and accuracies in [0, 1] over the
    classes present in the image; the last two are the baselines that any method must beat.
    """

    psnr: float
    ssim: float
    ssim_scikit: float
    lpips: float | None
    miou: float | None
    total_accuracy: float | None
    average_accuracy: float | None
    psnr_nearest_view: float
    miou_majority_class: float | None


@dataclass(frozen=True)
class ViewRow:
    """The scores of one rendered view."""

    scene: str
    view: str
    scores: Scores


COLUMNS = {
    "psnr": "PSNR",
    "ssim": "SSIM",
    "lpips": "LPIPS",
    "miou": "mIoU",
    "total_accuracy": "total acc.",
    "average_accuracy": "average acc.",
    "psnr_nearest_view": "PSNR of the nearest view",
    "miou_majority_class": "mIoU of the majority class",
}


def average(scores: Sequence[Scores]) -> Scores:
    """The mean of every column; None where a value is missing."""
    columns = {field.name: [getattr(one, field.name) for one in scores] for field in fields(Scores)}
    return Scores(**{name: None if None in column else fmean(column) for name, column in columns.items()})


def summarize(rows: Sequence[ViewRow]) -> dict[str, Any]:
    """Views are averaged per scene, scenes overall (Sec. 5.1): {"overall": ..., "scenes": {name: ...}}."""
    by_scene: dict[str, list[Scores]] = {}
    for row in rows:
        by_scene.setdefault(row.scene, []).append(row.scores)
    scenes = {name: average(scores) for name, scores in by_scene.items()}
    return {
        "overall": {**asdict(average(list(scenes.values()))), "views": len(rows)},
        "scenes": {name: {**asdict(scenes[name]), "views": len(by_scene[name])} for name in scenes},
    }


def markdown_table(summary: dict[str, Any]) -> str:
    """Scenes and their mean as a markdown table."""
    lines = [
        "| scene | views | " + " | ".join(COLUMNS.values()) + " |",
        "|---|" + "--:|" * (len(COLUMNS) + 1),
    ]
    for name, scores in [*summary["scenes"].items(), ("**mean of scenes**", summary["overall"])]:
        cells = [_cell(column, scores[column]) for column in COLUMNS]
        lines.append(f"| {name} | {scores['views']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(column: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if column.startswith("psnr") else f"{value:.3f}"


NOTES = """
PSNR in dB of unclipped colours; SSIM with an 11x11 Gaussian window, zero-padded (as published; views.csv
has scikit-image's too); LPIPS with VGG and inputs scaled to [-1, 1]. mIoU and average accuracy over the
classes present in a view's truth. Views are averaged per scene, scenes in the last line. Baselines on the
same views: the nearest source photograph copied, and the most frequent class of the scene's test views
predicted everywhere.
"""


def write_report(folder: Path, rows: Sequence[ViewRow], header: dict[str, Any]) -> str:
    """Writes views.csv, metrics.json and table.md; returns the markdown table. header: how it was made."""
    summary = summarize(rows)
    table = markdown_table(summary)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["scene", "view", *(field.name for field in fields(Scores))])
    for row in rows:
        writer.writerow([row.scene, row.view, *asdict(row.scores).values()])
    write_whole(folder / "views.csv", text.getvalue())
    write_whole(folder / "metrics.json", json.dumps({**header, **summary}, indent=2) + "\n")
    made_by = ", ".join(f"{name} {value}" for name, value in header.items())
    write_whole(folder / "table.md", f"{table}\n{made_by}\n{NOTES}")
    return table
