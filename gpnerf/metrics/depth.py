"""Depth of one rendered view against true depth: the three scores of monocular depth estimation.

Depths are [H, W], z in metres; the truth is 0 where it is unknown, and such pixels do not count. No scale is
fitted: a rendering with posed photographs has one (Eigen et al., 2014, with the threshold 1.25).
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

RATIO = 1.25


class DepthScores(NamedTuple):
    """absolute_relative: mean of |d - t| / t; rmse: root of the mean squared error, metres; delta: share of
    pixels where d / t and t / d are both below 1.25."""

    absolute_relative: float
    rmse: float
    delta: float


def depth_scores(prediction: Tensor, truth: Tensor) -> DepthScores | None:
    """The scores over all pixels of known depth; None where there is none.

    A predicted depth of 0 or less has the ratio infinity.
    """
    known = truth > 0
    if not known.any():
        return None
    found, true = prediction[known].double(), truth[known].double()
    errors = (found - true).abs()
    near_enough = (found * RATIO > true) & (found < RATIO * true)
    return DepthScores(
        (errors / true).mean().item(),
        errors.square().mean().sqrt().item(),
        near_enough.double().mean().item(),
    )
