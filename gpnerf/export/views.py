"""The rendered views of a scene as the fusion reads them: from disk, a bounded number at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from gpnerf.datasets.overlap import rank_by_overlap
from gpnerf.export.map_folder import MapFolder
from gpnerf.export.sight import Surfaces
from gpnerf.geometry.cameras import Camera

# So many views stay in memory: those that a view is compared with are read once for several views.
KEPT = 64
# A view is compared with so many others, those that see most of it.
NEIGHBOURS = 20
# Spread of a depth, as a share of it, from which its weight falls, and half the power by which it does.
SURE, FALL = 0.01, 3


@dataclass(frozen=True)
class FusedView:
    """A rendered view in memory.

    surfaces: its depths. color: float32 [H, W, 3] in [0, 255]. labels, confidence: as in Maps.
    """

    surfaces: Surfaces
    color: Tensor
    labels: Tensor | None
    confidence: Tensor | None


class FusedViews(Sequence[FusedView]):
    """The views of these names, with a batch of their cameras."""

    def __init__(self, maps: MapFolder, names: Sequence[str], cameras: Camera) -> None:
        self.maps, self.names, self.cameras = maps, tuple(names), cameras
        self._kept = lru_cache(KEPT)(self._read)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, number: int) -> FusedView:
        return self._kept(range(len(self))[number])

    def neighbours(self, number: int) -> list[int]:
        """The numbers of the views that see most of this one."""
        others = [other for other in range(len(self)) if other != number]
        target, near, far = self.cameras[number], self.maps.near, self.maps.far
        best = rank_by_overlap(target, self.cameras[others], near, far, NEIGHBOURS)
        return [others[rank] for rank in best.tolist()]

    def _read(self, number: int) -> FusedView:
        maps = self.maps.load(self.names[number])
        weight = (1.0 + (maps.spread / SURE) ** 2) ** -FALL
        surfaces = Surfaces(self.cameras[number], maps.depth, weight)
        color = torch.from_numpy(maps.color.astype(np.float32))
        return FusedView(surfaces, color, maps.labels, maps.confidence)
