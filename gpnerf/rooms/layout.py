"""Seed -> room: first a loop to walk along, then furniture around and inside it that touches nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpnerf.rooms import decor, fittings, furniture, materials
from gpnerf.rooms.furniture import Item
from gpnerf.rooms.materials import Rng, pick
from gpnerf.rooms.plan import CLEARANCE, GAP, Plan
from gpnerf.rooms.textures import Plain, Texture
from gpnerf.rooms.walk import Loop

CLASS_NAMES = (
    "wall", "floor", "ceiling", "door", "window", "picture", "rug", "table",
    "chair", "sofa", "bed", "cabinet", "bookshelf", "lamp", "plant", "curtain",
)  # fmt: skip
FEWEST_CLASSES = 15
# Rooms drawn at most until one has FEWEST_CLASSES.
DRAWS = 40


@dataclass(frozen=True, eq=False)
class Room:
    """A furnished room with one corner at the origin.

    size: width (x), depth (y), height (z) in metres; shell: textures of the faces x low, x high, y low,
    y high, floor, ceiling; items: furniture; loop: the walk; sun: unit direction [3] towards the sun.
    """

    size: np.ndarray
    shell: tuple[Texture, ...]
    items: tuple[Item, ...]
    loop: Loop
    sun: np.ndarray

    @property
    def classes(self) -> set[str]:
        return {"wall", "floor", "ceiling", *(item.name for item in self.items)}


def make_room(seed: int) -> Room:
    """Makes the room of a seed, always the same one."""
    best = None
    for draw in range(DRAWS):
        room = _draw(np.random.default_rng([seed, draw]))
        if best is None or len(room.classes) > len(best.classes):
            best = room
        if len(best.classes) >= FEWEST_CLASSES:
            break
    return best


def _draw(rng: Rng) -> Room:
    size = np.array([rng.uniform(4.5, 5.7), rng.uniform(4.1, 4.8), rng.uniform(2.5, 2.75)])
    loop = Loop.within(rng, size)
    plan = Plan(size, loop)
    sun = _openings(rng, plan)
    _large(rng, plan)
    _seats(rng, plan)
    _center(rng, plan, loop)
    _small(rng, plan)
    walls = materials.wall(rng)
    accent = materials.wall(rng) if rng.uniform() < 0.35 else walls
    shell = [walls, walls, walls, walls, materials.floor(rng), materials.ceiling(rng)]
    shell[int(rng.integers(4))] = accent
    return Room(size, tuple(shell), tuple(plan.items), loop, sun)


def _openings(rng: Rng, plan: Plan) -> np.ndarray:
    """Places a door, and two or three windows on other walls, most with curtains.

    Returns the unit direction [3] towards the sun.
    """
    walls = [int(wall) for wall in rng.permutation(4)]
    door = fittings.door(rng)
    length = plan.length(walls[0])
    along = pick(rng, (0.75, rng.uniform(1.0, length - 1.0), length - 0.75))
    plan.add(plan.at_wall(door, walls[0], along, gap=0.0))
    space = furniture.box((0.9, 0.8, 2.0), (0, -0.4, 0), Plain((0, 0, 0)))
    plan.reserved.append(plan.at_wall(Item("door", (space,)), walls[0], along, gap=0.0).boxes)
    view, cloth = fittings.outdoors(rng), materials.curtain_cloth(rng)
    for wall in walls[1 : 3 + (rng.uniform() < 0.3)]:
        _window(rng, plan, wall, view, cloth)
    across = fittings.facing(walls[1]) + np.pi / 2 + rng.uniform(-0.6, 0.6)
    height = np.radians(rng.uniform(28.0, 45.0))
    return np.array([np.cos(across) * np.cos(height), np.sin(across) * np.cos(height), np.sin(height)])


def _window(rng: Rng, plan: Plan, wall: int, view: Texture, cloth: Texture) -> None:
    width, height, sill = rng.uniform(1.0, 1.6), rng.uniform(1.1, 1.3), rng.uniform(0.85, 0.95)
    along = plan.length(wall) * rng.uniform(0.35, 0.65)
    if not plan.add(plan.at_wall(fittings.window(rng, width, height, view), wall, along, sill, gap=0.0)):
        return
    if rng.uniform() < 0.85:
        bottom = 0.03 if rng.uniform() < 0.45 else sill - 0.12
        pair = fittings.curtains(rng, cloth, width + 0.50, sill + height + 0.16, bottom)
        pair = [plan.at_wall(curtain, wall, along, gap=0.0) for curtain in pair]
        # The two rods meet, so each is checked on its own.
        if all(plan.fits(curtain) for curtain in pair):
            plan.items += pair


def _large(rng: Rng, plan: Plan) -> None:
    """Places bed and sofa, which need most space, then the other large pieces, in random order."""
    resting = [lambda: furniture.bed(rng), lambda: furniture.sofa(rng)]
    for index in rng.permutation(2):
        plan.try_walls(rng, resting[index])
    makers = [
        lambda: plan.try_walls(rng, lambda: furniture.cabinet(rng, wide=False)),
        lambda: plan.try_walls(rng, lambda: furniture.bookshelf(rng)),
        lambda: _desk(rng, plan),
    ]
    for index in rng.permutation(len(makers)):
        makers[index]()
    plan.try_walls(rng, lambda: furniture.cabinet(rng, wide=True))
    plan.try_walls(rng, lambda: decor.floor_lamp(rng), gap=0.03)
    if rng.uniform() < 0.4:
        plan.try_walls(rng, lambda: furniture.bookshelf(rng))


def _desk(rng: Rng, plan: Plan) -> None:
    """Places a table against a wall with up to three chairs around it."""
    frame, seat = materials.wood(rng), materials.cushion(rng)
    for _ in range(40):
        width, depth, height = rng.uniform(1.0, 1.5), rng.uniform(0.6, 0.8), rng.uniform(0.72, 0.77)
        wall = int(rng.integers(4))
        along = rng.uniform(width / 2 + 0.05, plan.length(wall) - width / 2 - 0.05)
        if not plan.add(plan.at_wall(furniture.table(rng, width, depth, height), wall, along)):
            continue
        for x, y, turn in (
            (-0.22 * width, -depth, 0),
            (width / 2, -depth / 2, 1),
            (-width / 2, -depth / 2, -1),
        ):
            piece = furniture.chair(rng, frame, seat)
            out = 0.5 + rng.uniform(0.0, 0.1)
            spot = (x + out, y, 0) if turn == 1 else (x - out, y, 0) if turn == -1 else (x, y - out, 0)
            angle = np.pi - turn * np.pi / 2 + rng.uniform(-0.2, 0.2)
            plan.add(plan.at_wall(piece.moved(angle, spot), wall, along))
        return


def _seats(rng: Rng, plan: Plan) -> None:
    """Places chairs along the walls until there are two to four."""
    frame, seat = materials.wood(rng), materials.cushion(rng)
    missing = int(rng.integers(2, 5)) - sum(item.name == "chair" for item in plan.items)
    for _ in range(missing):
        plan.try_walls(
            rng, lambda: furniture.chair(rng, frame, seat).moved(rng.uniform(-0.25, 0.25), (0, -0.08, 0))
        )


def _center(rng: Rng, plan: Plan, loop: Loop) -> None:
    """Places a low table inside the loop, perhaps on a rug, and a lamp at the ceiling."""
    room = loop.axes - CLEARANCE
    width, depth = 2 * room * rng.uniform(0.55, 0.68, 2)
    low = furniture.table(rng, width, depth, rng.uniform(0.40, 0.5))
    placed = low.moved(0.0, (loop.center[0], loop.center[1] + depth / 2, 0.0))
    if rng.uniform() < 0.9:
        lift = 0.016
        carpet = fittings.rug(rng, *(2 * loop.axes + rng.uniform(-0.3, 2 * CLEARANCE - 0.1, 2)))
        plan.items.append(carpet.moved(0.0, (*loop.center, 0.0)))
        placed = placed.moved(0.0, (0, 0, lift))
    drop = rng.uniform(0.2, 0.35) if rng.uniform() < 0.5 else 0.0
    plan.add(decor.ceiling_lamp(rng, drop).moved(0.0, (*loop.center, plan.size[2])))
    plan.items.append(placed)
    if rng.uniform() < 0.5:
        _on_top(rng, plan, placed, decor.plant(rng, rng.uniform(0.3, 0.4)))


def _small(rng: Rng, plan: Plan) -> None:
    """Places lamps and plants on cabinets, plants on the floor, and pictures on the free parts of walls."""
    for item in [item for item in plan.items if item.name == "cabinet" and item.bounds[1][2] < 1.2]:
        _on_top(rng, plan, item, decor.table_lamp(rng), -0.33)
        _on_top(rng, plan, item, decor.plant(rng, rng.uniform(0.35, 0.5)), 0.33)
    for _ in range(int(rng.integers(1, 3))):
        plan.try_walls(rng, lambda: decor.plant(rng, rng.uniform(0.7, 1.1)), gap=0.05)
    for _ in range(int(rng.integers(4, 8))):
        plan.try_walls(rng, lambda: fittings.picture(rng), rng.uniform(1.32, 1.5), gap=0.0)


def _on_top(rng: Rng, plan: Plan, below: Item, item: Item, shift: float = 0.0) -> None:
    """Puts an item on another one, `shift` of its longer side off the middle, if it fits there."""
    low, high = below.bounds
    middle, extent = (low + high) / 2, high - low
    longer = int(extent[1] > extent[0])
    spot = np.array([middle[0], middle[1], high[2] + GAP + 0.001])
    spot[longer] += shift * extent[longer]
    bottom, top = item.bounds
    spot[:2] -= (bottom[:2] + top[:2]) / 2
    placed = item.moved(0.0, spot)
    if plan.fits(placed):
        # fits() needs a gap to the item below; the gap is closed afterwards.
        plan.items.append(placed.moved(0.0, (0.0, 0.0, -GAP - 0.001)))
