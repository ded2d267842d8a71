"""The training objective of GP-NeRF on one target view (Sec. 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from gpnerf.datasets.examples import Example
from gpnerf.datasets.instances import HUNGARIAN
from gpnerf.datasets.scene import Frame
from gpnerf.geometry.cameras import Camera
from gpnerf.geometry.rays import Rays
from gpnerf.geometry.sampling import Guide, at_pixels, pixels_around, random_pixels
from gpnerf.methods.gpnerf.fused_map import STRIDE, fuse, teacher_at
from gpnerf.methods.gpnerf.losses import (
    cells_between,
    depth_guided_loss,
    depth_loss,
    distill_loss,
    photometric_loss,
    samples_between,
)
from gpnerf.methods.gpnerf.perception_head import to_pixels
from gpnerf.methods.gpnerf.query_head import QueryHead
from gpnerf.methods.gpnerf.query_losses import query_losses
from gpnerf.methods.gpnerf.source_features import SourceFeatures
from gpnerf.methods.gpnerf.whole_map import whole_map
from gpnerf.methods.method import RayPass, StepLosses
from gpnerf.metrics.instance import assign_slots
from gpnerf.metrics.semantic import semantic_loss

if TYPE_CHECKING:
    from gpnerf.methods.gpnerf.model import GPNeRF

DISTILLATION = ("distill", "depth_guided")


class TrainedPass(NamedTuple):
    """A rendered pass and the pixels [R, 2] of its rays."""

    rays: RayPass
    pixels: Tensor


def step_losses(model: GPNeRF, example: Example, rays: int, generator: torch.Generator) -> StepLosses:
    """Computes the losses of one target view, except those whose weight is zero; colours are always compared.

    Semantic losses need a model with classes. The loss "semantic" also needs labels; "depth_guided" and
    "depth" need depth. Without a semantic field, "semantic" compares the labels of the rays alone, and there
    is no distillation.
    """
    target, recipe = example.target, model.recipe
    prepared, teacher = model.encode(example.sources, target.image if model.has_field else None)
    by_depth = teacher is not None and target.depth is not None and recipe.weight_depth_guided > 0
    wanted = {"semantics": model.has_classes, "point_semantics": by_depth}
    passes = _trained_passes(model, prepared, example, rays, generator, wanted)
    colors = [(one.rays.color, at_pixels(target.image, one.pixels)) for one in passes]
    losses = {"photometric": sum(photometric_loss(*pair) for pair in colors)}
    if target.depth is not None and recipe.weight_depth > 0:
        losses["depth"] = sum(
            depth_loss(
                one.rays.weights,
                one.rays.depths,
                at_pixels(target.depth, one.pixels),
                example.near,
                example.far,
            )
            for one in passes
        ) / len(passes)
    labels = _labels_to_learn(model, target)
    if labels is not None:
        learnt = _head_maps(model, prepared, example, teacher, passes[-1], generator)
        for features in learnt:
            for name, loss in _label_losses(model, target, labels, features, passes[-1]).items():
                losses[name] = losses.get(name, 0.0) + loss
    if teacher is not None:
        losses |= _distillation(model, example, teacher, passes[-1], by_depth)
    rendered, truth = colors[-1]
    return StepLosses(losses, -10.0 * (rendered.detach() - truth).square().mean().log10())


def _trained_passes(
    model: GPNeRF,
    prepared: SourceFeatures,
    example: Example,
    rays: int,
    generator: torch.Generator,
    wanted: dict[str, bool],
) -> list[TrainedPass]:
    """Renders all passes of random rays.

    A guided model renders the coarse pass of a few rays and the fine pass of others around each, so that it
    learns from guides as rough as those that it renders with.
    """
    camera, mask, recipe = example.target.camera, example.target.mask, model.recipe
    size, each = (camera.height, camera.width), recipe.rays_per_guide if model.guided else 1

    def to_render(pixels: Tensor) -> tuple[SourceFeatures, Camera, Rays]:
        rays = Rays.through(pixels, camera, example.near, example.far, example.unit)
        return prepared, example.sources.cameras, rays

    chosen = random_pixels(*size, max(1, rays // each), generator, mask)
    pixels = chosen.to(model.device)
    if not model.guided:
        passes = model.render_rays(*to_render(pixels), generator=generator, **wanted)
        return [TrainedPass(one, pixels) for one in passes]
    around = pixels_around(chosen.repeat(each, 1), recipe.guide_distance, *size, generator, mask)
    around = around.to(model.device)
    coarse = model.coarse_pass(*to_render(pixels), generator)
    guide = Guide(coarse.depths.repeat(each, 1), coarse.weights.repeat(each, 1))
    (fine,) = model.render_rays(*to_render(around), generator=generator, guide=guide, **wanted)
    return [TrainedPass(coarse, pixels), TrainedPass(fine, around)]


def _distillation(
    model: GPNeRF, example: Example, teacher: Tensor, last: TrainedPass, by_depth: bool
) -> dict[str, Tensor]:
    losses = {}
    rendered, pixels = last
    # The gradient block: distillation trains the student to match the teacher, not the reverse.
    goal = teacher_at(teacher, pixels).float()
    goal = goal if model.recipe.gradient_block == "none" else goal.detach()
    if model.recipe.weight_distill > 0:
        losses["distill"] = distill_loss(rendered.semantic, goal)
    if by_depth:
        true_depth = at_pixels(example.target.depth, pixels)
        if model.guided:
            cells = example.near, example.far, model.function.samples, model.function.spacing
            distance = cells_between(rendered.depths, true_depth, *cells)
        else:
            distance = samples_between(rendered.depths, true_depth)
        losses["depth_guided"] = depth_guided_loss(rendered.point_semantics, goal, distance, true_depth > 0)
    return losses


def _labels_to_learn(model: GPNeRF, target: Frame) -> Tensor | None:
    """Classes or instances [H, W] from which the head learns; None if there are none, or no weight."""
    learns = model.recipe.weight_semantic > 0 or isinstance(model.head, QueryHead)
    if not model.has_classes or not learns:
        return None
    return target.instance if model.recipe.instance_matching == HUNGARIAN else target.semantic


def _head_maps(
    model: GPNeRF,
    prepared: SourceFeatures,
    example: Example,
    teacher: Tensor | None,
    last: TrainedPass,
    generator: torch.Generator,
) -> list[Tensor | None]:
    """The feature maps [D, h, w] from which the head learns; None stands for no map, without a teacher.

    They are S_fused (Fig. 3a), and in a share of the steps also a map rendered in all cells (Fig. 3b).
    """
    if teacher is None:
        return [None]
    maps, share = [fuse(teacher, last.rays.semantic, last.pixels)], model.recipe.whole_maps
    if share and torch.rand((), generator=generator) < share:
        maps.append(whole_map(model, prepared, example))
    return maps


def _label_losses(
    model: GPNeRF, target: Frame, labels: Tensor, features: Tensor | None, last: TrainedPass
) -> dict[str, Tensor]:
    """The semantic loss of a feature map [D, h, w] and labels [H, W], and the losses of the queries.

    Without a map, there are only the rays: they form an image of one row, [K, 1, R] and [1, R]. Under
    Hungarian matching, the instance ids are assigned to the outputs of the head that currently fit them best,
    because an id may mean another object in another view.
    """
    if isinstance(model.head, QueryHead):
        return _panoptic_losses(model, target, features)
    if features is None:
        logits, labels = last.rays.semantic.T[:, None], at_pixels(labels, last.pixels)[None]
    else:
        logits = model.segment(features, *labels.shape)
    if model.recipe.instance_matching == HUNGARIAN:
        labels = assign_slots(logits.detach().softmax(dim=0), labels)
    return {"semantic": semantic_loss(logits, labels)}


def _panoptic_losses(model: GPNeRF, target: Frame, features: Tensor) -> dict[str, Tensor]:
    """Losses of the classes of all pixels and of the segments, from a feature map [D, h, w].

    Masks are compared in the cells, each of which lies at a pixel.
    """
    logits, found = model.head.find(features)
    pixels = to_pixels(logits[None], *target.semantic.shape)[0]
    losses = {"semantic": semantic_loss(pixels, target.semantic)}
    if target.instance is None:
        return losses
    of_cells = (one[::STRIDE, ::STRIDE] for one in (target.instance, target.semantic))
    segments = query_losses(found, *of_cells)
    return losses | (segments._asdict() if segments else {})
