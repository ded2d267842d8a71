"""Random materials, a family for each class, so that rooms differ yet classes stay recognisable."""

from __future__ import annotations

import colorsys

import numpy as np

from gpnerf.rooms.textures import (
    Checks,
    Color,
    Plain,
    Planks,
    Skirted,
    Stripes,
    Texture,
    Tiles,
    Wood,
)

Range = tuple[float, float]
Rng = np.random.Generator

# Hue (0..1) and strength of colours that suit upholstery and curtains: brick, terracotta, ochre, olive,
# sage, teal, denim, navy, plum, rose.
FABRICS = (
    (0.01, 1.0),
    (0.06, 1.0),
    (0.11, 1.0),
    (0.19, 0.65),
    (0.32, 0.5),
    (0.49, 0.8),
    (0.57, 0.8),
    (0.62, 0.9),
    (0.85, 0.5),
    (0.96, 0.7),
)
# Colours that go together on a canvas, from light to dark.
CANVASES = (
    ((0.96, 0.80, 0.60), (0.55, 0.74, 0.82), (0.42, 0.52, 0.40), (0.22, 0.30, 0.30)),
    ((0.97, 0.72, 0.48), (0.86, 0.42, 0.36), (0.46, 0.28, 0.42), (0.20, 0.18, 0.34)),
    ((0.93, 0.88, 0.76), (0.87, 0.58, 0.30), (0.28, 0.46, 0.52), (0.16, 0.22, 0.30)),
    ((0.90, 0.92, 0.88), (0.50, 0.68, 0.78), (0.24, 0.42, 0.62), (0.86, 0.60, 0.26)),
    ((0.95, 0.85, 0.55), (0.80, 0.30, 0.24), (0.20, 0.40, 0.46), (0.14, 0.16, 0.22)),
    ((0.92, 0.80, 0.74), (0.76, 0.48, 0.48), (0.44, 0.56, 0.44), (0.26, 0.32, 0.26)),
    ((0.98, 0.93, 0.80), (0.93, 0.66, 0.22), (0.70, 0.26, 0.18), (0.24, 0.16, 0.16)),
)


def pick(rng: Rng, options: tuple):
    """One of several options."""
    return options[int(rng.integers(len(options)))]


def tint(rng: Rng, hue: Range, saturation: Range, value: Range) -> Color:
    """A random colour within ranges of hue, saturation and value (0..1; hue wraps)."""
    return colorsys.hsv_to_rgb(rng.uniform(*hue) % 1.0, rng.uniform(*saturation), rng.uniform(*value))


def phase(rng: Rng) -> float:
    return float(rng.uniform(0.0, 6.3))


def seed_of(rng: Rng) -> int:
    return int(rng.integers(1 << 20))


def wood_color(rng: Rng) -> Color:
    """Wood from pale birch to dark walnut; darker woods are redder."""
    dark = rng.uniform(0.0, 1.0)
    return tint(
        rng,
        (0.085 - 0.03 * dark, 0.105 - 0.03 * dark),
        (0.36, 0.55),
        (0.84 - 0.42 * dark, 0.90 - 0.42 * dark),
    )


def wood(rng: Rng) -> Wood:
    return Wood(wood_color(rng), phase(rng))


def fabric_color(rng: Rng, saturation: Range = (0.30, 0.62), value: Range = (0.45, 0.78)) -> Color:
    hue, strength = pick(rng, FABRICS)
    saturation = (saturation[0] * strength, saturation[1] * strength)
    return tint(rng, (hue - 0.02, hue + 0.02), saturation, value)


def canvas_colors(rng: Rng) -> tuple[Color, ...]:
    """Four colours of a picture: sky or ground first, darkest last, slightly varied."""
    return tuple(
        tuple(float(c) for c in np.clip(np.array(color) + rng.uniform(-0.05, 0.05, 3), 0.05, 1.0))
        for color in pick(rng, CANVASES)
    )


def cover_colors(rng: Rng) -> tuple[Color, ...]:
    """Book covers: cloth reds, blues, greens and ochres, some cream and some dark."""
    cloth = tuple(fabric_color(rng, (0.45, 0.75), (0.35, 0.75)) for _ in range(5))
    return (*cloth, (0.88, 0.83, 0.70), (0.30, 0.20, 0.18))


