"""A mesh of the surfaces that rendered views agree on, with colours and labels at its vertices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gpnerf.export.agreement import Rule
from gpnerf.export.paint import Look, Paint
from gpnerf.export.sight import Surfaces
from gpnerf.export.views import FusedViews
from gpnerf.export.volume import Volume

# Vertices that are painted at a time: their votes are float32 [N, K].
PAINTED_AT_ONCE = 1 << 18
# Shows how far a loop is: (numbers, what is done) -> the same numbers.
Progress = Callable[[Sequence[int], str], Iterable[int]]


@dataclass(frozen=True)
class Mesh:
    """vertices: float32 [N, 3] in the world. triangles: int32 [M, 3]. look: of the vertices."""

    vertices: np.ndarray
    triangles: np.ndarray
    look: Look


class MeshFusion:
    """Fuses rendered views in a volume.

    voxel, truncation: as in Volume. progress: shows how far each step is.
    """

    def __init__(
        self, views: FusedViews, rule: Rule, voxel: float, truncation: float, progress: Progress
    ) -> None:
        self.views, self.rule, self.progress = views, rule, progress
        self.numbers = range(len(views))
        self.volume = Volume(voxel, truncation)

    def run(self) -> Mesh:
        """Makes the mesh, without triangles if the views agree nowhere."""
        marks = [self.rule.confirmed(self.views, one) for one in self.progress(self.numbers, "comparing")]
        self.volume.make_blocks(self._surfaces(marks))
        for _, view in zip(self.progress(self.numbers, "fusing"), self._surfaces(marks), strict=True):
            self.volume.add(view)
        vertices, triangles = self.volume.surface()
        parts = torch.from_numpy(vertices).split(PAINTED_AT_ONCE)
        looks = [self._look(parts[one]) for one in self.progress(range(len(parts)), "painting")]
        return Mesh(vertices, triangles, Look.joined(looks))

    def _surfaces(self, marks: Sequence[Tensor]) -> Iterator[Surfaces]:
        """The depths of all views where enough views agree on them."""
        for number, confirmed in enumerate(marks):
            view = self.views[number].surfaces
            yield replace(view, depth=view.depth * confirmed)

    def _look(self, vertices: Tensor) -> Look:
        """What the views show at vertices [N, 3] as far as they see them."""
        paint = Paint(len(vertices), len(self.views.maps.class_names))
        for view in self.views:
            sight = view.surfaces.locate(vertices)
            paint.add(view, sight, sight.agrees(self.rule.tolerance))
        return paint.look()
