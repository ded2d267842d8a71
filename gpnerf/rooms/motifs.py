"""Textures that make a thing recognisable: books, rugs, pictures, the view from a window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpnerf.rooms.textures import Color, Surface, clouds, column, mix, scatter, step, wave


def choose(colors: tuple[Color, ...], number: np.ndarray) -> np.ndarray:
    """Colours [3, N] picked by numbers [N] in 0..1."""
    table = np.array(colors, dtype=np.float32).T
    return table[:, np.minimum((number * len(colors)).astype(np.int64), len(colors) - 1)]


@dataclass(frozen=True)
class Books:
    """A row of book spines of different colours and heights in front of a dark shelf."""

    colors: tuple[Color, ...]
    seed: int
    thickness: float = 0.055

    def __call__(self, at: Surface) -> np.ndarray:
        place = at.u / self.thickness
        book = np.floor(place)
        colors = choose(self.colors, scatter(book, seed=self.seed)) * (
            0.8 + 0.3 * scatter(book, seed=self.seed + 1)
        )
        label = wave(at.v - 0.02, 10.0, 0.005, 0.004) * (scatter(book, seed=self.seed + 2) > 0.45)
        colors = mix(colors, (0.93, 0.87, 0.70), 0.8 * label)
        edge = np.abs(place - book - 0.5)
        return colors * (1.0 - 0.45 * step(0.34, 0.5, edge))


@dataclass(frozen=True)
class Rug:
    """A bordered carpet; style 0 medallion, 1 stripes, 2 diamonds."""

    field: Color
    border: Color
    accent: Color
    style: int

    def __call__(self, at: Surface) -> np.ndarray:
        edge = np.minimum(at.half_u - np.abs(at.u), at.half_v - np.abs(at.v))
        colors = mix(self.field, self.accent, self._motif(at))
        colors = mix(colors, self.border, 1.0 - step(0.20, 0.21, edge))
        colors = mix(colors, self.accent, wave(edge - 0.15, 10.0, 0.005, 0.006))
        return mix(colors, self.field, 1.0 - step(0.045, 0.055, edge))

    def _motif(self, at: Surface) -> np.ndarray:
        if self.style == 1:
            return wave(at.u, 0.30, 0.42)
        diamond = np.abs(at.u) + np.abs(at.v)
        if self.style == 2:
            return wave(at.u + at.v, 0.42, 0.3) + wave(at.u - at.v, 0.42, 0.3) > 0.5
        ring = np.hypot(at.u / at.half_u, at.v / at.half_v)
        return (1.0 - step(0.55, 0.57, ring)) * (0.35 + 0.65 * wave(diamond, 0.36, 0.45))


@dataclass(frozen=True)
class Painting:
    """A picture's content; style 0 landscape, 1 colour fields, 2 discs, 3 waves."""

    colors: tuple[Color, Color, Color, Color]
    style: int
    seed: int

    def __call__(self, at: Surface) -> np.ndarray:
        u, v = at.u / at.half_u, at.v / at.half_v
        painters = (self._landscape, self._fields, self._discs, self._waves)
        return painters[self.style](u, v)

    def _landscape(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        sky = mix(self.colors[0], self.colors[1], step(-0.3, 1.0, v))
        sun = 1.0 - step(0.20, 0.24, np.hypot(u - 0.35, v - 0.35))
        far = 1.0 - step(-0.04, 0.0, v - 0.2 * np.sin(u * 2.5 + self.seed))
        near = 1.0 - step(-0.04, 0.0, v + 0.35 - 0.2 * np.sin(u * 3.5 + 2.0 * self.seed))
        return mix(mix(mix(sky, (0.99, 0.90, 0.62), sun), self.colors[2], far), self.colors[3], near)

    def _fields(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        bend = 0.5 * scatter(np.floor(v * 1.5), seed=self.seed) - 0.25
        colors = choose(
            self.colors, scatter(np.floor((u + bend) * 1.5), np.floor(v * 1.5), seed=self.seed + 3)
        )
        return colors * (1.0 - 0.7 * wave(v - 0.333, 0.667, 0.10, 0.02))

    def _discs(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        colors = mix(self.colors[0], self.colors[1], step(-0.02, 0.02, u + 0.4 * v))
        for index, radius in enumerate((0.62, 0.40, 0.26)):
            shift = scatter(np.array([index, index + 9]), seed=self.seed) - 0.5
            disc = 1.0 - step(radius - 0.03, radius + 0.03, np.hypot(u - shift[0], v - shift[1]))
            colors = mix(colors, self.colors[(index + 2) % 4], disc)
        return colors

    def _waves(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        bands = (v + 0.25 * np.sin(3.0 * u + self.seed)) * 0.5 + 0.5
        return choose(self.colors, (bands * 1.6) % 1.0)


@dataclass(frozen=True)
class Outdoors:
    """The view through a window: sky that pales towards the horizon, soft clouds, greenery below."""

    sky: Color
    green: Color
    phase: float
    horizon: float

    def __call__(self, at: Surface) -> np.ndarray:
        height = at.v / at.half_v
        colors = mix((0.97, 0.97, 0.95), self.sky, step(self.horizon, 1.1, height))
        cloud = np.clip(clouds(at.u * 0.7, at.v * 1.8, 0.7, self.phase) - 0.1, 0.0, 1.0)
        colors = mix(colors, (1.0, 1.0, 1.0), 0.8 * cloud)
        tree_line = self.horizon + 0.14 * np.sin(at.u * 7.0 + self.phase) + 0.06 * np.sin(at.u * 17.0)
        leaves = column(self.green) * (1.0 + 0.15 * clouds(at.u, at.v, 0.25, self.phase))
        return mix(colors, leaves, 1.0 - step(-0.05, 0.05, height - tree_line))
