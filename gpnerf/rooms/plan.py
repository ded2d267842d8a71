"""Plan of a room during furnishing: what has been placed, and where there is room for more."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gpnerf.rooms import fittings
from gpnerf.rooms.furniture import Item
from gpnerf.rooms.materials import Rng, pick
from gpnerf.rooms.walk import Loop

# Least distances in metres of furniture from the walk, and from other furniture.
CLEARANCE, GAP = 0.38, 0.02
# Things higher than this hang above the walker's head.
HEADROOM = 1.9


class Plan:
    """A room of `size` [3] metres with a walk to keep free, and what has been placed in it so far."""

    def __init__(self, size: np.ndarray, loop: Loop) -> None:
        self.size, self.corridor = size, loop.outline(120)
        self.items: list[Item] = []
        # Boxes (low [1, 3], high [1, 3]) where only flat things may be, such as in front of the door.
        self.reserved: list[tuple[np.ndarray, np.ndarray]] = []

    def fits(self, item: Item) -> bool:
        """Whether an item is inside the room, clear of other items, and off the walk or not in its way.

        Flat things and things above head height are not in the way.
        """
        low, high = item.bounds
        if (low < -1e-6).any() or (high > self.size + 1e-6).any():
            return False
        if low[2] < HEADROOM and high[2] > GAP and self._distance(low, high) < CLEARANCE:
            return False
        taken = [other.boxes for other in self.items] + (self.reserved if high[2] > GAP else [])
        return not any(_touch(item.boxes, boxes) for boxes in taken)

    def add(self, *items: Item) -> bool:
        """Places all items or none; returns whether they fit."""
        before = len(self.items)
        for item in items:
            if not self.fits(item):
                del self.items[before:]
                return False
            self.items.append(item)
        return True

    def at_wall(self, item: Item, wall: int, along: float, height: float = 0.0, gap: float = 0.015) -> Item:
        """The item with its back `gap` metres off a wall (0..3 = +y, -x, -y, +x), `along` metres along it."""
        width, depth = self.size[:2]
        spot = ((along, depth - gap), (gap, along), (along, gap), (width - gap, along))[wall]
        return item.moved(fittings.facing(wall), (*spot, height))

    def length(self, wall: int) -> float:
        return float(self.size[wall % 2])

    def try_walls(self, rng: Rng, make: Callable[[], Item], height: float = 0.0, gap: float = 0.015) -> bool:
        """Tries random spots along random walls, in corners every other time; returns whether one fits."""
        for attempt in range(40):
            item, wall = make(), int(rng.integers(4))
            low, high = item.bounds
            span = (0.06 - low[0], self.length(wall) - high[0] - 0.06)
            along = pick(rng, span) if attempt % 2 else rng.uniform(min(span), max(span))
            if self.add(self.at_wall(item, wall, along, height, gap)):
                return True
        return False

    def _distance(self, low: np.ndarray, high: np.ndarray) -> float:
        """Distance in metres from the walk to a box, on the floor plan."""
        outside = np.maximum(np.maximum(low[:2] - self.corridor, self.corridor - high[:2]), 0.0)
        return float(np.hypot(*outside.T).min())


def _touch(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether any two boxes of two sets, each given as low and high corners [N, 3], come closer than GAP."""
    below = (first[0][:, None] < second[1] + GAP) & (first[1][:, None] > second[0] - GAP)
    return bool(below.all(-1).any())
