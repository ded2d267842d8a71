"""Labelled points: every pixel that enough views agree on, once for all of these views."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gpnerf.export.agreement import Rule
from gpnerf.export.paint import Look, Paint
from gpnerf.export.sight import Sight, at
from gpnerf.export.views import FusedViews


@dataclass(frozen=True)
class Cloud:
    """N points.

    positions: float32 [N, 3] in the world. spacing: float32 [N], the distance between neighbouring pixels at
    each point. look: colours and labels.
    """

    positions: np.ndarray
    spacing: np.ndarray
    look: Look

    def chosen(self, chosen: np.ndarray) -> Cloud:
        """The points of a mask, bool [N], or of numbers."""
        parts = (None if one is None else one[chosen] for one in self.look)
        return Cloud(self.positions[chosen], self.spacing[chosen], Look(*parts))

    @staticmethod
    def joined(clouds: Sequence[Cloud]) -> Cloud:
        """The points of all clouds, at least one."""
        positions, spacing = ([getattr(one, name) for one in clouds] for name in ("positions", "spacing"))
        look = Look.joined([one.look for one in clouds])
        return Cloud(np.concatenate(positions), np.concatenate(spacing), look)


class CloudFusion:
    """Points of one view after the other; a pixel that is part of a point makes no other."""

    def __init__(self, views: FusedViews, rule: Rule) -> None:
        self.views, self.rule = views, rule
        self.used = torch.zeros(len(views), views.cameras.height, views.cameras.width, dtype=torch.bool)

    def run(self, numbers: Iterable[int]) -> Cloud:
        """Fuses the views of these numbers."""
        return Cloud.joined([self._fused(number) for number in numbers])

    def _fused(self, number: int) -> Cloud:
        """The points of a view that are not yet part of another view's."""
        view = self.views[number].surfaces
        pixels = view.known()
        pixels = pixels[~at(self.used[number], pixels)]
        points = view.points(pixels, torch.zeros(1))[:, 0]
        places = [number, *self.views.neighbours(number)]
        sights = {other: self.views[other].surfaces.locate(points) for other in places}
        agrees = {other: sight.agrees(self.rule.tolerance) for other, sight in sights.items()}
        kept = sum(agrees.values()) >= self.rule.least
        self._mark(sights, agrees, kept)
        spacing = at(view.depth, pixels) / view.camera.intrinsics[0, 0]
        positions, look = self._merged(points, sights, agrees)
        return Cloud(positions.numpy(), spacing.numpy(), look).chosen(kept.numpy())

    def _merged(
        self, points: Tensor, sights: dict[int, Sight], agrees: dict[int, Tensor]
    ) -> tuple[Tensor, Look]:
        """Points [N, 3] at the mean of the surfaces of the views that agree on them, and what they show."""
        total, paint = torch.zeros_like(points), Paint(len(points), len(self.views.maps.class_names))
        for other, sight in sights.items():
            moved = self.views[other].surfaces.onto_surface(points, sight)
            total += torch.where(agrees[other][:, None], moved, 0.0)
            paint.add(self.views[other], sight, agrees[other])
        return total / paint.count.clamp(min=1.0)[:, None], paint.look()

    def _mark(self, sights: dict[int, Sight], agrees: dict[int, Tensor], kept: Tensor) -> None:
        """Marks the pixels of all views that are part of a kept point."""
        for other, sight in sights.items():
            cells = sight.pixels[agrees[other] & kept].round().long().clamp(min=0)
            self.used[other, cells[:, 1], cells[:, 0]] = True
