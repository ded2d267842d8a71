"""The losses of Eq. 8 as pure functions; Method.total computes their weighted sum.

Eq. 10 is metrics.semantic.semantic_loss. The paper writes sums over rays. Here the losses are means, which
differ by a constant factor that the weights absorb.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gpnerf.geometry.sampling import INVERSE

# Keep the quotient of two equal depths and the logarithm of a weight of 0 finite.
SMALLEST_GAP, SMALLEST_WEIGHT = 1e-9, 1e-6


def photometric_loss(predicted: Tensor, truth: Tensor) -> Tensor:
    """Eq. 9: squared distance of colours [R, 3], summed over channels, mean over rays."""
    return (predicted - truth).square().sum(dim=-1).mean()


def distill_loss(rendered: Tensor, teacher: Tensor) -> Tensor:
    """Eq. 11: one minus the cosine of rendered and teacher features [R, D], mean over rays."""
    return (1.0 - F.cosine_similarity(rendered, teacher, dim=-1)).mean()


def depth_loss(weights: Tensor, depths: Tensor, true_depth: Tensor, near: float, far: float) -> Tensor:
    """Cross-entropy of ray weights with the true depth, mean over the rays that have one from near to far.

    Beyond the paper. weights [R, S] sum to 1, rising depths [R, S] and true depth [R] as z in metres. The
    target lies on the two samples around the true depth, in the shares whose mean depth it is, or on the
    first or last sample if none lies beyond.
    """
    known = (true_depth >= near) & (true_depth <= far)
    after = torch.searchsorted(depths.contiguous(), true_depth[:, None], right=True).clamp(
        1, depths.shape[1] - 1
    )
    pair = torch.cat([after - 1, after], dim=1)
    before, behind = depths.gather(1, pair).unbind(dim=1)
    share = ((true_depth - before) / (behind - before).clamp(min=SMALLEST_GAP)).clamp(0.0, 1.0)
    logs = weights.gather(1, pair).clamp(min=SMALLEST_WEIGHT).log()
    entropies = -((1.0 - share) * logs[:, 0] + share * logs[:, 1])
    return (entropies * known).sum() / known.sum().clamp(min=1)


def depth_guided_loss(
    point_semantics: Tensor, teacher: Tensor, distance: Tensor, known: Tensor, window: int = 2
) -> Tensor:
    """Eqs. 12 and 13: points near the true surface must resemble the teacher, points far from it must not.

    point_semantics: [R, S, D]. teacher: [R, D]. distance: [R, S], number of samples between each point and
    the true surface. known: bool [R], rays with a true depth; others are skipped.

    A point costs 1 - cos if its distance is below `window`, and max(0, cos) if it is above. Eq. 13 leaves out
    the distance `window` itself; such points do not count. Returns the mean over the counted points.
    """
    cosine = F.cosine_similarity(point_semantics, teacher[:, None], dim=-1)
    each = torch.where(distance < window, 1.0 - cosine, cosine.clamp(min=0.0))
    counted = known[:, None] & (distance != window)
    return (each * counted).sum() / counted.sum().clamp(min=1)


def samples_between(depths: Tensor, true_depth: Tensor) -> Tensor:
    """The distance of Eq. 13, |i - i_d|: samples from each depth [R, S] to that nearest the true one [R]."""
    nearest = (depths - true_depth[:, None]).abs().argmin(dim=-1, keepdim=True)
    return (torch.arange(depths.shape[1], device=depths.device) - nearest).abs()


def cells_between(
    depths: Tensor, true_depth: Tensor, near: float, far: float, samples: int, spacing: str
) -> Tensor:
    """The same for samples that lie close together at surfaces: whole cells of the coarse pass [R, S]."""
    along = (1.0 / depths, 1.0 / true_depth) if spacing == INVERSE else (depths, true_depth)
    extent = abs(1.0 / near - 1.0 / far) if spacing == INVERSE else far - near
    return ((along[0] - along[1][:, None]).abs() * (samples - 1) / extent).round()
