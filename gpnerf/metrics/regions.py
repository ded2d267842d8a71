"""Shapes of labelled regions: whether their boundaries lie right, and whether they are broken up.

Both ask what the mIoU hardly sees: context is said to keep objects whole and their boundaries sharp (Sec. 1).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from skimage.measure import label
from torch import Tensor

from gpnerf.datasets.labels import IGNORE

# Half the width of a boundary, as a share of the image's diagonal (Cheng et al., CVPR 2021).
BOUNDARY_SHARE = 0.02


def boundary_iou(prediction: Tensor, truth: Tensor, num_classes: int) -> float | None:
    """Mean boundary IoU (Cheng et al., 2021) over the classes present in the truth; None without labels.

    prediction, truth: int64 [H, W]. It is the IoU of the pixels of a class that are close to its boundary in
    the prediction and in the truth. The image's border is a boundary, as published. Unlabelled pixels are in
    no region.
    """
    labelled = truth != IGNORE
    true, found = (_masks(torch.where(labelled, one, IGNORE), num_classes) for one in (truth, prediction))
    width = max(1, round(BOUNDARY_SHARE * math.hypot(*truth.shape)))
    true, found = _boundaries(true, width), _boundaries(found, width)
    shared, union = (both.sum((1, 2)) for both in (true & found, true | found))
    present = true.any(2).any(1)
    return (shared[present] / union[present]).mean().item() if present.any() else None


def regions_per_true_region(prediction: Tensor, truth: Tensor) -> float | None:
    """Connected regions of the prediction for each connected region of the truth; None without labels.

    prediction, truth: int64 [H, W]. A region is of one class; its pixels touch by sides or corners. Above 1,
    the prediction is broken up; below, regions are lost. Unlabelled pixels are in no region.
    """
    labelled = truth != IGNORE
    true, found = (
        int(label(torch.where(labelled, one, IGNORE).cpu().numpy(), background=IGNORE, connectivity=2).max())
        for one in (truth, prediction)
    )
    return found / true if true else None


def _masks(labels: Tensor, num_classes: int) -> Tensor:
    """Whether each pixel has each class: bool [K, H, W]."""
    return labels == torch.arange(num_classes, device=labels.device)[:, None, None]


def _boundaries(masks: Tensor, width: int) -> Tensor:
    """The pixels of masks [K, H, W] at most `width` pixels from what is outside them."""
    outside = F.pad((~masks).float(), [width] * 4, value=1.0)
    return masks & (F.max_pool2d(outside, 2 * width + 1, stride=1) > 0)
