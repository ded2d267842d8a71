"""The label losses of DM-NeRF as pure functions; Method.total computes their weighted sum."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

# Keep the logarithm of a score of 0 and the quotient of an empty union finite, as published.
SMALLEST_SCORE, SMALLEST_UNION = 1e-8, 1e-6
# The published height of the Gaussian at a surface: 0.997.
SURFACE_PEAK = 1.0 / (0.4 * math.sqrt(2.0 * math.pi))


class SetLosses(NamedTuple):
    """Cross-entropy and 1 - soft IoU of the slots in use, and the scores of the others."""

    matching: Tensor
    overlap: Tensor
    unmatched: Tensor


def set_losses(scores: Tensor, slots: Tensor) -> SetLosses:
    """Compares scores [R, N] in [0, 1] of N slots with the rays' slots [R]; -1 for a ray of no slot.

    Each is a mean over slots; a slot is in use if it has rays. It is 0 where there are no such slots.
    """
    truth = (slots[:, None] == torch.arange(scores.shape[1], device=slots.device)).to(scores.dtype)
    inside, outside = (scores + SMALLEST_SCORE).log(), (1.0 - scores + SMALLEST_SCORE).log()
    entropy, overlap = -(truth * inside + (1.0 - truth) * outside).sum(dim=0), (truth * scores).sum(dim=0)
    rays, used, total = max(1, len(scores)), truth.sum(dim=0) > 0, scores.sum(dim=0)
    distance = 1.0 - overlap / (total + truth.sum(dim=0) - overlap + SMALLEST_UNION)
    return SetLosses(_mean(entropy / rays, used), _mean(distance, used), _mean(total / rays, ~used))


def emptiness_loss(
    labels: Tensor, depths: Tensor, depth: Tensor, directions: Tensor, distance: float, width: float
) -> Tensor:
    """Trains the last raw score to say where space is empty; samples behind the surface are left alone.

    labels: [R, S, N + 1], raw scores at rising depths [R, S]. depth: [R], of the surfaces. directions [R, 3]
    have the length that turns depths into distances. distance: samples nearer than this to the surface, along
    the ray in z, may belong to it. width: standard deviation of the surface, a distance.
    """
    ahead = depth.detach()[:, None] - depths
    along = ahead * directions.norm(dim=-1, keepdim=True)
    surface = SURFACE_PEAK * (-0.5 * (along / width).square()).exp() + SMALLEST_SCORE
    before, middle = ahead > distance, ahead.abs() <= distance
    empty = torch.zeros_like(labels)
    empty[..., -1] = 1.0
    wrong = F.binary_cross_entropy_with_logits(labels, empty, reduction="none").mean(dim=-1)
    occupied = -(1.0 - labels[..., -1].sigmoid() + SMALLEST_SCORE).log()
    return _mean(wrong * (1.0 - surface), before) + _mean(occupied * surface, middle)


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """The mean of the chosen values, 0 if there are none."""
    return (values * chosen).sum() / chosen.sum().clamp(min=1)
