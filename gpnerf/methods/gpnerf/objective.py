"""The training objective of GP-NeRF on one target view (Sec. 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gpnerf.datasets.examples import Example
from gpnerf.datasets.instances import HUNGARIAN
from gpnerf.geometry.rays import Rays
from gpnerf.geometry.sampling import random_pixels
from gpnerf.methods.gpnerf.fused_map import fuse, teacher_at
from gpnerf.methods.gpnerf.losses import (
    depth_guided_loss,
    depth_loss,
    distill_loss,
    photometric_loss,
    semantic_loss,
)
from gpnerf.methods.method import RayPass, StepLosses
from gpnerf.metrics.instance import assign_slots

if TYPE_CHECKING:
    from gpnerf.methods.gpnerf.model import GPNeRF

DISTILLATION = ("distill", "depth_guided")


def step_losses(model: GPNeRF, example: Example, rays: int, generator: torch.Generator) -> StepLosses:
    """Computes the losses of one target view, except those whose weight is zero; colours are always compared.

    Semantic losses need a model with classes. The loss "semantic" also needs labels; "depth_guided" and
    "depth" need depth.
    """
    target = example.target
    prepared, teacher = model.encode(example.sources, target.image if model.has_classes else None)
    pixels = random_pixels(target.camera.height, target.camera.width, rays, generator, target.mask)
    pixels = pixels.to(target.image.device)
    by_depth = teacher is not None and target.depth is not None and model.recipe.weight_depth_guided > 0
    passes = model.render_rays(
        prepared,
        example.sources.cameras,
        Rays.through(pixels, target.camera, example.near, example.far),
        semantics=teacher is not None,
        generator=generator,
        point_semantics=by_depth,
    )
    truth = at_pixels(target.image, pixels)
    losses = {"photometric": sum(photometric_loss(one.color, truth) for one in passes)}
    true_depth = None if target.depth is None else at_pixels(target.depth, pixels)
    if true_depth is not None and model.recipe.weight_depth > 0:
        losses["depth"] = sum(depth_loss(one.weights, one.depths, true_depth) for one in passes) / len(passes)
    if teacher is not None:
        losses |= _semantic_losses(
            model, example, teacher, passes[-1], pixels, true_depth if by_depth else None
        )
    psnr = -10.0 * (passes[-1].color.detach() - truth).square().mean().log10()
    return StepLosses(losses, psnr)


def _semantic_losses(
    model: GPNeRF,
    example: Example,
    teacher: Tensor,
    rendered: RayPass,
    pixels: Tensor,
    true_depth: Tensor | None,
) -> dict[str, Tensor]:
    losses = {}
    if model.recipe.weight_semantic > 0:
        fused = fuse(teacher, rendered.semantic, pixels)
        losses |= _label_loss(model, example, fused)
    # The gradient block: distillation trains the student to match the teacher, not the reverse.
    goal = teacher_at(teacher, pixels).float()
    goal = goal if model.recipe.gradient_block == "none" else goal.detach()
    if model.recipe.weight_distill > 0:
        losses["distill"] = distill_loss(rendered.semantic, goal)
    if true_depth is not None:
        losses["depth_guided"] = depth_guided_loss(
            rendered.point_semantics, goal, rendered.depths, true_depth
        )
    return losses


def _label_loss(model: GPNeRF, example: Example, fused: Tensor) -> dict[str, Tensor]:
    """The semantic loss of the fused map; empty without labels.

    Under Hungarian matching, the instance ids are assigned to the outputs of the head that currently fit them
    best, because an id may mean another object in another view.
    """
    target = example.target
    matched = model.recipe.instance_matching == HUNGARIAN
    labels = target.instance if matched else target.semantic
    if labels is None:
        return {}
    logits = model.segment(fused, target.camera.height, target.camera.width)
    if matched:
        labels = assign_slots(logits.detach().softmax(dim=0), labels)
    return {"semantic": semantic_loss(logits, labels)}


def at_pixels(image: Tensor, pixels: Tensor) -> Tensor:
    """Values of [H, W] or [C, H, W] at pixels [R, 2] (column, row): [R] or [R, C]."""
    return image[..., pixels[:, 1], pixels[:, 0]].movedim(-1, 0)
