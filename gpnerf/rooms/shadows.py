"""Finds points that are hidden from a point light.

Outlines of the shadows on a horizontal plane select candidates, which are then tested by exact rays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpnerf.rooms.solids import CORNERS, Solid


class Shadow:
    """Shadow that groups of solids cast from a light at `lamp` [3]; groups that reach above it cast none."""

    def __init__(self, lamp: np.ndarray, groups: Sequence[Sequence[Solid]]) -> None:
        self.lamp = lamp
        # Per group: outline, height of its top below the light, and (solid, outline) of each solid.
        self.groups: list[tuple[np.ndarray, float, list[tuple[Solid, np.ndarray]]]] = []
        for solids in groups:
            corners = np.concatenate([solid.corners for solid in solids])
            low, high = corners.min(0), corners.max(0)
            if high[2] >= lamp[2]:
                continue
            around = np.where(CORNERS < 0, low, high)
            parts = [(solid, self._outline(solid.corners)) for solid in solids]
            self.groups.append((self._outline(around), high[2] - lamp[2], parts))

    def covers(self, points: np.ndarray) -> np.ndarray:
        """Whether any solid stands between float32 points [3, N] and the light: bool [N]."""
        away = points - self.lamp[:, None].astype(np.float32)
        plan = away[:2] / np.minimum(away[2], -1e-3)
        dark = np.zeros(points.shape[1], dtype=bool)
        for outline, top, parts in self.groups:
            candidates = np.flatnonzero(_within(plan, outline) & (away[2] < top) & ~dark)
            if candidates.size:
                near, spread = away[:, candidates], plan[:, candidates]
                for solid, shape in parts:
                    self._cover(solid, np.flatnonzero(_within(spread, shape)), near, candidates, dark)
        return dark

    def _cover(
        self, solid: Solid, part: np.ndarray, away: np.ndarray, candidates: np.ndarray, dark: np.ndarray
    ) -> None:
        """Marks in `dark` the candidates, among those numbered `part`, that one solid hides."""
        if part.size:
            local = solid.to_local.astype(np.float32) @ away[:, part]
            begin = solid.entry(solid.to_local @ (self.lamp - solid.center), tuple(local))
            dark[candidates[part[begin < 1.0]]] = True

    def _outline(self, corners: np.ndarray) -> np.ndarray:
        """Low and high (x, y), per metre below the light, of the shadow of corners [N, 3]: [2, 2]."""
        away = corners - self.lamp
        plan = away[:, :2] / np.minimum(away[:, 2:], -1e-3)
        return np.stack([plan.min(0), plan.max(0)]).astype(np.float32)


def _within(plan: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Whether points [2, N] are inside a rectangle [2, 2]: bool [N]."""
    x, y = plan
    return (x >= outline[0, 0]) & (x <= outline[1, 0]) & (y >= outline[0, 1]) & (y <= outline[1, 1])
