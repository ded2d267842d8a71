"""Pictures that show whether poses, intrinsics and depth fit together: frames in, uint8 RGB [H, W, 3] out."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import torch
from torch import Tensor

from gpnerf.datasets.probes.warp import reproject, warp
from gpnerf.datasets.scene import Frame
from gpnerf.geometry.cameras import Camera, pixel_grid
from gpnerf.inspection.drawing import draw_label, draw_outlined, draw_ring, hatch, hues, line_ends, sheet
from gpnerf.inspection.geometry import epipolar_lines
from gpnerf.inspection.path_map import path_panel
from gpnerf.media.images import resize_colors, resize_values
from gpnerf.media.visualize import GAP, colors, error_map

__all__ = ["epipolar_panel", "path_panel", "warp_panel"]

# Pixels.
SHEET_WIDTH = 1320
LARGEST_ERROR = 0.25
# Points are chosen where the source shows the target, unless that is less than this share of the target.
SMALLEST_PART = 0.02


def epipolar_panel(target: Frame, source: Frame, points: int = 8) -> np.ndarray:
    """Draws textured points of the target as numbered rings, and their epipolar lines in the source.

    If the target has depth, a ring on each line marks where the point must be.
    """
    target, source = _sized(target, 2), _sized(source, 2)
    pixels = _textured_points(target, source, points)
    lines = epipolar_lines(target.camera, source.camera, pixels)
    ends = [line_ends(line, source.camera.height, source.camera.width) for line in lines.tolist()]
    places = _places(target, source.camera, pixels)
    pictures = [_with_points(target, pixels), _with_lines(source, ends, places)]
    text = _explanation(target, source, places.isfinite().any() or any(end is not None for end in ends))
    return sheet(pictures, [f"target {target.name}", f"source {source.name}"], text)


def warp_panel(target: Frame, source: Frame) -> np.ndarray:
    """Draws the target, the source warped into it, and their difference; hatched where nothing is visible.

    Raises DataError for a target without a depth map.
    """
    exact = warp(target, source)
    target, source = _sized(target, 3), _sized(source, 3)
    seen = warp(target, source)
    tiles = [colors(target.image), colors(seen.color), error_map(seen.color, target.image, LARGEST_ERROR)]
    for tile in tiles[1:]:
        hatch(tile, ~seen.visible.numpy())
    share = exact.visible.float().mean().item()
    error = "unknown" if exact.error is None else f"{exact.error:.3f}"
    depth_error = "unknown" if exact.depth_error is None else f"{exact.depth_error:.1%}"
    text = (
        f"Every pixel of {target.name} is looked up in {source.name} by its depth. Median colour error "
        f"{error} of 1, median depth error {depth_error}; {share:.0%} of the pixels are "
        "seen by both (hatched: no depth, hidden, or outside). Where things are shifted or doubled, poses, "
        f"intrinsics or depth are wrong. Error colours: black is 0, yellow {LARGEST_ERROR} and more."
    )
    captions = [f"target {target.name}", f"source {source.name} seen from the target", "colour error"]
    return sheet(tiles, captions, text)


def _sized(frame: Frame, columns: int) -> Frame:
    """Resizes a frame to fit into a square tile of a sheet with `columns` columns."""
    camera = frame.camera
    ratio = (SHEET_WIDTH // columns - GAP) / max(camera.height, camera.width)
    height, width = round(camera.height * ratio), round(camera.width * ratio)
    image = resize_colors(np.ascontiguousarray(frame.image.permute(1, 2, 0).numpy()), height, width)
    depth = frame.depth
    if depth is not None:
        depth = torch.from_numpy(resize_values(depth.numpy(), height, width))
    image = torch.from_numpy(image).permute(2, 0, 1)
    return replace(frame, camera=camera.resized(height, width), image=image, depth=depth)


def _explanation(target: Frame, source: Frame, marked: bool) -> str:
    if not marked:
        return (
            f"Nothing to compare in {source.name}: {target.name} has no texture, or by their poses the two "
            "cameras look at different things or stand in one place."
        )
    ring = "" if target.depth is None else ", inside the ring if there is one"
    return (
        f"What is inside a ring of {target.name} must lie on the line of its colour in {source.name}{ring}. "
        "Otherwise the poses, the camera axes or the intrinsics are wrong."
    )


def _with_points(target: Frame, pixels: Tensor) -> np.ndarray:
    photograph = colors(target.image)
    picture = photograph.copy()
    for number, (pixel, color) in enumerate(zip(pixels.tolist(), hues(len(pixels)), strict=True), start=1):
        draw_ring(picture, photograph, pixel, color)
        draw_label(picture, str(number), pixel, color)
    return picture


def _with_lines(source: Frame, ends: list[np.ndarray | None], places: Tensor) -> np.ndarray:
    """Draws lines between ends [2, 2] (None: no line), and rings at places [N, 2] (NaN: no ring)."""
    photograph = colors(source.image)
    picture = photograph.copy()
    marks = list(zip(ends, places.tolist(), hues(len(ends)), strict=True))
    for end, _, color in marks:
        if end is not None:
            draw_outlined(picture, end, color)
    for number, (end, place, color) in enumerate(marks, start=1):
        ringed = not math.isnan(place[0])
        if ringed:
            draw_ring(picture, photograph, place, color)
        if ringed or end is not None:
            draw_label(picture, str(number), place if ringed else end[number % 2], color)
    return picture


def _textured_points(target: Frame, source: Frame, count: int) -> Tensor:
    """Finds at most `count` corners of the target [N, 2], far apart, in view of the source if possible."""
    mask = _expected(target, source).numpy().astype(np.uint8)
    if mask.mean() < SMALLEST_PART:
        mask[:] = 1
    gray = cv2.cvtColor(colors(target.image), cv2.COLOR_RGB2GRAY)
    apart = 0.6 * math.sqrt(mask.sum() / count)
    found = cv2.goodFeaturesToTrack(gray, count, 0.01, apart, mask=mask)
    return torch.zeros(0, 2) if found is None else torch.from_numpy(found).reshape(-1, 2)


def _expected(target: Frame, source: Frame) -> Tensor:
    """Target pixels, bool [H, W], that the source shows by their depth, or else whose lines cross it."""
    if target.depth is not None:
        return warp(target, source).visible
    height, width = target.camera.height, target.camera.width
    lines = epipolar_lines(target.camera, source.camera, pixel_grid(height, width))
    right, bottom = source.camera.width - 1.0, source.camera.height - 1.0
    corners = torch.tensor([[0.0, 0.0, 1.0], [right, 0.0, 1.0], [0.0, bottom, 1.0], [right, bottom, 1.0]])
    distances = lines @ corners.T
    return ((distances.amin(1) < 0) & (distances.amax(1) > 0)).reshape(height, width)


def _places(target: Frame, source: Camera, pixels: Tensor) -> Tensor:
    """Projects target pixels [N, 2] into the source by their depth: [N, 2], NaN if they are not inside."""
    if target.depth is None:
        return torch.full_like(pixels, torch.nan)
    columns, rows = pixels.round().long().unbind(1)
    places, _, inside = reproject(target.camera, source, pixels, target.depth[rows, columns])
    return torch.where(inside[:, None], places, torch.nan)
