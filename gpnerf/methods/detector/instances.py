"""Instance maps and the boxes and masks of a detector: the former to learn from, the latter to be pasted."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gpnerf.datasets.labels import IGNORE

# The classes of torchvision's detectors start at 1, as 0 is the background.
FIRST_CLASS = 1


def boxes_and_masks(slots: Tensor) -> dict[str, Tensor]:
    """The N objects of an instance map, in the form in which torchvision's detectors learn them.

    slots: int64 [H, W], 0..K-1 or IGNORE. Returns boxes, float [N, 4], the outer edges left, top, right and
    bottom of the objects' pixels, labels, int64 [N], and masks, uint8 [N, H, W].
    """
    present = slots[slots != IGNORE].unique()
    masks = slots == present[:, None, None]
    (left, right), (top, bottom) = _extent(masks.any(dim=1)), _extent(masks.any(dim=2))
    boxes = torch.stack([left, top, right, bottom], dim=1).float()
    return {"boxes": boxes, "labels": present + FIRST_CLASS, "masks": masks.to(torch.uint8)}


def _extent(lines: Tensor) -> tuple[Tensor, Tensor]:
    """The edges before the first and behind the last of the lines that each object meets, bool [N, L]."""
    first, behind = lines.int().argmax(dim=1), lines.int().flip(1).argmax(dim=1)
    return first, lines.shape[1] - behind


def pasted(detections: Mapping[str, Tensor], threshold: float) -> tuple[Tensor, Tensor]:
    """Detections of a photograph -> the slot of each pixel, int64 [H, W], IGNORE for none, and its score.

    detections: labels [N], scores [N] and masks [N, 1, H, W], probabilities, as torchvision's detectors
    return them. Masks are pasted in the order of rising scores, so that each pixel has the best detection
    whose mask there is at least the threshold. An object occurs once in a photograph: of several detections
    of it, the best one counts. The score of an object is that of its detection.
    """
    labels, masks = detections["labels"], detections["masks"][:, 0]
    scores = torch.where(_is_best(labels, detections["scores"]), detections["scores"], 0.0)
    nothing = masks.new_zeros(1, *masks.shape[1:])
    # The first layer is the background, of score 0.
    layers = torch.cat([nothing, (masks >= threshold) * scores[:, None, None]])
    confidence, layer = layers.max(dim=0)
    slots = torch.cat([labels.new_tensor([IGNORE]), labels - FIRST_CLASS])
    return torch.where(confidence > 0, slots[layer], IGNORE), confidence


def _is_best(labels: Tensor, scores: Tensor) -> Tensor:
    """Whether no other detection [N] of the same label has a higher score; of equal ones, the first."""
    order = scores.argsort(descending=True, stable=True)
    ranked = labels[order]
    earlier = (ranked[:, None] == ranked).tril(diagonal=-1).any(dim=1)
    return torch.empty_like(earlier).scatter_(0, order, ~earlier)
