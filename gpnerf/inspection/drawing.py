"""Drawing of marks, lines, hatches and text on uint8 RGB pictures [H, W, 3], in place."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import cv2
import numpy as np

from gpnerf.media.visualize import BACKGROUND, GAP, INK, grid

Color = tuple[int, int, int]

# Thinner than the captions of gpnerf.media.visualize, as it is used for sentences.
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
# Saturation (of 255) that is low enough for dark text on the colour.
SATURATION = 165
# Number of fractional bits of the fixed-point coordinates for OpenCV.
SHIFT = 4


def hues(count: int) -> list[Color]:
    """Makes light colours, evenly spaced on the colour circle, in an order that puts similar ones apart."""
    middle = (count + 1) // 2
    places = [index // 2 + middle * (index % 2) for index in range(count)]
    wheel = np.array([[(place * 180 // count, SATURATION, 255) for place in places]], np.uint8)
    return [tuple(color) for color in cv2.cvtColor(wheel, cv2.COLOR_HSV2RGB)[0].tolist()] if count else []


def time_colors(count: int) -> list[Color]:
    """Makes colours for a sequence, from dark blue through violet to orange."""
    levels = np.linspace(0.0, 215.0, count).round().astype(np.uint8)[None]
    return [tuple(color) for color in cv2.applyColorMap(levels, cv2.COLORMAP_PLASMA)[0, :, ::-1].tolist()]


def line_ends(line: Sequence[float], height: int, width: int) -> np.ndarray | None:
    """Cuts a line a * column + b * row + c = 0 at the sides of an image: ends [2, 2], None if it misses."""
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
    """Draws straight segments through points [N, 2] (column, row)."""
    cv2.polylines(picture, [fixed(points)], closed, color, thickness, cv2.LINE_AA, SHIFT)


def draw_outlined(picture: np.ndarray, points: np.ndarray, color: Color) -> None:
    """Draws a path with a dark outline, which is visible on any photograph."""
    draw_path(picture, points, OUTLINE, thickness=3)
    draw_path(picture, points, color)


def draw_dot(picture: np.ndarray, at: Sequence[float], radius: int, color: Color) -> None:
    cv2.circle(picture, fixed(at).tolist(), radius << SHIFT, color, cv2.FILLED, cv2.LINE_AA, SHIFT)


def draw_ring(picture: np.ndarray, photograph: np.ndarray, at: Sequence[float], color: Color) -> None:
    """Draws a ring; inside it, the photograph replaces what was drawn before."""
    center = fixed(at).tolist()
    disc = np.zeros(picture.shape[:2], np.uint8)
    cv2.circle(disc, center, RING_RADIUS << SHIFT, 1, cv2.FILLED, cv2.LINE_8, SHIFT)
    picture[disc > 0] = photograph[disc > 0]
    for layer, thickness in ((OUTLINE, 5), (color, 2)):
        cv2.circle(picture, center, RING_RADIUS << SHIFT, layer, thickness, cv2.LINE_AA, SHIFT)


def draw_label(
    picture: np.ndarray, text: str, at: Sequence[float], color: Color, below: bool = False
) -> None:
    """Draws dark text on a coloured plate at the upper (or lower) right of a mark, within the picture."""
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
    """Covers the pixels `where` (bool [H, W]) with diagonal stripes, for places where nothing is known."""
    rows, columns = np.indices(where.shape)
    picture[where] = PAPER
    picture[where & ((rows + columns) % HATCH_STEP < HATCH_WIDTH)] = HATCH


def write(picture: np.ndarray, text: str, left: int, middle: int) -> None:
    """Writes text from column `left` on, its capitals centred on row `middle`."""
    height = cv2.getTextSize("H", FONT, FONT_SCALE, 1)[0][1]
    cv2.putText(picture, text, (left, middle + height // 2), FONT, FONT_SCALE, INK, 1, cv2.LINE_AA)


def text_width(text: str) -> int:
    return cv2.getTextSize(text, FONT, FONT_SCALE, 1)[0][0]


def paragraph(text: str, width: int) -> np.ndarray:
    """Makes a strip of `width` pixels with the text, wrapped into rows."""
    letters = (width - 2 * GAP) * len(text) // max(1, text_width(text))
    # Four letters fewer than average, as a row may have wider letters than the whole text.
    rows = textwrap.wrap(text, max(1, letters - 4))
    strip = np.full((len(rows) * ROW_HEIGHT + 2 * GAP, width, 3), BACKGROUND, np.uint8)
    for number, row in enumerate(rows):
        write(strip, row, GAP, GAP + number * ROW_HEIGHT + ROW_HEIGHT // 2)
    return strip


def sheet(tiles: Sequence[np.ndarray], captions: Sequence[str], text: str) -> np.ndarray:
    """Puts pictures in a row, each with its caption, above a paragraph."""
    row = grid([list(tiles)], [list(captions)])
    return np.vstack([row, paragraph(text, row.shape[1])])


def fixed(points: Sequence[float] | np.ndarray) -> np.ndarray:
    """Converts fractional pixels to the fixed-point integers that OpenCV takes with `SHIFT`."""
    return np.round(np.asarray(points, np.float64) * 2**SHIFT).astype(np.int32)
