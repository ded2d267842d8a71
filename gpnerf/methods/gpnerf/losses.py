"""The four losses of Eq. 8 as pure functions; Method.total adds them up by their weights.

All are means over rays (the paper writes sums; a constant factor that the weights absorb).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gpnerf.datasets.labels import IGNORE


def photometric_loss(predicted: Tensor, truth: Tensor) -> Tensor:
    """Eq. 9: squared distance of colours [R, 3], summed over channels, mean over rays."""
    return (predicted - truth).square().sum(dim=-1).mean()


def semantic_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Eq. 10: cross-entropy of logits [K, H, W] and labels [H, W], mean over the labelled pixels.

    An image without labelled pixels gives zero.
    """
    labelled = (labels != IGNORE).sum().clamp(min=1)
    total = F.cross_entropy(logits[None], labels[None], ignore_index=IGNORE, reduction="sum")
    return total / labelled


def distill_loss(rendered: Tensor, teacher: Tensor) -> Tensor:
    """Eq. 11: one minus the cosine of rendered and teacher features [R, D], mean over rays."""
    return (1.0 - F.cosine_similarity(rendered, teacher, dim=-1)).mean()


def depth_guided_loss(
    point_semantics: Tensor, teacher: Tensor, depths: Tensor, true_depth: Tensor, window: int = 2
) -> Tensor:
    """Eqs. 12 and 13: points near the true surface resemble the teacher, points far from it do not.

    point_semantics [R, S, D], teacher [R, D], sample depths [R, S] and true depth [R] as z in metres.
    With i_d the sample nearest to the true depth: |i - i_d| < window gives 1 - cos, > window max(0, cos),
    and exactly `window` apart nothing, as the paper leaves it out. Rays without depth (0) are skipped.
    """
    cosine = F.cosine_similarity(point_semantics, teacher[:, None], dim=-1)
    nearest = (depths - true_depth[:, None]).abs().argmin(dim=-1, keepdim=True)
    distance = (torch.arange(depths.shape[1], device=depths.device) - nearest).abs()
    each = torch.where(distance < window, 1.0 - cosine, cosine.clamp(min=0.0))
    counted = (true_depth > 0)[:, None] & (distance != window)
    return (each * counted).sum() / counted.sum().clamp(min=1)
