"""Oriented convex solids: entry points of rays, surface normals, and tests of enclosed points.

Every solid is a unit shape (box [-1, 1]^3, cylinder or frustum of radius 1 and |z| <= 1, unit ball)
scaled by `half`, turned by `rotation` and moved to `center`. Rays are transformed to the unit shape, which
leaves the parameter t along the ray unchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from gpnerf.rooms.textures import Texture

BOX, CYLINDER, BALL = "box", "cylinder", "ball"
# Keeps 1 / direction finite for rays parallel to a face.
TINY = np.float32(1e-12)
CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)

Components = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Solid:
    """One solid.

    center, half [3] metres; rotation [3, 3] local -> world; taper: radius of a cylinder is 1 + taper * z;
    glow: share of its light that a solid emits itself (0: none). A glowing solid casts no shadow.
    """

    shape: str
    center: np.ndarray
    half: np.ndarray
    texture: Texture
    rotation: np.ndarray
    taper: float = 0.0
    glow: float = 0.0

    @cached_property
    def to_local(self) -> np.ndarray:
        """Transform [3, 3] of world directions to the unit shape."""
        return self.rotation.T / self.half[:, None]

    @cached_property
    def corners(self) -> np.ndarray:
        """Corners of the enclosing oriented box in the world: [8, 3]."""
        widest = 1.0 + abs(self.taper)
        half = self.half * np.array([widest, widest, 1.0])
        return self.center + (CORNERS * half) @ self.rotation.T

    def moved(self, turn: np.ndarray, shift: np.ndarray) -> Solid:
        """The solid after p -> turn p + shift."""
        return replace(self, center=turn @ self.center + shift, rotation=turn @ self.rotation)

    def entry(self, origin: np.ndarray, direction: Components) -> np.ndarray:
        """t [...] at which rays enter, infinite where they miss.

        origin: [3] and direction: three arrays [...], both already in the unit shape's space.
        """
        near, far = INTERVALS[self.shape](origin.astype(np.float32), direction, np.float32(self.taper))
        near[(near > far) | (near < 1e-3)] = np.inf
        return near

    def contains(self, points: np.ndarray, margin: float = 0.0) -> np.ndarray:
        """Whether world points [N, 3] lie inside the solid grown by `margin` metres: bool [N]."""
        local = (points - self.center) @ self.rotation / (self.half + margin)
        if self.shape == BOX:
            return np.abs(local).max(-1) <= 1.0
        if self.shape == BALL:
            return (local**2).sum(-1) <= 1.0
        radius = 1.0 + self.taper * local[:, 2]
        return (np.hypot(local[:, 0], local[:, 1]) <= radius) & (np.abs(local[:, 2]) <= 1.0)

    def local_normal(self, local: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Surface points [3, N] of the unit shape -> their normals [3, N] and face axes [N] (0, 1, 2)."""
        if self.shape == BALL:
            return local, np.abs(local).argmax(0)
        if self.shape == BOX:
            axis = np.abs(local).argmax(0)
            return np.sign(local) * (np.arange(3)[:, None] == axis), axis
        radius = 1.0 + self.taper * local[2]
        on_cap = (1.0 - np.abs(local[2])) * self.half[2] < np.abs(np.hypot(*local[:2]) - radius) * self.half[
            0
        ]
        side = np.stack([local[0], local[1], -self.taper * radius])
        cap = np.stack([np.zeros_like(radius), np.zeros_like(radius), np.sign(local[2])])
        return np.where(on_cap, cap, side), np.where(on_cap, 2, np.abs(local[:2]).argmax(0))


def box(
    size: tuple, base: tuple, texture: Texture, rotation: np.ndarray | None = None, glow: float = 0.0
) -> Solid:
    """A box of `size` metres that stands on `base` (centre of its lower face)."""
    return _standing(BOX, size, base, texture, rotation, 0.0, glow)


