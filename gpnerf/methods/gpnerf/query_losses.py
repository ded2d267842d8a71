"""The losses that train queries to find segments, as pure functions (mask classification).

Cheng et al., NeurIPS 2021 (MaskFormer): the queries are matched to the true segments, each to one at most. A
matched query learns class and mask of its segment, every other one "no object".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gpnerf.datasets.labels import IGNORE
from gpnerf.methods.gpnerf.query_decoder import Segments
from gpnerf.metrics.instance import UNMATCHED, match_slots, number_instances

# Weight of "no object", to which most queries belong, in the cross-entropy.
NO_OBJECT = 0.1


class QueryLosses(NamedTuple):
    """Cross-entropy of the classes of all queries; cross-entropy and dice loss of the matched masks."""

    query_class: Tensor
    query_mask: Tensor
    query_dice: Tensor


def query_losses(found: Sequence[Segments], instances: Tensor, classes: Tensor) -> QueryLosses | None:
    """The means over the layers whose segments are given; None where no cell has an instance and a class.

    instances, classes: int64 [h, w], of the cells, IGNORE where unknown. Ids need to agree within this view
    only. An instance has the class of most of its cells.
    """
    known = (instances != IGNORE) & (classes != IGNORE)
    if not known.any():
        return None
    numbers, count = number_instances(instances[known])
    num_classes = found[0].classes.shape[1] - 1
    of_instance = _majority(numbers, classes[known], count, num_classes)
    layers = [_layer_losses(one.classes, one.masks[:, known], numbers, of_instance) for one in found]
    return QueryLosses(*(torch.stack(values).mean() for values in zip(*layers, strict=True)))


def _layer_losses(classes: Tensor, masks: Tensor, numbers: Tensor, of_instance: Tensor) -> QueryLosses:
    """classes: logits [N, K + 1]. masks: logits [N, P] of P cells in the instances numbers [P], whose classes
    are of_instance [G].
    """
    # A step whose losses are no numbers is skipped; until then, any match will do.
    unlikely = 1.0 - classes.detach().softmax(dim=1).nan_to_num()[:, of_instance]
    slots = match_slots(masks.detach().sigmoid().nan_to_num(), numbers, unlikely)
    matched = (slots != UNMATCHED).nonzero()[:, 0]
    truth = (numbers == matched[:, None]).to(masks.dtype)
    wanted = torch.full((len(classes),), classes.shape[1] - 1, device=classes.device)
    wanted[slots[matched]] = of_instance[matched]
    weights = torch.ones_like(classes[0])
    weights[-1] = NO_OBJECT
    mask = masks[slots[matched]]
    entropies = F.binary_cross_entropy_with_logits(mask, truth)
    return QueryLosses(F.cross_entropy(classes, wanted, weights), entropies, dice_loss(mask.sigmoid(), truth))


def dice_loss(masks: Tensor, truth: Tensor) -> Tensor:
    """1 - (2 overlap + 1) / (both areas + 1), as published, of masks [M, P] in [0, 1]; mean over M."""
    overlap = (masks * truth).sum(dim=1)
    return (1.0 - (2.0 * overlap + 1.0) / (masks.sum(dim=1) + truth.sum(dim=1) + 1.0)).mean()


def _majority(numbers: Tensor, classes: Tensor, count: int, num_classes: int) -> Tensor:
    """The class of most cells of each of `count` instances, int64 [count]; numbers and classes [P]."""
    cells = torch.bincount(numbers * num_classes + classes, minlength=count * num_classes)
    return cells.view(count, num_classes).argmax(dim=1)
