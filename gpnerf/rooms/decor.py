"""Lamps and plants, in the coordinates of furniture.py."""

from __future__ import annotations

import numpy as np

from gpnerf.rooms import materials
from gpnerf.rooms.furniture import Item
from gpnerf.rooms.materials import Rng
from gpnerf.rooms.solids import ball, cylinder, pitch, yaw
from gpnerf.rooms.textures import Plain, Stripes, Texture


def floor_lamp(rng: Rng) -> Item:
    """Foot, stand and a glowing shade at about eye height."""
    stand, height, width = Plain(materials.metal(rng)), rng.uniform(1.35, 1.6), rng.uniform(0.36, 0.44)
    y = -0.65 * width - 0.02
    return Item(
        "lamp",
        (
            cylinder((0.28, 0.28, 0.03), (0, y, 0), stand),
            cylinder((0.05, 0.05, height - 0.2), (0, y, 0.03), stand),
            cylinder((width, width, 0.30), (0, y, height - 0.2), lampshade(rng), -0.28, glow=0.75),
        ),
    )


def table_lamp(rng: Rng) -> Item:
    """A round foot under a glowing shade."""
    width = rng.uniform(0.24, 0.30)
    y = -0.65 * width
    return Item(
        "lamp",
        (
            ball((0.18, 0.18, 0.24), (0, y, 0), materials.clay(rng)),
            cylinder((0.04, 0.04, 0.08), (0, y, 0.22), Plain(materials.metal(rng))),
            cylinder((width, width, 0.22), (0, y, 0.28), lampshade(rng), -0.25, glow=0.75),
        ),
    )


def ceiling_lamp(rng: Rng, drop: float) -> Item:
    """A shade `drop` metres below z = 0 (the ceiling), centred on the origin."""
    width, shade = rng.uniform(0.38, 0.48), Plain(materials.lamp_color(rng), 0.02)
    if drop < 0.2:
        return Item("lamp", (cylinder((width, width, 0.12), (0, 0, -0.12), shade, 0.08, glow=0.9),))
    cord = cylinder((0.035, 0.035, drop), (0, 0, -drop), Plain(materials.metal(rng)))
    return Item("lamp", (cord, cylinder((width, width, 0.26), (0, 0, -drop - 0.26), shade, -0.3, glow=0.8)))


def lampshade(rng: Rng) -> Texture:
    color = materials.lamp_color(rng)
    return Plain(color, 0.02) if rng.uniform() < 0.6 else Stripes(color, tuple(0.9 * c for c in color), 0.1)


def plant(rng: Rng, size: float) -> Item:
    """A tapered pot and a crown of broad leaves about `size` metres wide; above 0.6 a floor plant."""
    pot, y = 0.34 * size + 0.10, -0.36 * size - 0.06
    height = 0.8 * pot
    solids = [
        cylinder((pot * 0.85, pot * 0.85, height), (0, y, 0), materials.clay(rng), 0.15),
        cylinder((pot * 0.8, pot * 0.8, 0.02), (0, y, height), Plain((0.22, 0.15, 0.10))),
        cylinder(
            (0.05 * size + 0.01, 0.05 * size + 0.01, 0.5 * size), (0, y, height), Plain((0.35, 0.26, 0.14))
        ),
    ]
    greens, count = [materials.leaf(rng) for _ in range(3)], 11 + int(4 * size)
    for index in range(count):
        angle = index * 2.4 + rng.uniform(-0.3, 0.3)
        lift = rng.uniform(0.1, 1.25)
        length = size * rng.uniform(0.36, 0.46) * (1.0 if lift < 0.9 else 0.8)
        turn = yaw(angle) @ pitch(lift)
        start = np.array([0.0, y, height + size * (0.16 + 0.34 * index / count)])
        leaf = ball((0.34 * length + 0.02, length, 0.05 * size + 0.02), (0, 0, 0), greens[index % 3], turn)
        solids.append(leaf.moved(np.eye(3), start - leaf.center + turn @ np.array([0.0, length / 2, 0.0])))
    return Item("plant", tuple(solids))
