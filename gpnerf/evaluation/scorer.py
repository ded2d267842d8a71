"""Scores of one rendered view against the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from gpnerf.datasets.examples import Example
from gpnerf.datasets.frame_reader import Photograph
from gpnerf.datasets.policies import rank_views
from gpnerf.datasets.scene import Frame
from gpnerf.evaluation.panoptic_scoring import Objects
from gpnerf.evaluation.results import (
    AP_NAMES,
    ONE_CLASS_PQ_NAMES,
    PQ_NAMES,
    STRICT_AP_NAMES,
    TITLES,
    Scores,
    ViewResult,
)
from gpnerf.metrics.depth import depth_scores
from gpnerf.metrics.image import psnr, ssim, ssim_scikit
from gpnerf.metrics.instance import THRESHOLDS, average_precision, match_instances, strict_average_precision
from gpnerf.metrics.lpips import LPIPS
from gpnerf.metrics.panoptic import count_overlaps, panoptic_quality
from gpnerf.metrics.regions import boundary_iou, regions_per_true_region
from gpnerf.metrics.semantic import confusion_matrix, image_scores
from gpnerf.rendering.view import RenderedView


class Scorer:
    """Computes the scores of views; one evaluation measures the same scores of every view."""

    def __init__(self, num_classes: int, objects: Mapping[str, Objects] | None, lpips: LPIPS | None) -> None:
        """num_classes: outputs of the head to score, 0 for none. objects: by scene, None for classes.

        lpips: None leaves LPIPS out.
        """
        self.num_classes, self.objects, self.lpips = num_classes, objects, lpips

    def __call__(
        self, view: RenderedView, target: Frame, nearest: Photograph | None, stride: int = 1
    ) -> ViewResult:
        """Scores a view.

        nearest: the closest source photograph, whose copy is a baseline; None without sources. stride: of
        the rendered colour and depth.
        """
        truth = at_stride(target, stride)
        scores: Scores = dict.fromkeys(TITLES)
        if view.color is not None:
            scores |= self._color_scores(view.color, truth)
        if nearest:
            scores["psnr_nearest_view"] = _psnr_of_copy(nearest, truth, stride)
        if view.depth is not None and truth.depth is not None:
            scores |= _depth_scores(view.depth, truth.depth)
        confusion = overlaps = of_view = None
        if self.num_classes and self.objects and target.instance is not None:
            objects = self.objects[target.scene]
            overlaps = objects.overlaps(view.labels, target.instance)
            names = PQ_NAMES if objects.classified else ONE_CLASS_PQ_NAMES
            scores |= _instance_scores(view.labels, view.confidence, target.instance, self.num_classes)
            scores |= _panoptic_scores(overlaps, names)
        elif self.num_classes and not self.objects and target.semantic is not None:
            confusion = confusion_matrix(view.labels, target.semantic, self.num_classes)
            scores |= image_scores(confusion)._asdict()
            scores["boundary_iou"] = boundary_iou(view.labels, target.semantic)
            scores["regions"] = regions_per_true_region(view.labels, target.semantic)
            if view.instances is not None and target.instance is not None:
                segments = (view.labels, view.instances), (target.semantic, target.instance)
                ids = max(1, int(view.instances.max()) + 1)
                scores |= _instance_scores(view.instances, view.confidence, target.instance, ids)
                of_view = count_overlaps(*segments)
                scores |= _panoptic_scores(of_view, PQ_NAMES)
        return ViewResult(target.scene, target.name, scores, confusion, overlaps, of_view)

    def _color_scores(self, color: Tensor, truth: Frame) -> Scores:
        compared = color, truth.image
        scores: Scores = {
            "psnr": psnr(*compared, truth.mask),
            "ssim": ssim(*compared, truth.mask),
            "ssim_scikit": ssim_scikit(*compared, truth.mask),
        }
        if self.lpips:
            for name, as_published in (("lpips", False), ("lpips_as_published", True)):
                scores[name] = self.lpips(*compared, as_published, truth.mask)
        return scores


def _instance_scores(prediction: Tensor, confidence: Tensor, truth: Tensor, num_slots: int) -> Scores:
    found = match_instances(prediction, confidence, truth, num_slots)
    if found is None:
        return {}
    lenient = {name: average_precision(found, t) for name, t in zip(AP_NAMES, THRESHOLDS, strict=True)}
    strict = {
        name: strict_average_precision(found, t) for name, t in zip(STRICT_AP_NAMES, THRESHOLDS, strict=True)
    }
    return lenient | strict


def _panoptic_scores(overlaps: Tensor, names: Sequence[str]) -> Scores:
    found = panoptic_quality(overlaps)
    return dict(zip(names, found, strict=True)) if found else {}


def _depth_scores(depth: Tensor, truth: Tensor) -> Scores:
    found = depth_scores(depth, truth)
    names = ("depth_abs_rel", "depth_rmse", "depth_delta")
    return dict(zip(names, found, strict=True)) if found else {}


def _psnr_of_copy(source: Photograph, truth: Frame, stride: int) -> float | None:
    """PSNR of a source photograph shown as the rendering, over the pixels that count in both."""
    masks = [truth.mask, None if source.mask is None else source.mask[::stride, ::stride]]
    count = [mask for mask in masks if mask is not None]
    return psnr(
        source.image[:, ::stride, ::stride], truth.image, torch.stack(count).all(0) if count else None
    )


def at_stride(target: Frame, stride: int) -> Frame:
    """The truth at the rendered pixels; labels keep their size, as rendered labels do."""
    kept = (..., slice(None, None, stride), slice(None, None, stride))
    depth, mask = (None if one is None else one[kept] for one in (target.depth, target.mask))
    return replace(target, image=target.image[kept], depth=depth, mask=mask)


def nearest_photograph(example: Example) -> Photograph | None:
    """The source photograph whose camera is closest to the target's; None without sources."""
    if not len(example.sources.images):
        return None
    cameras = example.sources.cameras.camera_to_world
    number = int(rank_views(example.target.camera.camera_to_world, cameras, "distance")[0])
    mask = None if example.sources.masks is None else example.sources.masks[number]
    return Photograph(example.sources.images[number], mask)
