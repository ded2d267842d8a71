"""Colour of surface points: texture, ceiling light and sun with soft shadows, daylight, lamps, occlusion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpnerf.rooms.layout import Room
from gpnerf.rooms.occlusion import Openness
from gpnerf.rooms.shadows import Shadow
from gpnerf.rooms.solids import BOX, CYLINDER, Solid
from gpnerf.rooms.textures import Surface, column

SHELL_FACES = 6
# Half the side of the square ceiling light and its distance to the ceiling; the sun's distance; metres.
LIGHT_REACH, LIGHT_DROP, SUN_DISTANCE = 0.45, 0.05, 60.0
# Radius of the sun's disc seen from the room, as a tangent: softens the edges of its shadows.
SUN_RADIUS = 0.012
# Least cosine between the sun and a window's normal: grazing light would leave odd slivers on the walls.
SUN_SLANT = 0.5
# Corners of a slightly turned square: each of the 4 samples of a pixel is lit from another one.
SPOTS = np.array([[-1.0, -0.4], [0.4, -1.0], [-0.4, 1.0], [1.0, 0.4]])
SHADOW_BIAS = np.float32(0.004)

# Linear light. Ambient from above and reflected from the floor; then one colour per kind of source.
ABOVE, BELOW = column((0.22, 0.22, 0.23)), column((0.43, 0.37, 0.30))
CEILING_LIGHT, SUNLIGHT = column((4.4, 4.05, 3.5)), column((2.6, 2.15, 1.5))
DAYLIGHT, LAMPLIGHT = column((0.42, 0.49, 0.58)), column((0.17, 0.115, 0.06))
GLOW, EXPOSURE = 1.05, 1.9


class Lighting:
    """Everything about the light of one room that does not depend on the view."""

    def __init__(self, room: Room, solids: Sequence[Solid]) -> None:
        self.room, self.solids = room, solids
        opaque = [[solid for solid in item.solids if not solid.glow] for item in room.items]
        opaque = [group for group in opaque if group]
        middle = np.array([*room.loop.center, room.size[2] - LIGHT_DROP])
        spots = np.column_stack([SPOTS, np.zeros(len(SPOTS))])
        self.ceiling = [Shadow(middle + LIGHT_REACH * spot, opaque) for spot in spots]
        glowing = [solid for solid in solids if solid.glow]
        panes = [solid for solid in glowing if solid.shape == BOX]
        sunny = [solid for solid in panes if solid.rotation[:, 1] @ room.sun > SUN_SLANT]
        suns = [SUN_DISTANCE * (room.sun + SUN_RADIUS * spot) + room.size / 2 for spot in spots]
        self.suns = [(Shadow(sun, [sunny]), Shadow(sun, opaque)) for sun in suns] if sunny else []
        self.lamps = [solid.center for solid in glowing if solid.shape == CYLINDER]
        self.panes = [_pane(solid) for solid in panes]
        self.openness = Openness(room.size, solids)

    def shade(self, points: np.ndarray, surface: np.ndarray) -> np.ndarray:
        """Display colours [3, 4, N] of points [3, 4, N] on surfaces numbered [4, N].

        Each of the 4 samples is lit from another spot of the lights.
        """
        flat = points.reshape(3, -1)
        color, normal, glow = self.surfaces(flat, surface.reshape(-1))
        light = self.indirect(flat, normal).reshape(points.shape)
        normal = normal.reshape(points.shape)
        for index in range(points.shape[1]):
            self.add_direct(light[:, index], points[:, index], normal[:, index], index)
        linear = color * color * (light.reshape(3, -1) * (1.0 - glow) + np.float32(GLOW) * glow)
        # Bright colours saturate softly; the square root is the display's gamma.
        return np.sqrt(1.0 - np.exp(-np.float32(EXPOSURE) * linear)).reshape(points.shape)

    def surfaces(self, points: np.ndarray, surface: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Texture colours [3, N], unit normals [3, N] and glow [N] at points [3, N] of surfaces [N]."""
        color, normal = np.empty_like(points), np.empty_like(points)
        glow = np.zeros(points.shape[1], dtype=np.float32)
        order = np.argsort(surface, kind="stable")
        numbers, starts = np.unique(surface[order], return_index=True)
        for number, chosen in zip(numbers, np.split(order, starts[1:]), strict=True):
            if number < SHELL_FACES:
                color[:, chosen], normal[:, chosen] = self._shell(points[:, chosen], number)
                continue
            solid = self.solids[number - SHELL_FACES]
            color[:, chosen], normal[:, chosen] = _solid(points[:, chosen], solid)
            glow[chosen] = solid.glow
        return color, normal, glow

    def indirect(self, points: np.ndarray, normal: np.ndarray) -> np.ndarray:
        """Ambient light dimmed in corners, plus daylight and lamps without shadows: [3, N]."""
        light = BELOW + (ABOVE - BELOW) * (0.5 + 0.5 * normal[2])
        for center, inward, strength in self.panes:
            light += DAYLIGHT * (strength * _arriving(points, normal, center, inward, 0.25))
        for center in self.lamps:
            light += LAMPLIGHT * _arriving(points, normal, center, None, 0.08)
        return light * self.openness(points, normal)

    def add_direct(self, light: np.ndarray, points: np.ndarray, normal: np.ndarray, spot: int) -> None:
        """Adds what one spot of the ceiling light and of the sun sends to points [3, N]."""
        shadow = self.ceiling[spot]
        share = _arriving(points, normal, shadow.lamp, np.array([0.0, 0.0, -1.0]), 0.3)
        lit = np.flatnonzero(share > 1e-3)
        lit = lit[~shadow.covers(points[:, lit] + SHADOW_BIAS * normal[:, lit])]
        light[:, lit] += CEILING_LIGHT * share[lit]
        if self.suns:
            opening, shadow = self.suns[spot]
            share = self.room.sun.astype(np.float32) @ normal
            lit = np.flatnonzero(share > 0.0)
            lit = lit[opening.covers(points[:, lit])]
            lit = lit[~shadow.covers(points[:, lit] + SHADOW_BIAS * normal[:, lit])]
            light[:, lit] += SUNLIGHT * share[lit]

    def _shell(self, points: np.ndarray, face: int) -> tuple[np.ndarray, np.ndarray]:
        """Texture colours and normals [3, N] on a face of the room."""
        axis, half = face // 2, (self.room.size / 2).astype(np.float32)
        normal = np.zeros_like(points)
        normal[axis] = -1.0 if face % 2 else 1.0
        at = Surface.of(points - half[:, None], half, np.full(points.shape[1], axis))
        return self.room.shell[face](at), normal


