"""Colours and labels of points, from all views that agree on where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gpnerf.datasets.labels import IGNORE
from gpnerf.export.sight import Sight, at
from gpnerf.export.views import FusedView
from gpnerf.geometry.projection import read


class Look(NamedTuple):
    """What N points look like.

    colors: uint8 [N, 3]. labels: int64 [N], IGNORE for none; confidence: float32 [N] in [0, 1], the mean
    probability that the views give to the label; both None without classes.
    """

    colors: np.ndarray
    labels: np.ndarray | None
    confidence: np.ndarray | None

    @staticmethod
    def joined(looks: Sequence[Look]) -> Look:
        """The look of the points of all parts, at least one."""
        return Look(*(None if one[0] is None else np.concatenate(one) for one in zip(*looks, strict=True)))


class Paint:
    """Sums over views for N points. num_labels: 0 for a model without classes."""

    def __init__(self, count: int, num_labels: int) -> None:
        self.color = torch.zeros(count, 3)
        self.count = torch.zeros(count)
        self.votes = torch.zeros(count, num_labels)

    def add(self, view: FusedView, sight: Sight, agrees: Tensor) -> None:
        """Adds what a view shows of the points that agree with it, bool [N]; sight: of all points in it."""
        pixels = sight.pixels[agrees]
        self.color[agrees] += read(view.color[None], pixels[None])[0]
        self.count[agrees] += 1.0
        if view.labels is not None:
            labels, confidence = at(view.labels, pixels), at(view.confidence, pixels)
            known = labels != IGNORE
            rows = agrees.nonzero()[:, 0][known]
            self.votes[rows, labels[known]] += confidence[known]

    def look(self) -> Look:
        """The means over the views; black where there is none."""
        count = self.count.clamp(min=1.0)
        colors = (self.color / count[:, None]).round().clamp(0, 255).numpy().astype(np.uint8)
        if not self.votes.shape[1]:
            return Look(colors, None, None)
        most, labels = self.votes.max(dim=1)
        labels = torch.where(most > 0, labels, IGNORE)
        return Look(colors, labels.numpy(), (most / count).numpy())
