"""Procedural textures: surface coordinates in metres -> colours.

Colours are display (gamma-encoded) values in 0..1. Patterns stay at a few centimetres or coarser, since
anything finer aliases in small images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Surface:
    """Points on the faces of one solid.

    u, v: [N] metres from the centre of the face (v upwards on walls, along y on horizontal faces);
    half_u, half_v: [N] half the extent of the face in metres; axis: [N] axis 0..2 of its normal.
    """

    u: np.ndarray
    v: np.ndarray
    half_u: np.ndarray
    half_v: np.ndarray
    axis: np.ndarray

    @staticmethod
    def of(offsets: np.ndarray, half: np.ndarray, axis: np.ndarray) -> Surface:
        """Surface at offsets [3, N] from the centre of a solid; half: its half extents [3]; face axes [N]."""
        along_y, flat = axis == 0, axis == 2
        return Surface(
            np.where(along_y, offsets[1], offsets[0]),
            np.where(flat, offsets[1], offsets[2]),
            np.where(along_y, half[1], half[0]),
            np.where(flat, half[1], half[2]),
            axis,
        )


class Texture(Protocol):
    """Colours [3, N] of a surface."""

    def __call__(self, at: Surface) -> np.ndarray: ...


def column(color: Color) -> np.ndarray:
    return np.array(color, dtype=np.float32)[:, None]


def mix(first: Color | np.ndarray, second: Color | np.ndarray, share: np.ndarray) -> np.ndarray:
    """Linear blend [3, N] of two colours; share: [N] of the second one."""
    first = column(first) if isinstance(first, tuple) else first
    second = column(second) if isinstance(second, tuple) else second
    return first + (second - first) * share


def step(low: float, high: float, values: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, linear between: hides the stair steps of a hard edge."""
    return np.clip((values - low) / (high - low), 0.0, 1.0)


def wave(values: np.ndarray, period: float, share: float = 0.5, soft: float = 0.006) -> np.ndarray:
    """1 on stripes that take `share` of each period (metres), 0 between, edges `soft` metres wide."""
    position = np.abs((values / period) % 1.0 - 0.5) * period
    return 1.0 - step(share * period / 2 - soft, share * period / 2 + soft, position)


def scatter(*cells: np.ndarray, seed: int) -> np.ndarray:
    """A reproducible pseudo-random number in [0, 1) for each integer cell: [N] arrays -> [N]."""
    state = np.full(cells[0].shape, (seed * 2654435761 + 97) % 2**32, dtype=np.uint32)
    for cell in cells:
        state = (state ^ cell.astype(np.int64).astype(np.uint32)) * np.uint32(0x85EBCA6B)
        state = (state ^ (state >> np.uint32(15))) * np.uint32(0xC2B2AE35)
        state ^= state >> np.uint32(13)
    return (state >> np.uint32(8)).astype(np.float32) / np.float32(2**24)


def clouds(u: np.ndarray, v: np.ndarray, scale: float, phase: float) -> np.ndarray:
    """Smooth variation in about -1..1 with features of `scale` metres."""
    u, v = u * (6.3 / scale) + phase, v * (6.3 / scale) - phase
    return (np.sin(u + 1.7 * np.sin(0.6 * v + phase)) + np.sin(0.8 * v + 1.3 * np.sin(0.7 * u))) * 0.5


@dataclass(frozen=True)
class Plain:
    """One colour with a faint large-scale variation."""

    color: Color
    mottle: float = 0.03
    phase: float = 0.0

    def __call__(self, at: Surface) -> np.ndarray:
        return column(self.color) * (1.0 + self.mottle * clouds(at.u, at.v, 0.5, self.phase))


@dataclass(frozen=True)
class Wood:
    """Grain along the longer side of each face."""

    color: Color
    phase: float = 0.0
    contrast: float = 0.10

    def __call__(self, at: Surface) -> np.ndarray:
        upright = at.half_v > at.half_u
        along, across = np.where(upright, at.v, at.u), np.where(upright, at.u, at.v)
        bend = 0.03 * np.sin(along * 5.0 + self.phase) + 0.012 * np.sin(along * 13.0)
        rings = np.sin((across + bend) * 70.0 + self.phase) + 0.6 * np.sin((across - bend) * 31.0)
        return column(self.color) * (1.0 + self.contrast * 0.6 * rings)


