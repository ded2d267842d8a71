"""From the results of views to the scores of an evaluation: csv, json, markdown."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpnerf.evaluation.page import Table
from gpnerf.evaluation.paper_tables import facts_line, markdown_rows
from gpnerf.evaluation.view_results import (
    POOLED_TITLES,
    TITLES,
    SceneResult,
    Scores,
    ViewResult,
    by_scene,
    load_view,
    overall,
)
from gpnerf.system.files import write_whole

SHOWN = tuple(name for name in (*TITLES, *POOLED_TITLES) if name != "ssim_scikit")
DECIBELS = ("psnr", "psnr_nearest_view")
NOTES = """
PSNR in dB of unclipped colours; SSIM with an 11x11 Gaussian window, zero-padded (as published; views.csv
has scikit-image's too); LPIPS with VGG and inputs scaled to [-1, 1]. mIoU and average accuracy over the
classes present in a view's truth; pooled: of a scene's summed confusion matrix, over the classes that are
labelled or predicted. AP by DM-NeRF's recipe per image; strict: unmatched predictions are false positives.
Views are averaged per scene, scenes in the last line. Baselines on the same views: the nearest source
photograph copied, and the most frequent class of the scene's test views predicted everywhere.
"""


@dataclass(frozen=True)
class Evaluated:
    """All views of an evaluation; facts: what they were made with (protocol, step, commit, ...); class_names:
    of their confusion matrices."""

    views: Sequence[ViewResult]
    facts: Mapping[str, Any]
    class_names: tuple[str, ...] = ()

    @property
    def scenes(self) -> list[SceneResult]:
        return by_scene(self.views)


def write_scores(folder: Path, evaluated: Evaluated) -> str:
    """Writes views.csv, metrics.json and table.md; returns the markdown table."""
    scenes = evaluated.scenes
    table = markdown_rows(scene_table(scenes))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["scene", "view", *TITLES])
    for view in evaluated.views:
        writer.writerow([view.scene, view.view, *(view.scores[name] for name in TITLES)])
    write_whole(folder / "views.csv", text.getvalue())
    summary = {"made_by": dict(evaluated.facts), "class_names": evaluated.class_names, **summarize(scenes)}
    write_whole(folder / "metrics.json", json.dumps(summary, indent=2) + "\n")
    write_whole(folder / "table.md", f"{table}\n{facts_line(evaluated.facts)}\n{NOTES}")
    return table


def summarize(scenes: Sequence[SceneResult]) -> dict[str, Any]:
    """{"overall": {...}, "scenes": {name: {...}}}, each with its scores and number of views."""
    return {
        "overall": {**overall(scenes), "views": sum(scene.views for scene in scenes)},
        "scenes": {scene.scene: {**scene.scores, "views": scene.views} for scene in scenes},
    }


def read_evaluated(folder: Path) -> Evaluated | None:
    """What `write_scores` and `results.save_view` have written; None where it is missing or damaged."""
    try:
        summary = json.loads((folder / "metrics.json").read_text())
        with (folder / "views.csv").open(newline="") as file:
            views = [_read_view(folder, row) for row in csv.DictReader(file)]
        return Evaluated(views, summary["made_by"], tuple(summary["class_names"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _read_view(folder: Path, row: dict[str, str]) -> ViewResult:
    kept = load_view(folder / row["scene"] / row["view"], row["scene"], row["view"])
    scores = {name: float(row[name]) if row[name] else None for name in TITLES}
    return ViewResult(row["scene"], row["view"], scores, kept and kept.confusion)


def scene_table(scenes: Sequence[SceneResult]) -> Table:
    """Scenes and their mean; columns that nothing has are left out."""
    rows = [(scene.scene, scene.views, scene.scores) for scene in scenes]
    rows.append(("**mean of scenes**", sum(scene.views for scene in scenes), overall(scenes)))
    titles = TITLES | POOLED_TITLES
    shown = [name for name in SHOWN if any(scores.get(name) is not None for _, _, scores in rows)]
    return Table(
        "Scenes",
        ["scene", "views", *(titles[name] for name in shown)],
        [[name, str(views), *(cell(one, scores) for one in shown)] for name, views, scores in rows],
        "Views are averaged per scene, scenes in the last line; table.md defines every score.",
    )


def cell(name: str, scores: Scores) -> str:
    """A score as text: two decimals for decibels, three for the rest."""
    value = scores.get(name)
    if value is None:
        return "-"
    return f"{value:.2f}" if name in DECIBELS else f"{value:.3f}"
