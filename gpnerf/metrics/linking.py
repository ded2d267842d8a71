"""Which segments of several views of a scene are the same object, for a model that numbers each view anew.

Views are taken in turn. A segment is compared with the objects of all earlier views, so that an object that
is hidden in one view is found again in the next. True labels play no part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

# A segment can be an earlier object if their IoU is above this. It is low, as distant views often share only
# a strip of an object, of which errors at the border are a large part; class and one-to-one matching exclude
# most wrong pairs. On generated rooms, 0.05 to 0.2 are equally good, and 0.5 finds too few.
LEAST_IOU = 0.1
NONE = -1


class Segments(NamedTuple):
    """The segments of a view: classes and ids, int64 [H, W] each, below 0 for none; an id has one class."""

    classes: Tensor
    ids: Tensor


def link_segments(views: Iterable[Segments], places: Callable[[int, int], Tensor]) -> list[Tensor]:
    """Numbers the objects of a scene from 0 on: for each view, int64 [I], id in the view -> id in the scene.

    NONE stands for an id that no pixel has. places(view, other): int64 [H, W], the pixel of the other view,
    counted row by row, that shows the same point as each pixel of the view; below 0 where it is not seen.
    """
    objects = torch.zeros(0, dtype=torch.int64)
    linked: list[Tensor] = []
    maps: list[Tensor] = []
    for number, view in enumerate(views):
        classes = _classes(view)
        votes = torch.zeros(2, len(classes), len(objects), dtype=torch.int64)
        for other, there in enumerate(maps):
            votes += _votes(view.ids, there, places(number, other), votes.shape[1:])
        ids = _matched(votes, classes[:, None] == objects)
        new = (classes >= 0) & (ids == NONE)
        ids[new] = len(objects) + torch.arange(int(new.sum()))
        objects = torch.cat([objects, classes[new]])
        linked.append(ids)
        maps.append(torch.cat([ids, torch.tensor([NONE])])[view.ids.clamp(min=-1)])
    return linked


def _classes(view: Segments) -> Tensor:
    """The class of each id, int64 [I]; NONE for ids without a pixel."""
    known = (view.ids >= 0) & (view.classes >= 0)
    classes = torch.full((int(view.ids.max()) + 1,), NONE)
    classes[view.ids[known]] = view.classes[known]
    return classes


def _votes(ids: Tensor, objects: Tensor, places: Tensor, shape: Sequence[int]) -> Tensor:
    """Pixels that segments of a view share with objects of an earlier one, and their union: [2, I, O].

    Only pixels that both views see count. An object that is not in the earlier view has no votes from it.
    """
    count, known = shape
    seen = places >= 0
    there = objects.flatten()[places[seen]]
    cells = (ids[seen].clamp(min=NONE) + 1) * (known + 1) + there + 1
    table = torch.bincount(cells, minlength=(count + 1) * (known + 1)).view(count + 1, known + 1)
    shared = table[1:, 1:]
    union = table.sum(1)[1:, None] + table.sum(0)[1:] - shared
    present = torch.bincount(objects.flatten() + 1, minlength=known + 1)[1:] > 0
    return torch.stack([shared, union * present])


def _matched(votes: Tensor, fits: Tensor) -> Tensor:
    """The object of each segment, int64 [I], NONE for none: one to one, with the largest sum of IoUs.

    votes: [2, I, O], as of `_votes`. fits: bool [I, O], whether both have the same class.
    """
    shared, union = votes.double()
    iou = shared / union.clamp(min=1)
    fits = fits & (iou > LEAST_IOU)
    pairs = linear_sum_assignment(torch.where(fits, iou, 0.0).numpy(), maximize=True)
    segments, objects = (torch.from_numpy(one).long() for one in pairs)
    kept = fits[segments, objects]
    ids = torch.full((len(iou),), NONE)
    ids[segments[kept]] = objects[kept]
    return ids
