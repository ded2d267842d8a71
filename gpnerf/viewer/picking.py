"""What a pixel of a rendering is: its class, its depth, and the photographs that it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from gpnerf.datasets.labels import IGNORE
from gpnerf.geometry.cameras import Camera
from gpnerf.geometry.projection import visible
from gpnerf.viewer.renderer import Rendering


@dataclass(frozen=True)
class Pixel:
    """A pixel of a rendering.

    depth: z in units of the scene. label: its class, IGNORE for none, and probability; both None for a model
    without classes. sources: numbers of the source views in whose image its point lies.
    """

    column: int
    row: int
    depth: float
    label: int | None
    probability: float | None
    sources: tuple[int, ...]


def pixel_at(rendering: Rendering, across: float, down: float, cameras: Camera) -> Pixel:
    """The pixel at a place of the window: 0 is its left and upper edge, 1 its right and lower edge.

    cameras: of all views of the scene.
    """
    view, camera = rendering.view, rendering.camera
    column = min(max(int(across * camera.width), 0), camera.width - 1)
    row = min(max(int(down * camera.height), 0), camera.height - 1)
    depth = view.depth[row, column].item()
    label = None if view.labels is None else int(view.labels[row, column])
    probability = None if view.labels is None else view.confidence[row, column].item()
    sources = _seeing(rendering, column, row, depth, cameras)
    return Pixel(column, row, depth, label, probability, sources)


def describe(pixel: Pixel, class_names: Sequence[str], view_names: Sequence[str]) -> str:
    """Writes what a pixel is, in three lines of markdown or two without classes."""
    lines = [f"depth {pixel.depth:.3g}"]
    if pixel.label is not None:
        name = "unlabelled" if pixel.label == IGNORE else class_names[pixel.label]
        lines.insert(0, f"**{name}**, probability {pixel.probability:.2f}")
    names = ", ".join(view_names[number] for number in pixel.sources)
    lines.append(f"from {names}" if names else "seen by no source view")
    return "  \n".join(lines)


def _seeing(rendering: Rendering, column: int, row: int, depth: float, cameras: Camera) -> tuple[int, ...]:
    """Numbers of the source views of a rendering in whose image a point at a depth of a pixel lies."""
    if not rendering.sources:
        return ()
    origins, directions = rendering.camera.rays(torch.tensor([[column, row]]))
    chosen = cameras[list(rendering.sources)]
    pixels, depths = chosen.project(origins + depth * directions)
    seen = visible(pixels, depths, chosen.height, chosen.width)[:, 0]
    return tuple(number for number, one in zip(rendering.sources, seen.tolist(), strict=True) if one)
