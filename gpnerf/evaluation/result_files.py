"""The files of an evaluation: a record per view while it runs, then views.csv, metrics.json and table.md."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gpnerf.evaluation.results import TITLES, EvaluationResult, SceneResult, ViewResult, overall
from gpnerf.evaluation.scene_table import NOTES, scene_table
from gpnerf.evaluation.table import facts_line, markdown_rows
from gpnerf.media.images import read_image, write_image
from gpnerf.metrics.consistency import Agreement
from gpnerf.metrics.panoptic import COLUMNS
from gpnerf.system.errors import DataError
from gpnerf.system.files import write_whole

# Files of a view, in the folder of its pictures: its record, rendered labels as numbers, and how far these
# agree with the next view. The last is written when all views are finished.
RECORD, LABELS, NEXT = "scores.json", "label_ids.png", "next_view.json"


def save_view(folder: Path, result: ViewResult, key: str, seconds: float | None = None) -> None:
    """Writes the record of a view to its folder.

    key: changes with anything that decides its scores. seconds: that its rendering took, as `usage.cost`
    counts them.
    """
    values = {"made_by": key, "seconds": seconds, "scores": result.scores, "confusion": None}
    if result.confusion is not None:
        cells = result.confusion.nonzero()
        counts = result.confusion[cells[:, 0], cells[:, 1]]
        values["confusion"] = [len(result.confusion), cells.tolist(), counts.tolist()]
    values["overlaps"] = None if result.overlaps is None else result.overlaps.tolist()
    write_whole(folder / RECORD, json.dumps(values))


def load_view(folder: Path, scene: str, view: str, key: str | None = None) -> ViewResult | None:
    """Reads the record of a view; returns None if it is missing, damaged or has another key.

    key: the key to accept; None accepts any.
    """
    try:
        values = json.loads((folder / RECORD).read_text())
        if key not in (None, values["made_by"]):
            return None
        confusion = None
        if values["confusion"] is not None:
            classes, cells, counts = values["confusion"]
            confusion = torch.zeros(classes, classes, dtype=torch.int64)
            rows, columns = torch.tensor(cells, dtype=torch.int64).reshape(-1, 2).unbind(-1)
            confusion[rows, columns] = torch.tensor(counts, dtype=torch.int64)
        overlaps = values["overlaps"]
        if overlaps is not None:
            overlaps = torch.tensor(overlaps, dtype=torch.int64).reshape(-1, COLUMNS)
        return ViewResult(scene, view, dict.fromkeys(TITLES) | values["scores"], confusion, overlaps)
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def save_labels(folder: Path, labels: Tensor) -> None:
    """Writes the rendered labels of a view, int64 [H, W], to its folder; below 0: none."""
    write_image(folder / LABELS, (labels.clamp(min=-1) + 1).numpy().astype(np.uint16))


def load_labels(folder: Path) -> Tensor | None:
    """Reads the rendered labels of a view, -1 where there is none; None if they are missing or damaged."""
    try:
        return torch.from_numpy(read_image(folder / LABELS).astype(np.int64)) - 1
    except DataError:
        return None


def save_agreement(folder: Path, agreement: Agreement | None) -> None:
    """Writes how far the labels of a view agree with those of the next one."""
    write_whole(folder / NEXT, json.dumps(agreement))


def load_agreement(folder: Path) -> Agreement | None:
    """Reads what `save_agreement` wrote; None if it is missing or damaged."""
    try:
        return Agreement(*map(int, json.loads((folder / NEXT).read_text())))
    except (OSError, ValueError, TypeError):
        return None


def rendering_seconds(folder: Path) -> float | None:
    """Mean seconds that the views in the folder of an evaluation took (see save_view); None if unknown."""
    records = [json.loads(path.read_text()) for path in folder.rglob(RECORD)]
    known = [one["seconds"] for one in records if one.get("seconds") is not None]
    return fmean(known) if known else None


def write_results(folder: Path, result: EvaluationResult) -> str:
    """Writes views.csv, metrics.json and table.md; returns the table of scenes in markdown."""
    scenes = result.scenes
    table = markdown_rows(scene_table(scenes))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["scene", "view", *TITLES])
    for view in result.views:
        writer.writerow([view.scene, view.view, *(view.scores[name] for name in TITLES)])
    write_whole(folder / "views.csv", text.getvalue())
    summary = {"made_by": dict(result.facts), "class_names": result.class_names, **summarize(scenes)}
    write_whole(folder / "metrics.json", json.dumps(summary, indent=2) + "\n")
    write_whole(folder / "table.md", f"{table}\n{facts_line(result.facts)}\n{NOTES}")
    return table


def summarize(scenes: Sequence[SceneResult]) -> dict[str, Any]:
    """Scores and number of views, overall and by scene: {"overall": {...}, "scenes": {name: {...}}}."""
    return {
        "overall": {**overall(scenes), "views": sum(scene.views for scene in scenes)},
        "scenes": {scene.scene: {**scene.scores, "views": scene.views} for scene in scenes},
    }


def read_results(folder: Path) -> EvaluationResult | None:
    """Reads what `write_results` and `save_view` wrote; returns None if it is missing or damaged."""
    try:
        summary = json.loads((folder / "metrics.json").read_text())
        with (folder / "views.csv").open(newline="") as file:
            views = [_read_view(folder, row) for row in csv.DictReader(file)]
        return EvaluationResult(views, summary["made_by"], tuple(summary["class_names"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _read_view(folder: Path, row: dict[str, str]) -> ViewResult:
    kept = load_view(folder / row["scene"] / row["view"], row["scene"], row["view"])
    # Results that were written before there was a score do not have it.
    scores = {name: float(row[name]) if row.get(name) else None for name in TITLES}
    if kept is None:
        return ViewResult(row["scene"], row["view"], scores)
    return replace(kept, scores=scores, agreement=load_agreement(folder / row["scene"] / row["view"]))
