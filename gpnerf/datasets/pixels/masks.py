"""Masks: which pixels of a photograph count, and what the others are filled with.

A mask is bool [H, W], True where a pixel counts. Pixels that do not are no targets, in no score, and are not
looked up in sources; as features are made of whole images, they are filled with what is next to them.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

ROUNDING = 1e-4
# The share that counts of what a pixel shows: all of it.
ALL_COUNT = 1.0 - ROUNDING


def filled(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A photograph [H, W, 3] whose masked pixels take the colour of the nearest one that counts."""
    if mask.all() or not mask.any():
        return pixels
    _, nearest = cv2.distanceTransformWithLabels(
        (~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # The label of every pixel that counts, in their order, is how the others name it.
    colors = np.zeros((nearest.max() + 1, pixels.shape[2]), pixels.dtype)
    colors[nearest[mask]] = pixels[mask]
    return colors[nearest]


def shrunk(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """The mask of a photograph, of which some pixels count, resized to [height, width]: a pixel counts if all
    that it shows counts.

    Where no pixel does, those count that show most of what counts; they were filled before.
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
    """The masks of V views, bool [V, height, width]; None where every pixel of all of them counts."""
    if all(mask is None for mask in masks):
        return None
    everything = torch.ones(height, width, dtype=torch.bool)
    return torch.stack([everything if mask is None else mask for mask in masks])
