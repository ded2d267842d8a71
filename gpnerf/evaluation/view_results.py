"""What an evaluation knows of every view: kept on disk as soon as it is known, averaged in the end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from gpnerf.metrics.instance import THRESHOLDS
from gpnerf.metrics.semantic import image_scores, pooled_scores
from gpnerf.system.files import write_whole

Scores = dict[str, float | None]

RECORD = "scores.json"
AP_NAMES = tuple(f"ap_{round(100 * threshold)}" for threshold in THRESHOLDS)
STRICT_AP_NAMES = tuple(f"strict_{name}" for name in AP_NAMES)
# Every score of a view, in the order of tables, with its title there.
TITLES = {
    "psnr": "PSNR",
    "ssim": "SSIM",
    "ssim_scikit": "SSIM (scikit-image)",
    "lpips": "LPIPS",
    "lpips_as_published": "LPIPS (inputs 0..1)",
    "miou": "mIoU",
    "total_accuracy": "total acc.",
    "average_accuracy": "average acc.",
    **{name: f"AP .{name[-2:]}" for name in AP_NAMES},
    **{name: f"strict AP .{name[-2:]}" for name in STRICT_AP_NAMES},
    "psnr_nearest_view": "PSNR of the nearest view",
    "miou_majority_class": "mIoU of the majority class",
}
# Of a scene alone, from the sum of its confusion matrices.
POOLED_TITLES = {
    "miou_pooled": "mIoU (pooled)",
    "total_accuracy_pooled": "total acc. (pooled)",
    "average_accuracy_pooled": "average acc. (pooled)",
}


@dataclass(frozen=True)
class ViewResult:
    """scores: by the names of TITLES, None where it cannot be computed; confusion: int64 [K, K] or None."""

    scene: str
    view: str
    scores: Scores
    confusion: Tensor | None = None


@dataclass(frozen=True)
class SceneResult:
    """The mean of the views' scores, and the pooled ones. confusion: the sum of the views'."""

    scene: str
    views: int
    scores: Scores
    confusion: Tensor | None = None


def save_view(folder: Path, result: ViewResult, made_by: str) -> None:
    """Keeps a view in its own folder; made_by tells of everything that decided its scores."""
    values = {"made_by": made_by, "scores": result.scores, "confusion": None}
    if result.confusion is not None:
        cells = result.confusion.nonzero()
        counts = result.confusion[cells[:, 0], cells[:, 1]]
        values["confusion"] = [len(result.confusion), cells.tolist(), counts.tolist()]
    write_whole(folder / RECORD, json.dumps(values))


def load_view(folder: Path, scene: str, view: str, made_by: str | None = None) -> ViewResult | None:
    """A kept view, if it was made in the same way (None: in any way); else None."""
    try:
        values = json.loads((folder / RECORD).read_text())
        if made_by not in (None, values["made_by"]):
            return None
        confusion = None
        if values["confusion"] is not None:
            classes, cells, counts = values["confusion"]
            confusion = torch.zeros(classes, classes, dtype=torch.int64)
            rows, columns = torch.tensor(cells, dtype=torch.int64).reshape(-1, 2).unbind(-1)
            confusion[rows, columns] = torch.tensor(counts, dtype=torch.int64)
        return ViewResult(scene, view, values["scores"], confusion)
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def by_scene(views: Sequence[ViewResult]) -> list[SceneResult]:
    """The views of every scene averaged, scenes in the order of their first view."""
    groups: dict[str, list[ViewResult]] = {}
    for view in views:
        groups.setdefault(view.scene, []).append(view)
    return [_scene(name, group) for name, group in groups.items()]


def overall(scenes: Sequence[SceneResult]) -> Scores:
    """The mean over scenes, whatever their numbers of views (Sec. 5.1)."""
    return mean_scores([scene.scores for scene in scenes])


def mean_scores(scores: Sequence[Scores]) -> Scores:
    """The mean of every column; None where a value is missing."""
    columns = {name: [one[name] for one in scores] for name in (scores[0] if scores else ())}
    return {name: None if None in column else fmean(column) for name, column in columns.items()}


def with_majority_class(views: Sequence[ViewResult]) -> list[ViewResult]:
    """The views, each with the mIoU of predicting everywhere what its scene's test views show most."""
    counts: dict[str, Tensor] = {}
    for view in views:
        if view.confusion is not None:
            counts[view.scene] = counts.get(view.scene, 0) + view.confusion.sum(dim=1)
    return [_with_baseline(view, counts.get(view.scene)) for view in views]


def _with_baseline(view: ViewResult, counts: Tensor | None) -> ViewResult:
    if view.confusion is None:
        return view
    predicted = torch.zeros_like(view.confusion)
    predicted[:, counts.argmax()] = view.confusion.sum(dim=1)
    scores = view.scores | {"miou_majority_class": image_scores(predicted).miou}
    return ViewResult(view.scene, view.view, scores, view.confusion)


def _scene(name: str, views: Sequence[ViewResult]) -> SceneResult:
    scores = mean_scores([view.scores for view in views])
    matrices = [view.confusion for view in views]
    confusion = None if any(one is None for one in matrices) else torch.stack(matrices).sum(dim=0)
    pooled = dict.fromkeys(POOLED_TITLES)
    if confusion is not None:
        pooled = dict(zip(POOLED_TITLES, pooled_scores(confusion), strict=True))
    return SceneResult(name, len(views), scores | pooled, confusion)
