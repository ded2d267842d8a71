"""Masks: which pixels of a photograph count, and how the others are filled.

A mask is bool [H, W], True where a pixel counts. The other pixels are not trained on, not scored, and not
used in sources. As features are computed from whole images, they are filled with colours from nearby.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

ROUNDING = 1e-4
# A resized pixel counts if this share of its area counts: all of it, up to rounding.
ALL_COUNT = 1.0 - ROUNDING


def filled(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fills masked pixels of a photograph [H, W, 3] with the colour of the nearest pixel that counts."""
    if mask.all() or not mask.any():
        return pixels
    _, nearest = cv2.distanceTransformWithLabels(
        (~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # OpenCV gives every pixel that counts a number of its own, and each masked pixel that of its nearest.
    colors = np.zeros((nearest.max() + 1, pixels.shape[2]), pixels.dtype)
    colors[nearest[mask]] = pixels[mask]
    return colors[nearest]


def shrunk(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes a mask in which some pixels count: a resized pixel counts if its whole area counts.

    If there is no such pixel, those with the largest share of their area count; the rest is filled anyway.
    """
    if mask.shape == (height, width):
        return mask
    shrinks = height < mask.shape[0]
    share = cv2.resize(
        mask.astype(np.float32),
        (width, height),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    return share > min(ALL_COUNT, share.max() - ROUNDING)


def stack_masks(masks: Sequence[Tensor | None], height: int, width: int) -> Tensor | None:
    """Stacks the masks of V views: bool [V, height, width], None if every pixel counts."""
    if all(mask is None for mask in masks):
        return None
    everything = torch.ones(height, width, dtype=torch.bool)
    return torch.stack([everything if mask is None else mask for mask in masks])
