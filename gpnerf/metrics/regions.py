"""Shapes of labelled regions: whether their boundaries lie right, and whether they are broken up.

Both ask what the mIoU hardly sees: context is said to keep objects whole and their boundaries sharp (Sec. 1).
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from skimage.measure import label
from torch import Tensor

from gpnerf.datasets.labels import IGNORE

# Half the width of a boundary, as a share of the image's diagonal (Cheng et al., CVPR 2021).
BOUNDARY_SHARE = 0.02


def boundary_iou(prediction: Tensor, truth: Tensor) -> float | None:
    """Mean boundary IoU (Cheng et al., 2021) over the classes present in the truth; None without labels.

    prediction, truth: int64 [H, W], on the CPU. It is the IoU of the pixels of a class that are close to its
    boundary in the prediction and in the truth. The image's border is a boundary, as published. Unlabelled
    pixels are in no region.
    """
    labelled = truth != IGNORE
    classes = truth[labelled].unique().tolist()
    width = max(1, round(BOUNDARY_SHARE * math.hypot(*truth.shape)))
    ious = []
    for number in classes:
        true, found = (_boundary(((one == number) & labelled).numpy(), width) for one in (truth, prediction))
        ious.append((true & found).sum() / (true | found).sum())
    return float(np.mean(ious)) if ious else None


def regions_per_true_region(prediction: Tensor, truth: Tensor) -> float | None:
    """Connected regions of the prediction for each connected region of the truth; None without labels.

    prediction, truth: int64 [H, W], on the CPU. A region is of one class; its pixels touch by sides or
    corners. Above 1, the prediction is broken up; below, regions are lost. Unlabelled pixels are in no
    region.
    """
    labelled = truth != IGNORE
    true, found = (
        int(label(torch.where(labelled, one, IGNORE).numpy(), background=IGNORE, connectivity=2).max())
        for one in (truth, prediction)
    )
    return found / true if true else None


def _boundary(mask: np.ndarray, width: int) -> np.ndarray:
    """The pixels of a mask [H, W] at most `width` rows and columns from what is outside it."""
    window = np.ones((2 * width + 1,) * 2, np.uint8)
    inside = cv2.erode(mask.astype(np.uint8), window, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return mask & (inside == 0)
