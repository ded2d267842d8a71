"""The report of an evaluation: the files of its results, and a page with every view."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from gpnerf.datasets.labels import class_colors
from gpnerf.evaluation.label_scoring import joint_origin
from gpnerf.evaluation.page import Report, ViewEntry, read_curves, write_page
from gpnerf.evaluation.result_files import read_results, write_results
from gpnerf.evaluation.results import AP_NAMES, ONE_CLASS_PQ_NAMES, PQ_NAMES, EvaluationResult, ViewResult
from gpnerf.evaluation.scene_table import scene_table
from gpnerf.media.images import read_image
from gpnerf.metrics.semantic import class_ious
from gpnerf.rendering.panels import CAPTIONS

# The scores that the page shows with a view.
VIEW_SCORES = (
    "psnr",
    "ssim",
    "lpips",
    "depth_abs_rel",
    "miou",
    "total_accuracy",
    "average_accuracy",
    *AP_NAMES,
    PQ_NAMES[0],
    ONE_CLASS_PQ_NAMES[0],
)


def write_report(run: Path, folder: Path, result: EvaluationResult) -> str:
    """Writes views.csv, metrics.json, table.md and report.html to `folder`; returns the table of scenes.

    run: the folder of the training, whose curves the page shows.
    """
    entries = [_entry(folder, view) for view in result.views]
    write_page(folder / "report.html", _page_content(run, result, entries))
    return write_results(folder, result)


def write_joint_report(run: Path, parts: Sequence[Path], command: str, folder: str = "eval") -> str:
    """Writes one report over several evaluated runs to run/folder; returns its table of scenes.

    parts: the folders of the runs, each with a `folder`; one without results is left out. command: the
    command that made them.
    """
    found = {part: result for part in parts if (result := read_results(part / folder))}
    views = [view for result in found.values() for view in result.views]
    entries = [_entry(part / folder, view) for part, result in found.items() for view in result.views]
    last = list(found.values())[-1]
    origin = joint_origin(result.facts for result in found.values())
    facts = {**last.facts, "run": str(run), "views": len(views), "command": command, **origin}
    names = {result.class_names for result in found.values()}
    joint = EvaluationResult(views, facts, last.class_names if len(names) == 1 else ())
    write_page(run / folder / "report.html", _page_content(run, joint, entries))
    return write_results(run / folder, joint)


def _page_content(run: Path, result: EvaluationResult, entries: list[ViewEntry]) -> Report:
    matrices = [view.confusion for view in result.views if view.confusion is not None]
    names = result.class_names
    confusion = torch.stack(matrices).sum(dim=0) if matrices and names else None
    ious = [] if confusion is None else class_ious(confusion).tolist()
    instances = any(view.scores["ap_75"] is not None for view in result.views)
    return Report(
        title=f"{run.name}: {', '.join(scene.scene for scene in result.scenes)}",
        facts={name: str(value) for name, value in result.facts.items()},
        tables=[scene_table(result.scenes)],
        class_names=names,
        class_colors=class_colors(names),
        confusion=None if confusion is None else confusion.numpy(),
        class_ious=[None if math.isnan(iou) else iou for iou in ious],
        curves=read_curves(run / "tensorboard"),
        views=entries,
        worst_by="ap_75" if instances else "miou" if matrices else "psnr",
    )


def _entry(folder: Path, view: ViewResult) -> ViewEntry:
    """A view of the page, with the pictures that lie in its folder."""
    paths = {key: folder / view.scene / view.view / f"{key}.png" for key in CAPTIONS}
    return ViewEntry(
        scene=view.scene,
        view=view.view,
        scores={name: view.scores[name] for name in VIEW_SCORES if view.scores[name] is not None},
        pictures={key: read_image(path) for key, path in paths.items() if path.is_file()},
    )
