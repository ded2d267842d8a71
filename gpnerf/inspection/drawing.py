"""Marks, lines, hatches and sentences on uint8 RGB pictures [H, W, 3], all drawn in place."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import cv2
import numpy as np

from gpnerf.media.visualize import BACKGROUND, GAP, INK, grid

Color = tuple[int, int, int]

# Lighter than the captions of gpnerf.media.visualize: these are sentences.
FONT = cv2.FONT_HERSHEY_SIMPLEX
FONT_SCALE = 0.5
# Pixels.
ROW_HEIGHT = 20
LABEL_HEIGHT = 17
RING_RADIUS = 11
HATCH_STEP = 12
HATCH_WIDTH = 2

OUTLINE = (0, 0, 0)
PAPER = (232, 232, 232)
HATCH = (205, 205, 205)
# Of 255: light enough for dark text.
SATURATION = 165
# Fractional bits of the coordinates given to OpenCV.
SHIFT = 4


def hues(count: int) -> list[Color]:
    """Light colours spread evenly over the colour circle, neighbours in the list far apart."""
    middle = (count + 1) // 2
    places = [index // 2 + middle * (index % 2) for index in range(count)]
    wheel = np.array([[(place * 180 // count, SATURATION, 255) for place in places]], np.uint8)
    return [tuple(color) for color in cv2.cvtColor(wheel, cv2.COLOR_HSV2RGB)[0].tolist()] if count else []


def time_colors(count: int) -> list[Color]:
    """From dark blue over violet to orange, for things in an order."""
    levels = np.linspace(0.0, 215.0, count).round().astype(np.uint8)[None]
    return [tuple(color) for color in cv2.applyColorMap(levels, cv2.COLORMAP_PLASMA)[0, :, ::-1].tolist()]


def line_ends(line: Sequence[float], height: int, width: int) -> np.ndarray | None:
    """Where a line (a, b, c), a * column + b * row + c = 0, enters and leaves an image: [2, 2] or None."""
    a, b, c = line
    right, bottom = width - 1.0, height - 1.0
    points = [(column, -(a * column + c) / b) for column in (0.0, right) if b]
    points += [(-(b * row + c) / a, row) for row in (0.0, bottom) if a]
    inside = np.array([(x, y) for x, y in points if 0.0 <= x <= right and 0.0 <= y <= bottom])
    if len(inside) < 2:
        return None
    farthest = np.linalg.norm(inside - inside[0], axis=1).argmax()
    return inside[[0, farthest]]


def draw_path(
    picture: np.ndarray, points: np.ndarray, color: Color, thickness: int = 1, closed: bool = False
) -> None:
    """Straight pieces through points [N, 2] (column, row)."""
    cv2.polylines(picture, [fixed(points)], closed, color, thickness, cv2.LINE_AA, SHIFT)


def draw_outlined(picture: np.ndarray, points: np.ndarray, color: Color) -> None:
    """A path that stands out from any photograph."""
    draw_path(picture, points, OUTLINE, thickness=3)
    draw_path(picture, points, color)


def draw_dot(picture: np.ndarray, at: Sequence[float], radius: int, color: Color) -> None:
    cv2.circle(picture, fixed(at).tolist(), radius << SHIFT, color, cv2.FILLED, cv2.LINE_AA, SHIFT)


def draw_ring(picture: np.ndarray, photograph: np.ndarray, at: Sequence[float], color: Color) -> None:
    """A ring with the photograph, free of what was drawn over it, inside."""
    center = fixed(at).tolist()
    disc = np.zeros(picture.shape[:2], np.uint8)
    cv2.circle(disc, center, RING_RADIUS << SHIFT, 1, cv2.FILLED, cv2.LINE_8, SHIFT)
    picture[disc > 0] = photograph[disc > 0]
    for layer, thickness in ((OUTLINE, 5), (color, 2)):
        cv2.circle(picture, center, RING_RADIUS << SHIFT, layer, thickness, cv2.LINE_AA, SHIFT)


def draw_label(
    picture: np.ndarray, text: str, at: Sequence[float], color: Color, below: bool = False
) -> None:
    """A plate of the colour with dark text to the upper (or lower) right of a mark, kept in the picture."""
    height, width = picture.shape[:2]
    size = text_width(text) + 8
    left = min(max(0, round(at[0]) + RING_RADIUS), width - size - 1)
    top = round(at[1]) + (RING_RADIUS if below else -RING_RADIUS - LABEL_HEIGHT)
    top = min(max(0, top), height - LABEL_HEIGHT - 1)
    corners = (left, top), (left + size, top + LABEL_HEIGHT)
    cv2.rectangle(picture, *corners, color, cv2.FILLED)
    cv2.rectangle(picture, *corners, OUTLINE, 1)
    write(picture, text, left + 4, top + LABEL_HEIGHT // 2)


def hatch(picture: np.ndarray, where: np.ndarray) -> None:
    """Diagonal stripes on light grey over the pixels `where` (bool [H, W]): nothing is known there."""
    rows, columns = np.indices(where.shape)
    picture[where] = PAPER
    picture[where & ((rows + columns) % HATCH_STEP < HATCH_WIDTH)] = HATCH


def write(picture: np.ndarray, text: str, left: int, middle: int) -> None:
    """Text from column `left`, its capitals centred on row `middle`."""
    height = cv2.getTextSize("H", FONT, FONT_SCALE, 1)[0][1]
    cv2.putText(picture, text, (left, middle + height // 2), FONT, FONT_SCALE, INK, 1, cv2.LINE_AA)


def text_width(text: str) -> int:
    return cv2.getTextSize(text, FONT, FONT_SCALE, 1)[0][0]


def paragraph(text: str, width: int) -> np.ndarray:
    """A strip `width` wide with the text in as many rows as it takes."""
    letters = (width - 2 * GAP) * len(text) // max(1, text_width(text))
    # A few letters less, since a row may have wider letters than the whole.
    rows = textwrap.wrap(text, max(1, letters - 4))
    strip = np.full((len(rows) * ROW_HEIGHT + 2 * GAP, width, 3), BACKGROUND, np.uint8)
    for number, row in enumerate(rows):
        write(strip, row, GAP, GAP + number * ROW_HEIGHT + ROW_HEIGHT // 2)
    return strip


def sheet(tiles: Sequence[np.ndarray], captions: Sequence[str], text: str) -> np.ndarray:
    """Pictures in a row, each with its caption, above a paragraph."""
    row = grid([list(tiles)], [list(captions)])
    return np.vstack([row, paragraph(text, row.shape[1])])


def fixed(points: Sequence[float] | np.ndarray) -> np.ndarray:
    """Fractional pixels in the fixed-point integers that OpenCV takes with `SHIFT`."""
    return np.round(np.asarray(points, np.float64) * 2**SHIFT).astype(np.int32)
