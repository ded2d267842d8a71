"""One step of training: what is rendered, which losses it gives, and who learns how fast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gpnerf.datasets.examples import Example
from gpnerf.geometry.sampling import random_pixels
from gpnerf.methods.gpnerf.losses import (
    LossWeights,
    depth_guided_loss,
    distill_loss,
    photometric_loss,
    semantic_loss,
)
from gpnerf.methods.gpnerf.model import GPNeRF, RenderedRays, fuse, teacher_at
from gpnerf.metrics.instance import assign_slots

DISTILLATION = ("distill", "depth_guided")


@dataclass(frozen=True)
class LearningRates:
    """Per group, Sec. 5.1; times decay_rate every decay_steps (continuously), after a linear warm-up."""

    extractor: float = 5e-3
    transformer: float = 1e-5
    head: float = 5e-5
    decay_rate: float = 0.6
    decay_steps: int = 100_000
    warmup_steps: int = 0

    def factor(self, step: int) -> float:
        """What the rates are multiplied by at a step."""
        warm = min(1.0, (step + 1) / (self.warmup_steps + 1))
        return warm * self.decay_rate ** (step / self.decay_steps)


def build_optimizer(model: GPNeRF, rates: LearningRates) -> torch.optim.Adam:
    """Adam with the paper's groups; the pyramid counts as extractor, the adaptor as transformer."""
    transformer = list(model.transformer.parameters())
    if model.has_semantics:
        transformer += list(model.adaptor.parameters())
    groups = [
        {"name": "extractor", "params": list(model.extractor.parameters()), "lr": rates.extractor},
        {"name": "transformer", "params": transformer, "lr": rates.transformer},
    ]
    if model.has_semantics:
        groups.append({"name": "head", "params": list(model.head.parameters()), "lr": rates.head})
    for group in groups:
        group["initial_lr"] = group["lr"]
    return torch.optim.Adam(groups, fused=True)


def set_learning_rates(optimizer: torch.optim.Optimizer, rates: LearningRates, step: int) -> None:
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * rates.factor(step)


def step_generator(seed: int, step: int) -> torch.Generator:
    """Makes all randomness of a step depend on (seed, step) alone, so that resumed runs repeat it.

    Seeds the global generators (dropout) and returns one for pixels and depths.
    """
    state = int(np.random.SeedSequence((seed, step, 1)).generate_state(1, np.uint64)[0])
    torch.manual_seed(state)
    return torch.Generator().manual_seed(state)


def compute_losses(
    model: GPNeRF,
    example: Example,
    num_rays: int,
    weights: LossWeights,
    generator: torch.Generator,
    match_instances: bool = False,
) -> tuple[dict[str, Tensor], Tensor]:
    """The losses of one target view that its maps allow and whose weight is not zero, by name; and the PSNR.

    Colour needs nothing; semantic and distill need a model with classes; depth_guided also needs depth.
    match_instances: the labels are the instance ids, each in the output that suits it best at the moment
    (ids need not mean the same in two views). The PSNR in dB is that of the rays' final colours.
    """
    target = example.target
    sources, teacher = model.encode(
        example.source_images,
        example.source_cameras,
        target.image if model.has_semantics else None,
        example.source_masks,
    )
    pixels = random_pixels(target.camera.height, target.camera.width, num_rays, generator, target.mask)
    pixels = pixels.to(target.image.device)
    by_depth = teacher is not None and target.depth is not None and weights.depth_guided > 0
    passes = model.render_rays(
        sources,
        *target.camera.rays(pixels),
        near=example.near,
        far=example.far,
        semantics=teacher is not None,
        point_semantics=by_depth,
        generator=generator,
    )
    truth = at_pixels(target.image, pixels)
    losses = {"photometric": sum(photometric_loss(one.color, truth) for one in passes)}
    if teacher is not None:
        true_depth = at_pixels(target.depth, pixels) if by_depth else None
        losses |= _semantic_losses(
            model, example, teacher, passes[-1], pixels, true_depth, weights, match_instances
        )
    psnr = -10.0 * (passes[-1].color.detach() - truth).square().mean().log10()
    return losses, psnr


def _semantic_losses(
    model: GPNeRF,
    example: Example,
    teacher: Tensor,
    rendered: RenderedRays,
    pixels: Tensor,
    true_depth: Tensor | None,
    weights: LossWeights,
    match_instances: bool,
) -> dict[str, Tensor]:
    target = example.target
    losses = {}
    labels = target.instance if match_instances else target.semantic
    if labels is not None and weights.semantic > 0:
        fused = fuse(teacher, rendered.semantic, pixels)
        logits = model.segment(fused, target.camera.height, target.camera.width)
        if match_instances:
            labels = assign_slots(logits.detach().softmax(dim=0), labels)
        losses["semantic"] = semantic_loss(logits, labels)
    # The gradient block: distillation moves the student towards the teacher, never the teacher.
    goal = teacher_at(teacher, pixels).float()
    goal = goal if model.gradient_block == "none" else goal.detach()
    if weights.distill > 0:
        losses["distill"] = distill_loss(rendered.semantic, goal)
    if true_depth is not None:
        losses["depth_guided"] = depth_guided_loss(
            rendered.point_semantics, goal, rendered.depths, true_depth
        )
    return losses


def backward(model: GPNeRF, losses: dict[str, Tensor], weights: LossWeights, share: float = 1.0) -> Tensor:
    """Adds `share` of the gradients of the weighted losses to those of the parameters; returns their total,
    Eq. 8.

    Under the full gradient block, the distillation losses get a pass of their own that ends at the
    transformers: in a common pass, their part in the gradient of the colour features could not be told apart.
    """
    total = weights.total(losses)
    distilled = {name: losses[name] for name in DISTILLATION if name in losses and losses[name].requires_grad}
    if model.gradient_block != "full" or not distilled:
        (share * total).backward()
        return total.detach()
    others = {name: loss for name, loss in losses.items() if name not in distilled}
    (share * weights.total(others)).backward(retain_graph=True)
    students = [*model.transformer.parameters(), *model.adaptor.parameters()]
    (share * weights.total(distilled)).backward(inputs=students)
    return total.detach()


def at_pixels(image: Tensor, pixels: Tensor) -> Tensor:
    """Values of [H, W] or [C, H, W] at pixels [R, 2] (column, row): [R] or [R, C]."""
    return image[..., pixels[:, 1], pixels[:, 0]].movedim(-1, 0)
