"""Furniture composed of solids.

In its own coordinates (metres), a piece stands on z = 0 with its back on the plane y = 0, is centred on x = 0
and extends towards -y.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gpnerf.rooms import materials
from gpnerf.rooms.materials import Rng
from gpnerf.rooms.motifs import Books
from gpnerf.rooms.solids import Solid, ball, box, cylinder, pitch, yaw
from gpnerf.rooms.textures import Panels, Plain, Texture


@dataclass(frozen=True, eq=False)
class Item:
    """One instance. name: its class; solids: its parts."""

    name: str
    solids: tuple[Solid, ...]

    @cached_property
    def boxes(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest corners of the axis-aligned boxes around its solids: [S, 3], [S, 3]."""
        corners = np.stack([solid.corners for solid in self.solids])
        return corners.min(1), corners.max(1)

    @cached_property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest corner of the axis-aligned box around it: [3], [3]."""
        return self.boxes[0].min(0), self.boxes[1].max(0)

    def moved(self, angle: float, shift: Iterable[float]) -> Item:
        """The item after a turn by `angle` about the z axis (radians) and a shift by `shift` [3] metres."""
        turn, shift = yaw(angle), np.asarray(tuple(shift), dtype=np.float64)
        return Item(self.name, tuple(solid.moved(turn, shift) for solid in self.solids))


def legs(
    width: float, depth: float, height: float, thickness: float, texture: Texture, lift: float = 0.0
) -> list:
    """Four square legs at the corners of a `width` x `depth` piece whose back is y = 0."""
    inset = thickness / 2 + 0.01
    corners = [(side * (width / 2 - inset), y, lift) for side in (-1, 1) for y in (-inset, -depth + inset)]
    return [box((thickness, thickness, height), corner, texture) for corner in corners]


def table(rng: Rng, width: float, depth: float, height: float) -> Item:
    """A top on an apron and four legs; or an oval top on a column."""
    texture, thick = materials.wood(rng), rng.uniform(0.045, 0.065)
    if rng.uniform() < 0.3:
        return Item("table", _pedestal(texture, width, depth, height, thick))
    under = texture if rng.uniform() < 0.6 else Plain(materials.paint(rng))
    leg = rng.uniform(0.06, 0.09)
    top = box((width, depth, thick), (0, -depth / 2, height - thick), texture)
    apron = box((width - 0.1, depth - 0.1, 0.07), (0, -depth / 2, height - thick - 0.07), under)
    return Item("table", (top, apron, *legs(width - 0.04, depth - 0.02, height - thick, leg, under)))


def _pedestal(texture: Texture, width: float, depth: float, height: float, thick: float) -> tuple[Solid, ...]:
    middle = -depth / 2
    return (
        cylinder((width, depth, thick), (0, middle, height - thick), texture),
        cylinder((0.16, 0.16, height - thick - 0.05), (0, middle, 0.05), texture),
        cylinder((0.5 * width, 0.6 * depth, 0.05), (0, middle, 0), texture, -0.15),
    )


def chair(rng: Rng, frame: Texture, seat: Texture) -> Item:
    """Seat with cushion, backrest of posts and a panel, four legs."""
    width, depth, height = rng.uniform(0.42, 0.48), rng.uniform(0.42, 0.47), 0.44
    back = rng.uniform(0.84, 0.98)
    posts = [
        box((0.045, 0.045, back - height), (side * (width / 2 - 0.03), -0.03, height), frame)
        for side in (-1, 1)
    ]
    panel = box((width - 0.08, 0.03, 0.26), (0, -0.03, back - 0.28), seat if rng.uniform() < 0.4 else frame)
    rail = box((width - 0.08, 0.03, 0.06), (0, -0.03, height + 0.08), frame)
    base = box((width, depth, 0.05), (0, -depth / 2, height - 0.05), frame)
    pad = box((width - 0.05, depth - 0.08, 0.035), (0, -depth / 2 - 0.02, height), seat)
    return Item("chair", (base, pad, *posts, panel, rail, *legs(width, depth, height - 0.05, 0.05, frame)))


def sofa(rng: Rng) -> Item:
    """Base, backrest, rounded arms, seat and back cushions, two throw pillows."""
    width, depth, arm = rng.uniform(1.55, 2.0), rng.uniform(0.80, 0.90), rng.uniform(0.15, 0.2)
    cloth, inner = materials.upholstery(rng), width - 2 * arm
    foot, count = materials.wood(rng), 2 if width < 1.8 else 3
    solids = [
        box((width - 0.02, depth, 0.22), (0, -depth / 2, 0.08), cloth),
        box((inner, 0.22, 0.5), (0, -0.11, 0.30), cloth),
        *legs(width - 0.06, depth - 0.04, 0.08, 0.07, foot),
    ]
    for side in (-1, 1):
        x = side * (width / 2 - arm / 2)
        solids += [
            box((arm, depth - 0.02, 0.28), (x, -depth / 2, 0.30), cloth),
            _roll(arm, depth - 0.02, (x, -depth / 2, 0.58), cloth),
        ]
    for index in range(count):
        x, part = (index - (count - 1) / 2) * inner / count, inner / count - 0.015
        solids += [
            box((part, depth - 0.24, 0.14), (x, -depth / 2 - 0.11, 0.30), cloth),
            box((part, 0.15, 0.40), (x, -0.29, 0.44), cloth, pitch(-0.12)),
        ]
    for side in (-1, 1):
        tilt = yaw(-side * 0.35) @ pitch(-0.35)
        solids.append(
            ball((0.40, 0.15, 0.38), (side * (inner / 2 - 0.24), -0.46, 0.43), materials.cushion(rng), tilt)
        )
    return Item("sofa", tuple(solids))


def _roll(diameter: float, length: float, center: tuple, texture: Texture) -> Solid:
    """A horizontal cylinder along y."""
    solid = cylinder((diameter, diameter, length), (0, 0, -length / 2), texture)
    return solid.moved(pitch(np.pi / 2), np.array(center))


def bed(rng: Rng) -> Item:
    """Headboard at x = -length / 2, the long side on the wall: frame, mattress, blanket, pillows."""
    length, width = 2.05, rng.uniform(0.95, 1.35)
    frame, count = materials.wood(rng), 1 if width < 1.15 else 2
    head = box((0.07, width, rng.uniform(0.85, 1.1)), (-length / 2 + 0.035, -width / 2, 0), frame)
    foot = box((0.05, width, 0.45), (length / 2 - 0.025, -width / 2, 0), frame)
    inner, middle = length - 0.12, 0.01
    solids = [
        head,
        foot,
        box((inner, width - 0.04, 0.16), (middle, -width / 2, 0.14), frame),
        box((inner, width - 0.06, 0.2), (middle, -width / 2, 0.30), materials.linen(rng)),
        box(
            (inner * 0.68, width - 0.01, 0.19),
            (middle + inner * 0.155, -width / 2, 0.34),
            materials.bedding(rng),
        ),
        box(
            (inner * 0.09, width - 0.005, 0.20),
            (middle - inner * 0.20, -width / 2, 0.34),
            materials.linen(rng),
        ),
    ]
    pillow, part = materials.linen(rng) if rng.uniform() < 0.5 else materials.cushion(rng), width / count
    for index in range(count):
        y = -(index + 0.5) * part
        solids.append(ball((0.42, part - 0.12, 0.20), (-length / 2 + 0.32, y, 0.46), pillow))
    return Item("bed", tuple(solids))


def cabinet(rng: Rng, wide: bool) -> Item:
    """A sideboard, or a wardrobe where not `wide`: body, plinth, top and panelled front."""
    width = rng.uniform(1.1, 1.5) if wide else rng.uniform(0.85, 1.1)
    height, depth = (rng.uniform(0.72, 0.9), 0.42) if wide else (rng.uniform(1.75, 2.0), 0.52)
    base = materials.wood(rng) if rng.uniform() < 0.5 else Plain(materials.paint(rng))
    columns, rows = (
        (int(rng.integers(2, 4)), int(rng.integers(1, 4))) if wide else (2, int(rng.integers(1, 3)))
    )
    front = Panels(base, columns, rows, 0.05, materials.metal(rng))
    return Item(
        "cabinet",
        (
            box((width - 0.06, depth - 0.06, 0.08), (0, -depth / 2 + 0.02, 0), Plain((0.25, 0.2, 0.17))),
            box((width, depth - 0.04, height - 0.11), (0, -depth / 2 + 0.02, 0.08), base),
            box((width - 0.04, 0.03, height - 0.15), (0, -depth + 0.025, 0.10), front),
            box((width + 0.03, depth, 0.03), (0, -depth / 2, height - 0.03), base),
        ),
    )


def bookshelf(rng: Rng) -> Item:
    """An open shelf whose boards carry blocks of books of different heights."""
    width, depth = rng.uniform(0.85, 1.3), 0.32
    shelves = int(rng.integers(4, 6))
    rise = 0.36
    height, wood = shelves * rise + 0.08, materials.wood(rng)
    solids = [
        box((0.04, depth, height), (side * (width / 2 - 0.02), -depth / 2, 0), wood) for side in (-1, 1)
    ]
    solids.append(box((width - 0.08, 0.02, height), (0, -0.01, 0), Plain(tuple(0.6 * c for c in wood.color))))
    for level in range(shelves + 1):
        solids.append(box((width - 0.08, depth - 0.02, 0.035), (0, -depth / 2, 0.04 + level * rise), wood))
    colors = materials.cover_colors(rng)
    for level in range(shelves):
        solids += _books(rng, colors, width - 0.10, depth, 0.075 + level * rise, rise - 0.06)
    return Item("bookshelf", tuple(solids))


def _books(rng: Rng, colors: tuple, width: float, depth: float, base: float, room: float) -> list[Solid]:
    """Blocks of books from left to right, with a gap now and then."""
    solids, left = [], -width / 2
    while width / 2 - left > 0.12:
        part = min(rng.uniform(0.16, 0.36), width / 2 - left)
        if rng.uniform() < 0.88:
            size = (part - 0.004, rng.uniform(0.6, 0.8) * depth, rng.uniform(0.66, 0.94) * room)
            texture = Books(colors, materials.seed_of(rng), rng.uniform(0.05, 0.075))
            solids.append(box(size, (left + part / 2, -0.02 - size[1] / 2, base), texture))
        left += part
    return solids