def cylinder(size: tuple, base: tuple, texture: Texture, taper: float = 0.0, glow: float = 0.0) -> Solid:
    """An upright cylinder; `size` holds its mean diameters and height, taper < 0 narrows it upwards."""
    return _standing(CYLINDER, size, base, texture, None, taper, glow)


def ball(
    size: tuple, base: tuple, texture: Texture, rotation: np.ndarray | None = None, glow: float = 0.0
) -> Solid:
    """An ellipsoid of `size` metres whose unturned lowest point is `base`."""
    return _standing(BALL, size, base, texture, rotation, 0.0, glow)


def _standing(
    shape: str,
    size: tuple,
    base: tuple,
    texture: Texture,
    rotation: np.ndarray | None,
    taper: float,
    glow: float,
) -> Solid:
    half = np.asarray(size, dtype=np.float64) / 2.0
    center = np.asarray(base, dtype=np.float64) + np.array([0.0, 0.0, half[2]])
    rotation = np.eye(3) if rotation is None else rotation
    return Solid(shape, center, half, texture, rotation, taper, glow)


def yaw(angle: float) -> np.ndarray:
    """Turn about z, counter-clockwise seen from above, radians: [3, 3]."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def pitch(angle: float) -> np.ndarray:
    """Turn about x that tips +y upwards, radians: [3, 3]."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])


def slab(origin: np.float32, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """t at which |origin + t direction| <= 1 begins and ends."""
    inverse = 1.0 / (direction + TINY)
    middle = inverse * -origin
    reach = np.abs(inverse)
    return middle - reach, middle + reach


def box_interval(origin: np.ndarray, direction: Components, taper: float) -> tuple[np.ndarray, np.ndarray]:
    """t of entry and exit of the unit box; entry > exit where the line misses."""
    near, far = slab(origin[0], direction[0])
    for axis in (1, 2):
        begin, end = slab(origin[axis], direction[axis])
        np.maximum(near, begin, out=near)
        np.minimum(far, end, out=far)
    return near, far


def ball_interval(origin: np.ndarray, direction: Components, taper: float) -> tuple[np.ndarray, np.ndarray]:
    """t of entry and exit of the unit ball; entry > exit where the line misses."""
    x, y, z = direction
    square = x * x + y * y + z * z
    slope = origin[0] * x + origin[1] * y + origin[2] * z
    inside = slope * slope - square * (origin @ origin - np.float32(1.0))
    root = np.sqrt(np.maximum(inside, 0.0))
    near = (-slope - root) / square
    near[inside < 0.0] = np.inf
    return near, (root - slope) / square


def cylinder_interval(
    origin: np.ndarray, direction: Components, taper: float
) -> tuple[np.ndarray, np.ndarray]:
    """t of entry and exit of the unit frustum; entry > exit where the line misses."""
    x, y, z = direction
    radius = np.float32(1.0) + taper * origin[2]
    square = x * x + y * y - (taper * z) ** 2
    slope = origin[0] * x + origin[1] * y - taper * radius * z
    inside = slope * slope - square * (origin[0] ** 2 + origin[1] ** 2 - radius * radius)
    root = np.sqrt(np.maximum(inside, 0.0))
    first, last = (-slope - root) / (square + TINY), (root - slope) / (square + TINY)
    begin, end = slab(origin[2], z)
    near, far = np.maximum(begin, first), np.minimum(end, last)
    if taper:
        # A ray steeper than the cone is inside it before the first and after the last root.
        low, high = np.minimum(first, last), np.maximum(first, last)
        steep, below = square < 0.0, begin <= low
        near = np.where(steep, np.where(below, begin, np.maximum(begin, high)), near)
        far = np.where(steep, np.where(below, np.minimum(end, low), end), far)
    near[inside < 0.0] = np.inf
    return near, far


INTERVALS: dict[str, Callable] = {BOX: box_interval, CYLINDER: cylinder_interval, BALL: ball_interval}
