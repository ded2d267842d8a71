"""The training objective of NeuRay and Semantic-Ray on one target view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gpnerf.datasets.examples import Example
from gpnerf.geometry.rays import Rays
from gpnerf.geometry.sampling import at_pixels, random_pixels
from gpnerf.methods.method import StepLosses
from gpnerf.metrics.semantic import semantic_loss

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
    truth = at_pixels(target.image, pixels)
    # As released, the rays that count in the coarse pass count in the fine one too.
    losses = {"photometric": sum(photometric_loss(one.color, truth, passes[0].valid) for one in passes)}
    if labels is not None:
        classes = at_pixels(labels, pixels)
        losses["semantic"] = sum(semantic_loss(one.semantic.T, classes) for one in passes)
    error = (passes[-1].color.detach() - truth).square().mean()
    return StepLosses(losses, -10.0 * error.log10())


def photometric_loss(predicted: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Squared distance of colours [R, 3], summed over channels, mean over the valid rays, bool [R]."""
    errors = (predicted - truth).square().sum(dim=-1)
    return (errors * valid).sum() / (valid.sum() + FEWEST_RAYS)
