"""Scores of views, and their means over scenes and over the whole evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from gpnerf.metrics.consistency import Agreement, share
from gpnerf.metrics.instance import THRESHOLDS
from gpnerf.metrics.panoptic import panoptic_quality, pool_overlaps
from gpnerf.metrics.semantic import image_scores, pooled_scores

Scores = dict[str, float | None]

AP_NAMES = tuple(f"ap_{round(100 * threshold)}" for threshold in THRESHOLDS)
STRICT_AP_NAMES = tuple(f"strict_{name}" for name in AP_NAMES)
# Panoptic quality with the classes of the objects, and with one class for all where those are unknown.
PQ_NAMES = ("pq", "sq", "rq")
ONE_CLASS_PQ_NAMES = tuple(f"{name}_one_class" for name in PQ_NAMES)
# Every score of a view with its title, in the order of the tables.
TITLES = {
    "psnr": "PSNR",
    "ssim": "SSIM",
    "ssim_scikit": "SSIM (scikit-image)",
    "lpips": "LPIPS",
    "lpips_as_published": "LPIPS (inputs 0..1)",
    "depth_abs_rel": "depth abs. rel.",
    "depth_rmse": "depth RMSE",
    "depth_delta": "depth δ < 1.25",
    "miou": "mIoU",
    "total_accuracy": "total acc.",
    "average_accuracy": "average acc.",
    "boundary_iou": "boundary IoU",
    "regions": "regions per true region",
    **{name: f"AP .{name[-2:]}" for name in AP_NAMES},
    **{name: f"strict AP .{name[-2:]}" for name in STRICT_AP_NAMES},
    **{name: name.upper() for name in PQ_NAMES},
    **{name: f"{name[:2].upper()} (one class)" for name in ONE_CLASS_PQ_NAMES},
    "psnr_nearest_view": "PSNR of the nearest view",
    "miou_majority_class": "mIoU of the majority class",
}
# Scores that only a scene has: they come from the sum of the pixel counts of its views.
POOLED_CLASS_TITLES = {
    "miou_pooled": "mIoU (pooled)",
    "total_accuracy_pooled": "total acc. (pooled)",
    "average_accuracy_pooled": "average acc. (pooled)",
}
POOLED_TITLES = {
    **POOLED_CLASS_TITLES,
    **{f"{name}_pooled": f"scene {TITLES[name]}" for name in (*PQ_NAMES, *ONE_CLASS_PQ_NAMES)},
    "label_consistency": "label consistency",
}


@dataclass(frozen=True)
class ViewResult:
    """Scores of one view, by the names of TITLES; a score that cannot be computed is None.

    confusion: pixel counts int64 [K, K] (row: truth, column: prediction), None without labels. overlaps: of
    objects whose ids hold in the whole scene, a table int64 [N, 5] as in metrics/panoptic.py, None without.
    view_overlaps: likewise of objects whose ids are of this view alone. agreement: of its labels with those
    of the next view, None where there is nothing to compare.
    """

    scene: str
    view: str
    scores: Scores
    confusion: Tensor | None = None
    overlaps: Tensor | None = None
    view_overlaps: Tensor | None = None
    agreement: Agreement | None = None


@dataclass(frozen=True)
class SceneResult:
    """Scores of one scene: means over its views, and the scores of POOLED_TITLES.

    views: their number. confusion: the sum over the views, None if a view has none.
    """

    scene: str
    views: int
    scores: Scores
    confusion: Tensor | None = None


@dataclass(frozen=True)
class EvaluationResult:
    """All views of an evaluation.

    facts: how they were made (protocol, step, commit, ...). class_names: of the K rows of the confusion
    matrices.
    """

    views: Sequence[ViewResult]
    facts: Mapping[str, Any]
    class_names: tuple[str, ...] = ()

    @property
    def scenes(self) -> list[SceneResult]:
        return by_scene(self.views)


def by_scene(views: Sequence[ViewResult]) -> list[SceneResult]:
    """Averages the views of every scene; scenes come in the order of their first view."""
    groups: dict[str, list[ViewResult]] = {}
    for view in views:
        groups.setdefault(view.scene, []).append(view)
    return [_scene(name, group) for name, group in groups.items()]


def overall(scenes: Sequence[SceneResult]) -> Scores:
    """The mean over scenes, each with the same weight whatever its number of views (Sec. 5.1)."""
    return mean_scores([scene.scores for scene in scenes])


def mean_scores(scores: Sequence[Scores]) -> Scores:
    """The mean of every score; None if any of its values is missing."""
    columns = {name: [one[name] for one in scores] for name in (scores[0] if scores else ())}
    return {name: None if None in column else fmean(column) for name, column in columns.items()}


def with_majority_class(views: Sequence[ViewResult]) -> list[ViewResult]:
    """Adds a baseline to every view: the mIoU of predicting one class everywhere.

    The class is the most frequent one in the test views of the scene.
    """
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
    return replace(view, scores=scores)


def _scene(name: str, views: Sequence[ViewResult]) -> SceneResult:
    scores = mean_scores([view.scores for view in views])
    matrices = [view.confusion for view in views]
    confusion = None if any(one is None for one in matrices) else torch.stack(matrices).sum(dim=0)
    pooled = dict.fromkeys(POOLED_TITLES) | _pooled_panoptic(views)
    pooled["label_consistency"] = share([view.agreement for view in views if view.agreement])
    if confusion is not None:
        pooled |= dict(zip(POOLED_CLASS_TITLES, pooled_scores(confusion), strict=True))
    return SceneResult(name, len(views), scores | pooled, confusion)


def _pooled_panoptic(views: Sequence[ViewResult]) -> Scores:
    """Panoptic quality of the segments of a scene, which extend over all its views."""
    tables = [view.overlaps for view in views]
    found = None if any(one is None for one in tables) else panoptic_quality(pool_overlaps(tables))
    if found is None:
        return {}
    one_class = any(view.scores["pq_one_class"] is not None for view in views)
    names = ONE_CLASS_PQ_NAMES if one_class else PQ_NAMES
    return {f"{name}_pooled": value for name, value in zip(names, found, strict=True)}
