"""Doors, windows, curtains, framed pictures and rugs, in the coordinates of furniture.py."""

from __future__ import annotations

import numpy as np

from gpnerf.rooms import materials
from gpnerf.rooms.furniture import Item
from gpnerf.rooms.materials import Rng, pick
from gpnerf.rooms.motifs import Outdoors, Painting, Rug
from gpnerf.rooms.solids import Solid, ball, box, cylinder
from gpnerf.rooms.textures import Panels, Plain, Texture


def rim(width: float, height: float, base: float, bar: float, depth: float, texture: Texture) -> list[Solid]:
    """A rectangular frame of bars around an opening of `width` x `height` whose lower edge is at `base`."""
    y = -depth / 2
    sides = [
        box((bar, depth, height + 2 * bar), (side * (width + bar) / 2, y, base - bar), texture)
        for side in (-1, 1)
    ]
    return [*sides, *(box((width, depth, bar), (0, y, z), texture) for z in (base - bar, base + height))]


def door(rng: Rng) -> Item:
    """A panelled leaf in a casing, with a handle."""
    width, height = rng.uniform(0.85, 0.95), rng.uniform(2.0, 2.08)
    leaf = materials.wood(rng) if rng.uniform() < 0.75 else Plain(materials.paint(rng))
    casing = (
        leaf if rng.uniform() < 0.5 else Plain(materials.tint(rng, (0.09, 0.12), (0.03, 0.1), (0.86, 0.95)))
    )
    rows, metal = int(rng.integers(2, 4)), Plain(materials.metal(rng))
    x = pick(rng, (-1, 1)) * (width / 2 - 0.09)
    return Item(
        "door",
        (
            box((width, 0.035, height), (0, -0.0175, 0), Panels(leaf, pick(rng, (1, 2)), rows, 0.09)),
            box((0.08, 0.06, height + 0.08), (-width / 2 - 0.04, -0.03, 0), casing),
            box((0.08, 0.06, height + 0.08), (width / 2 + 0.04, -0.03, 0), casing),
            box((width, 0.06, 0.08), (0, -0.03, height), casing),
            box((0.05, 0.02, 0.20), (x, -0.045, 0.95), metal),
            ball((0.07, 0.07, 0.07), (x, -0.08, 1.02), metal),
        ),
    )


def window(rng: Rng, width: float, height: float, view: Outdoors) -> Item:
    """A pane that shows the sky, a frame with a cross, and a sill; its opening starts at z = 0."""
    texture = Plain(materials.tint(rng, (0.09, 0.12), (0.02, 0.08), (0.90, 0.97)))
    if rng.uniform() < 0.3:
        texture = materials.wood(rng)
    bars = [box((0.05, 0.04, height), (0, -0.03, 0), texture)]
    if rng.uniform() < 0.7:
        bars.append(box((width, 0.04, 0.05), (0, -0.03, rng.uniform(0.5, 0.62) * height), texture))
    pane = box((width, 0.02, height), (0, -0.01, 0), view, glow=0.95)
    sill = box((width + 0.22, 0.13, 0.035), (0, -0.065, -0.105), texture)
    return Item("window", (pane, *rim(width, height, 0.0, 0.07, 0.06, texture), *bars, sill))


def outdoors(rng: Rng) -> Outdoors:
    sky = materials.tint(rng, (0.55, 0.60), (0.30, 0.5), (0.86, 0.96))
    green = materials.tint(rng, (0.22, 0.33), (0.35, 0.55), (0.50, 0.68))
    return Outdoors(sky, green, materials.phase(rng), rng.uniform(-0.75, -0.35))


def curtains(rng: Rng, cloth: Texture, opening: float, top: float, bottom: float) -> list[Item]:
    """A left and a right curtain at the sides of an opening of `opening` metres, each on half of the rod."""
    metal = Plain(materials.metal(rng))
    fold, count = rng.uniform(0.09, 0.12), int(rng.integers(4, 6))
    both = []
    for side in (-1, 1):
        start = opening / 2 - 0.10
        folds = [
            cylinder(
                (fold * 1.1, 0.10 + 0.02 * (i % 2), top - bottom),
                (side * (start + (i + 0.5) * fold), -0.10, bottom),
                cloth,
            )
            for i in range(count)
        ]
        length = start + count * fold + 0.06
        rod = box((length, 0.03, 0.03), (side * length / 2, -0.10, top), metal)
        both.append(
            Item(
                "curtain", (*folds, rod, ball((0.07, 0.07, 0.07), (side * length, -0.10, top - 0.02), metal))
            )
        )
    return both


def picture(rng: Rng) -> Item:
    """A framed picture with or without a mount; its lower edge is at z = 0."""
    width, height = rng.uniform(0.45, 0.9), rng.uniform(0.42, 0.62)
    bar = rng.uniform(0.035, 0.05)
    frame = Plain(pick(rng, ((0.16, 0.13, 0.12), (0.93, 0.92, 0.88), (0.72, 0.56, 0.26), (0.45, 0.30, 0.18))))
    canvas = Painting(materials.canvas_colors(rng), int(rng.integers(4)), materials.seed_of(rng) % 1000)
    border = 0.06 if rng.uniform() < 0.5 else 0.0
    mount = box((width, 0.015, height), (0, -0.0075, bar), Plain((0.93, 0.91, 0.86)))
    inner = box((width - 2 * border, 0.02, height - 2 * border), (0, -0.01, bar + border), canvas)
    return Item("picture", (mount, inner, *rim(width, height, bar, bar, 0.035, frame)))


def rug(rng: Rng, width: float, depth: float) -> Item:
    """A flat, rectangular carpet centred on the origin."""
    color = materials.fabric_color(rng, (0.40, 0.68), (0.45, 0.72))
    border = materials.fabric_color(rng, (0.45, 0.75), (0.28, 0.55))
    accent = materials.tint(rng, (0.08, 0.14), (0.12, 0.38), (0.80, 0.95))
    texture = Rug(color, border, accent, int(rng.integers(3)))
    return Item("rug", (box((width, depth, 0.014), (0, 0, 0), texture),))


def facing(wall: int) -> float:
    """Turn (radians) that brings a piece's back (+y) to wall 0..3 = +y, -x, -y, +x."""
    return wall * np.pi / 2