def wall(rng: Rng) -> Texture:
    """Pale warm or cool paint, wallpaper stripes, or paint above a darker dado; white skirting."""
    hue = pick(rng, (0.08, 0.11, 0.13, 0.28, 0.45, 0.56, 0.98))
    color = tint(rng, (hue - 0.02, hue + 0.02), (0.08, 0.26), (0.80, 0.92))
    skirting = tint(rng, (0.1, 0.12), (0.02, 0.08), (0.88, 0.95))
    kind = rng.uniform()
    if kind < 0.5:
        return Skirted(Plain(color, 0.015, phase(rng)), skirting)
    darker = tuple(
        channel * factor for channel, factor in zip(color, rng.uniform(0.80, 0.93, 3), strict=True)
    )
    if kind < 0.75:
        return Skirted(Stripes(color, darker, rng.uniform(0.24, 0.40)), skirting)
    dado = tint(rng, (hue - 0.04, hue + 0.04), (0.25, 0.42), (0.55, 0.72))
    return Skirted(Plain(color, 0.015, phase(rng)), skirting, dado, rng.uniform(0.8, 1.05))


def floor(rng: Rng) -> Texture:
    """Boards mostly, sometimes large tiles or carpet."""
    kind = rng.uniform()
    if kind < 0.65:
        return Planks(
            wood_color(rng), rng.uniform(0.14, 0.22), rng.uniform(1.0, 1.6), seed_of(rng), rng.uniform() < 0.5
        )
    if kind < 0.85:
        color = tint(rng, (0.05, 0.12), (0.06, 0.25), (0.62, 0.82))
        other = tuple(channel * rng.uniform(0.74, 0.95) for channel in color)
        return Tiles(color, other, tuple(channel * 0.7 for channel in color), rng.uniform(0.40, 0.6))
    return Plain(tint(rng, (0.05, 0.14), (0.12, 0.3), (0.5, 0.68)), 0.05, phase(rng))


def ceiling(rng: Rng) -> Texture:
    return Plain(tint(rng, (0.09, 0.14), (0.01, 0.06), (0.90, 0.96)), 0.01)


def upholstery(rng: Rng) -> Texture:
    """Soft mid-tone fabric of sofas."""
    return Plain(fabric_color(rng, (0.28, 0.58), (0.42, 0.72)), 0.06, phase(rng))


def cushion(rng: Rng) -> Texture:
    color = fabric_color(rng, (0.45, 0.75), (0.6, 0.9))
    if rng.uniform() < 0.5:
        return Plain(color, 0.04)
    return Stripes(color, tint(rng, (0.1, 0.12), (0.05, 0.2), (0.85, 0.95)), 0.12)


def bedding(rng: Rng) -> Texture:
    """Blankets: plain, checked or striped in two related colours."""
    color = fabric_color(rng, (0.25, 0.6), (0.55, 0.85))
    pale = tint(rng, (0.08, 0.14), (0.04, 0.18), (0.85, 0.95))
    return pick(rng, (Plain(color, 0.06, phase(rng)), Checks(color, pale, 0.32), Stripes(color, pale, 0.30)))


def linen(rng: Rng) -> Texture:
    return Plain(tint(rng, (0.08, 0.14), (0.02, 0.10), (0.90, 0.97)), 0.03)


def curtain_cloth(rng: Rng) -> Texture:
    """Strong or pale cloth; its folds are modelled."""
    if rng.uniform() < 0.65:
        return Plain(fabric_color(rng, (0.40, 0.70), (0.55, 0.85)), 0.03)
    return Plain(tint(rng, (0.08, 0.13), (0.10, 0.25), (0.80, 0.92)), 0.03)


def paint(rng: Rng) -> Color:
    """Off-white to muted lacquer, for cabinets and doors."""
    if rng.uniform() < 0.5:
        return tint(rng, (0.08, 0.13), (0.03, 0.12), (0.84, 0.94))
    return tint(rng, pick(rng, ((0.40, 0.48), (0.54, 0.62), (0.02, 0.08))), (0.18, 0.38), (0.50, 0.74))


def metal(rng: Rng) -> Color:
    return pick(rng, ((0.78, 0.62, 0.30), (0.32, 0.31, 0.30), (0.75, 0.75, 0.74)))


def lamp_color(rng: Rng) -> Color:
    return tint(rng, pick(rng, ((0.10, 0.13), (0.05, 0.09))), (0.12, 0.34), (0.97, 1.0))


def leaf(rng: Rng) -> Texture:
    return Plain(tint(rng, (0.24, 0.36), (0.50, 0.75), (0.38, 0.62)), 0.10, phase(rng))


def clay(rng: Rng) -> Texture:
    """Terracotta, white or blue glaze."""
    hue, saturation, value = pick(rng, ((0.04, 0.6, 0.72), (0.10, 0.05, 0.92), (0.58, 0.45, 0.55)))
    return Plain(
        tint(
            rng,
            (hue - 0.02, hue + 0.02),
            (saturation - 0.05, saturation + 0.05),
            (value - 0.06, value + 0.06),
        )
    )
