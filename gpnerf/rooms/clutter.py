"""Things of no class that fill a room: boxes, balls and cylinders with strong patterns.

Real rooms are full, of things that no list of classes names. A model that only saw tidy rooms has not learned
to find the depth of such things. Their pixels have no label.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpnerf.rooms import materials
from gpnerf.rooms.furniture import Item
from gpnerf.rooms.materials import Rng, pick
from gpnerf.rooms.motifs import Books, choose
from gpnerf.rooms.plan import Plan
from gpnerf.rooms.solids import ball, box, cylinder, yaw
from gpnerf.rooms.textures import Checks, Color, Plain, Stripes, Surface, Texture, Wood, scatter

NAME = "clutter"
# Shares of the things that hang on walls and stand on furniture; the others stand on the floor.
ON_WALLS, ON_FURNITURE = 0.4, 0.35
# Furniture with a flat top, and the greatest height of a top in metres.
TOPS, HIGHEST_TOP = ("table", "cabinet", "bookshelf"), 2.1


@dataclass(frozen=True)
class Patches:
    """Rectangular patches of random colours: large ones of `size` metres with small ones in them."""

    colors: tuple[Color, ...]
    size: float
    seed: int
    # Edge of a small patch in those of a large one, and the share of the small ones' colours.
    fineness: float = 4.0
    contrast: float = 0.4

    def __call__(self, at: Surface) -> np.ndarray:
        large = self._patches(at, self.size, self.seed)
        return large + self.contrast * (self._patches(at, self.size / self.fineness, self.seed + 1) - large)

    def _patches(self, at: Surface, size: float, seed: int) -> np.ndarray:
        row = np.floor(at.v / size)
        column = np.floor(at.u / size + scatter(row, seed=seed))
        return choose(self.colors, scatter(row, column, at.axis, seed=seed))


def strew(rng: Rng, plan: Plan, count: int) -> list[Item]:
    """Tries to place `count` things in a furnished room; returns those that found a place."""
    before = len(plan.items)
    tops = [item for item in plan.items if item.name in TOPS and item.bounds[1][2] < HIGHEST_TOP]
    for place in rng.uniform(size=count):
        if place < ON_WALLS:
            size = rng.uniform((0.15, 0.02, 0.15), (0.8, 0.35, 0.7))
            plan.try_walls(rng, lambda size=size: thing(rng, size), rng.uniform(0.3, 2.2), gap=0.0)
        elif tops and place < ON_WALLS + ON_FURNITURE:
            size = rng.uniform((0.05, 0.05, 0.05), (0.3, 0.25, 0.4))
            plan.put_on(pick(rng, tuple(tops)), thing(rng, size), rng.uniform(-0.5, 0.5))
        else:
            size = rng.uniform((0.12, 0.12, 0.1), (0.6, 0.5, 0.9))
            plan.try_walls(rng, lambda size=size: thing(rng, size), gap=rng.uniform(0.02, 0.5))
    return plan.items[before:]


def thing(rng: Rng, size: np.ndarray) -> Item:
    """A box, cylinder or ball of `size` metres: mostly boxes, as in real rooms."""
    base, texture = (0.0, -size[1] / 2, 0.0), pattern(rng)
    shape = rng.uniform()
    if shape < 0.7:
        solid = box(size, base, texture, yaw(rng.uniform(-0.15, 0.15)) if size[1] > 0.1 else None)
    elif shape < 0.9:
        solid = cylinder(size, base, texture, rng.uniform(-0.3, 0.3))
    else:
        solid = ball(size, base, texture)
    # Turned boxes and wide cylinders reach behind the wall: their backs come to y = 0.
    return Item(NAME, (solid,)).moved(0.0, (0.0, -solid.corners[:, 1].max(), 0.0))


def pattern(rng: Rng) -> Texture:
    """One of many patterns in strong, dark or pale colours."""
    colors = tuple(color(rng) for _ in range(5))
    return pick(
        rng,
        (
            Patches(colors, rng.uniform(0.06, 0.3), materials.seed_of(rng)),
            Patches(colors[:3], rng.uniform(0.1, 0.5), materials.seed_of(rng), contrast=0.2),
            Stripes(colors[0], colors[1], rng.uniform(0.06, 0.3), 0.5, rng.uniform() < 0.5),
            Checks(colors[0], colors[1], rng.uniform(0.06, 0.3)),
            Books(colors, materials.seed_of(rng), rng.uniform(0.03, 0.07)),
            Wood(materials.wood_color(rng), materials.phase(rng), 0.2),
            Plain(colors[0], 0.08, materials.phase(rng)),
            Plain(colors[1], 0.2, materials.phase(rng)),
        ),
    )


def color(rng: Rng) -> Color:
    """Any colour: a third is nearly grey, from black to white."""
    saturation = rng.uniform(0.0, 0.1) if rng.uniform() < 1 / 3 else rng.uniform(0.2, 0.9)
    return materials.tint(rng, (0.0, 1.0), (saturation, saturation), (0.05, 0.98))
