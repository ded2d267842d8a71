"""The files of an evaluation: scores, the page with its gallery, and the paper's tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from gpnerf.datasets.labels import class_colors
from gpnerf.evaluation.page import Report, ViewEntry, read_curves, write_page
from gpnerf.evaluation.paper_tables import TABLE_4, Run, table_1, table_2, table_3, table_4, write_table
from gpnerf.evaluation.scores import Evaluated, read_evaluated, scene_table, write_scores
from gpnerf.evaluation.view_results import AP_NAMES, ViewResult
from gpnerf.media.images import read_image
from gpnerf.metrics.semantic import class_ious
from gpnerf.rendering.panels import PICTURES

# Shown with the views of the page.
VIEW_SCORES = ("psnr", "ssim", "lpips", "miou", "total_accuracy", "average_accuracy", *AP_NAMES)


def publish(run: Path, folder: Path, evaluated: Evaluated) -> str:
    """Writes views.csv, metrics.json, table.md and report.html to `folder`; returns the table of scenes.

    run: the folder of the training, whose curves are shown.
    """
    entries = [_entry(folder, view) for view in evaluated.views]
    write_page(folder / "report.html", _report(run, evaluated, entries))
    return write_scores(folder, evaluated)


def merge(run: Path, parts: Sequence[Path], command: str) -> str:
    """One evaluation of several runs, a scene or more each, in run/eval; returns its table of scenes.

    command: that made them. Runs without results are left out.
    """
    found = {part: evaluated for part in parts if (evaluated := read_evaluated(part / "eval"))}
    views = [view for evaluated in found.values() for view in evaluated.views]
    entries = [_entry(part / "eval", view) for part, evaluated in found.items() for view in evaluated.views]
    last = list(found.values())[-1]
    facts = {**last.facts, "run": str(run), "views": len(views), "command": command}
    names = {evaluated.class_names for evaluated in found.values()}
    merged = Evaluated(views, facts, last.class_names if len(names) == 1 else ())
    write_page(run / "eval" / "report.html", _report(run, merged, entries))
    return write_scores(run / "eval", merged)


def _report(run: Path, evaluated: Evaluated, entries: list[ViewEntry]) -> Report:
    matrices = [view.confusion for view in evaluated.views if view.confusion is not None]
    names = evaluated.class_names
    confusion = torch.stack(matrices).sum(dim=0) if matrices and names else None
    ious = [] if confusion is None else class_ious(confusion).tolist()
    instances = any(view.scores["ap_75"] is not None for view in evaluated.views)
    return Report(
        title=f"{run.name}: {', '.join(scene.scene for scene in evaluated.scenes)}",
        facts={name: str(value) for name, value in evaluated.facts.items()},
        tables=[scene_table(evaluated.scenes)],
        class_names=names,
        class_colors=class_colors(names),
        confusion=None if confusion is None else confusion.numpy(),
        class_ious=[None if math.isnan(iou) else iou for iou in ious],
        curves=read_curves(run / "tensorboard"),
        views=entries,
        worst_by="ap_75" if instances else "miou" if matrices else "psnr",
    )


def write_paper_tables(folder: Path, numbers: Sequence[str], run: Run, facts: Mapping[str, Any]) -> list[str]:
    """Writes those of the paper's tables to `folder` that are asked for; returns their names.

    Beside `run` stand the finetuned runs of the same name (scripts/finetune_scenes.py), and for Table 4 the
    runs of scripts/run_ablations.py.
    """
    out = Path(str(facts["run"])).parent
    runs = [run, *_kept_runs(out, f"{run.name}_finetuned"), *_kept_runs(out, f"{run.name}_instances")]
    tables = {
        "1": lambda: table_1([one for one in runs if one.scores.get("ap_75") is None]),
        "2": lambda: table_2(runs),
        "3": lambda: table_3([one for one in runs if one.scores.get("ap_75") is None]),
        "4": lambda: table_4({number: _ablations(out, number) for number in TABLE_4}),
    }
    for number in numbers:
        write_table(folder, f"table_{number}", tables[number](), facts)
    return [f"table_{number}" for number in numbers]


def _kept_runs(out: Path, pattern: str) -> list[Run]:
    """The evaluations of runs whose names match."""
    runs = []
    for folder in sorted(out.glob(f"{pattern}/eval")):
        found = read_evaluated(folder)
        if found:
            facts = found.facts
            runs.append(
                Run(folder.parent.name, facts["setting"], facts["dataset"], found.scenes, facts["step"])
            )
    return runs


def _ablations(out: Path, number: str) -> list[Run]:
    return [
        run for parent in (out, out / "ablations") for run in _kept_runs(parent, f"table4_id{number}_seed*")
    ]


def _entry(folder: Path, view: ViewResult) -> ViewEntry:
    """A view of the page, with the pictures that the evaluation keeps."""
    paths = {name: folder / view.scene / view.view / f"{name.replace(' ', '_')}.png" for name in PICTURES}
    return ViewEntry(
        scene=view.scene,
        view=view.view,
        scores={name: view.scores[name] for name in VIEW_SCORES if view.scores[name] is not None},
        pictures={name: read_image(path) for name, path in paths.items() if path.is_file()},
    )
