"""The training objective of NeuRay and Semantic-Ray on one target view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from gpnerf.datasets.examples import Example
from gpnerf.datasets.labels import IGNORE
from gpnerf.geometry.rays import Rays
from gpnerf.geometry.sampling import random_pixels
from gpnerf.methods.method import StepLosses

if TYPE_CHECKING:
    from gpnerf.methods.neuray_family.model import NeuRayFamily

# Keeps the mean over no ray finite.
FEWEST_RAYS = 1e-3


def step_losses(model: NeuRayFamily, example: Example, rays: int, generator: torch.Generator) -> StepLosses:
    """Computes the losses of random rays of one target view, each the sum over both passes.

    The semantic loss needs a model with classes and labels.
    """
    target, sources = example.target, example.sources
    camera = target.camera
    pixels = random_pixels(camera.height, camera.width, rays, generator, target.mask).to(model.device)
    labels = target.semantic if model.has_classes and model.recipe.weight_semantic > 0 else None
    passes = model.passes(
        model.prepare(sources, example.near, example.far),
        sources.cameras,
        Rays.through(pixels, camera, example.near, example.far),
        (labels is not None,) * 2,
        generator,
    )
    truth = target.image[:, pixels[:, 1], pixels[:, 0]].T
    # As released, the rays that count in the coarse pass count in the fine one too.
    losses = {"photometric": sum(photometric_loss(one.color, truth, passes[0].valid) for one in passes)}
    if labels is not None:
        at_pixels = labels[pixels[:, 1], pixels[:, 0]]
        losses["semantic"] = sum(semantic_loss(one.semantic, at_pixels) for one in passes)
    error = (passes[-1].color.detach() - truth).square().mean()
    return StepLosses(losses, -10.0 * error.log10())


def photometric_loss(predicted: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Squared distance of colours [R, 3], summed over channels, mean over the valid rays, bool [R]."""
    errors = (predicted - truth).square().sum(dim=-1)
    return (errors * valid).sum() / (valid.sum() + FEWEST_RAYS)


def semantic_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of logits [R, L] and labels [R], mean over the labelled rays; 0 if there are none."""
    total = F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="sum")
    return total / (labels != IGNORE).sum().clamp(min=1)