@dataclass(frozen=True)
class Planks:
    """Floor boards of `width` x `length` metres, each with its own tone."""

    color: Color
    width: float
    length: float
    seed: int
    along_v: bool = False

    def __call__(self, at: Surface) -> np.ndarray:
        along, across = (at.v, at.u) if self.along_v else (at.u, at.v)
        row = np.floor(across / self.width)
        place = along / self.length + scatter(row, seed=self.seed)
        tone = 0.86 + 0.26 * scatter(row, np.floor(place), seed=self.seed + 1)
        gap = wave(across - self.width / 2, self.width, 0.05, 0.005)
        grain = 0.03 * np.sin(across * 90.0 + 2.0 * np.sin(along * 4.0 + 9.0 * tone))
        return column(self.color) * (tone + grain) * (1.0 - 0.25 * gap)


@dataclass(frozen=True)
class Tiles:
    """Square tiles of two alternating colours with joints."""

    color: Color
    other: Color
    joint: Color
    size: float

    def __call__(self, at: Surface) -> np.ndarray:
        odd = (np.floor(at.u / self.size) + np.floor(at.v / self.size)) % 2
        half = self.size / 2
        line = np.maximum(wave(at.u - half, self.size, 0.035), wave(at.v - half, self.size, 0.035))
        return mix(mix(self.color, self.other, odd), self.joint, line)


@dataclass(frozen=True)
class Stripes:
    """Bars of a second colour, across u (upright bars) or across v."""

    color: Color
    other: Color
    period: float
    share: float = 0.5
    across_u: bool = True

    def __call__(self, at: Surface) -> np.ndarray:
        return mix(self.color, self.other, wave(at.u if self.across_u else at.v, self.period, self.share))


@dataclass(frozen=True)
class Checks:
    """Woven checks: bars in both directions that darken where they cross."""

    color: Color
    other: Color
    period: float

    def __call__(self, at: Surface) -> np.ndarray:
        share = 0.5 * (wave(at.u, self.period) + wave(at.v, self.period))
        return mix(self.color, self.other, share)


@dataclass(frozen=True)
class Panels:
    """A front of `columns` x `rows` framed fields, as on doors and cabinets, with or without `knob`s."""

    base: Texture
    columns: int
    rows: int
    frame: float = 0.05
    knob: Color | None = None

    def __call__(self, at: Surface) -> np.ndarray:
        width, height = 2 * at.half_u / self.columns, 2 * at.half_v / self.rows
        u = np.abs(((at.u + at.half_u) / width) % 1.0 - 0.5) * width
        v = np.abs(((at.v + at.half_v) / height) % 1.0 - 0.5) * height
        border = np.minimum(width / 2 - u, height / 2 - v)
        groove = step(self.frame - 0.012, self.frame, border) - step(
            self.frame + 0.012, self.frame + 0.024, border
        )
        seam = 1.0 - step(0.004, 0.010, border)
        shade = 1.0 - 0.35 * groove - 0.45 * seam * (self.columns * self.rows > 1)
        colors = self.base(at) * np.where(at.axis == 2, 1.0, shade)
        if self.knob is None:
            return colors
        dot = 1.0 - step(0.018, 0.028, np.hypot(u, v))
        return mix(colors, self.knob, dot * (at.axis != 2))


@dataclass(frozen=True)
class Skirted:
    """A wall texture above a skirting board.

    dado: colour of the wall below `level` metres, None for the texture down to the skirting board.
    """

    base: Texture
    skirting: Color
    dado: Color | None = None
    level: float = 0.95

    def __call__(self, at: Surface) -> np.ndarray:
        height = at.v + at.half_v
        colors = self.base(at)
        if self.dado is not None:
            colors = mix(colors, self.dado, 1.0 - step(self.level, self.level + 0.01, height))
            colors = mix(colors, self.skirting, wave(height - self.level, 10.0, 0.005, 0.006))
        return mix(colors, self.skirting, 1.0 - step(0.09, 0.10, height))