def _solid(points: np.ndarray, solid: Solid) -> tuple[np.ndarray, np.ndarray]:
    """Texture colours and world normals [3, N] at points on a solid."""
    to_local = solid.to_local.astype(np.float32)
    local = to_local @ (points - solid.center.astype(np.float32)[:, None])
    facing, axis = solid.local_normal(local)
    normal = to_local.T @ facing.astype(np.float32)
    half = solid.half.astype(np.float32)
    color = solid.texture(Surface.of(local * half[:, None], half, axis))
    return color, normal / np.sqrt((normal * normal).sum(0) + np.float32(1e-12))


def _arriving(
    points: np.ndarray, normal: np.ndarray, source: np.ndarray, facing: np.ndarray | None, soften: float
) -> np.ndarray:
    """Light [N] per area that arrives from a unit source.

    facing: normal [3] of a flat source; soften: added to squared distances (m^2) to limit the light nearby.
    """
    toward = source.astype(np.float32)[:, None] - points
    square = np.einsum("in,in->n", toward, toward)
    light = np.maximum(np.einsum("in,in->n", toward, normal), 0.0)
    light /= np.sqrt(square) * (square + np.float32(soften))
    if facing is None:
        return light
    return light * np.maximum(-(facing.astype(np.float32) @ toward), 0.0) / np.sqrt(square)


def _pane(solid: Solid) -> tuple[np.ndarray, np.ndarray, float]:
    """Centre, direction into the room and area of a window."""
    inward = -solid.rotation[:, 1]
    return solid.center + 0.05 * inward, inward, 4.0 * solid.half[0] * solid.half[2]
