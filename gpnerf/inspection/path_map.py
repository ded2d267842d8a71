"""Map of a scene's camera path, seen from above."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from torch import Tensor

from gpnerf.inspection.drawing import (
    OUTLINE,
    SHIFT,
    Color,
    draw_dot,
    draw_label,
    draw_path,
    fixed,
    sheet,
    text_width,
    time_colors,
    write,
)
from gpnerf.media.visualize import BACKGROUND, INK

# Pixels.
MAP_WIDTH = 960
LOWEST, HIGHEST = 420, 760
WEDGE = 44
MARGIN = 16
RAMP_WIDTH, RAMP_HEIGHT = 120, 10

# Free space around the cameras, as a share of the longer side of their box.
AROUND = 0.3
WEDGES = 30
MOST_SEEN = np.array((120, 170, 225))
PLATE = (255, 255, 255)
TEST = (0, 210, 220)
# Metres; a shorter path counts as a single place.
SMALLEST_PATH = 1e-6
# Spread of the cameras' x axes, as a share of their common part, from which the cameras count as turned.
TURNED = 0.2


@dataclass(frozen=True)
class _Floor:
    """The horizontal plane as a map of MAP_WIDTH x height pixels.

    axes: [3, 2], the map's right and down in the world; corner: [2] metres, its upper left pixel; scale:
    pixels per metre.
    """

    axes: np.ndarray
    corner: np.ndarray
    scale: float
    height: int

    @staticmethod
    def under(poses: np.ndarray, near: float, far: float) -> _Floor:
        """Makes the map that shows the cameras [N, 4, 4] and some space around them."""
        axes = floor_axes(poses)
        places = poses[:, :3, 3] @ axes
        low, high = places.min(0), places.max(0)
        around = min(far, max(2.0 * near, AROUND * (high - low).max()))
        size = high - low + 2.0 * around
        height = int(np.clip(MAP_WIDTH * size[1] / size[0], LOWEST, HIGHEST))
        scale = min(MAP_WIDTH / size[0], height / size[1])
        corner = (low + high) / 2.0 - np.array([MAP_WIDTH, height]) / (2.0 * scale)
        return _Floor(axes, corner, scale, height)

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Projects world points [..., 3] to map pixels [..., 2] (column, row)."""
        return (points @ self.axes - self.corner) * self.scale


def path_panel(
    camera_to_world: Tensor, near: float, far: float, field_of_view: float, test: Sequence[int] = ()
) -> np.ndarray:
    """Draws where the cameras were, in which order, and where they looked: uint8 RGB [H, W, 3].

    camera_to_world: [N, 4, 4] metres, in the order of recording; near, far: metres, above 0; field_of_view:
    horizontal, radians; test: indices of the frames to be marked as held out.
    """
    poses = camera_to_world.double().cpu().numpy()
    floor = _Floor.under(poses, near, far)
    picture = _coverage(floor, poses, near, far, field_of_view)
    places, colors = floor.pixels(poses[:, :3, 3]), time_colors(len(poses))
    for piece in range(len(poses) - 1):
        draw_path(picture, places[piece : piece + 2], colors[piece], thickness=2)
    every = math.ceil(len(poses) / WEDGES)
    wedges = floor.pixels(_footprints(poses[::every], 0.0, WEDGE / floor.scale, field_of_view))
    for wedge, color in zip(wedges, colors[::every], strict=True):
        draw_path(picture, wedge, color, closed=True)
    for place, color in zip(places, colors, strict=True):
        draw_dot(picture, place, 3, color)
    _draw_end(picture, "start", places[0], colors[0], below=False)
    _draw_end(picture, "end", places[-1], colors[-1], below=True)
    for index in test:
        _draw_diamond(picture, places[index])
    _draw_key(picture, floor.scale, bool(test))
    return sheet([picture], ["cameras from above"], _text(poses, floor.axes, near, far, every))


def floor_axes(poses: np.ndarray) -> np.ndarray:
    """Right and down [3, 2] of a map seen from above; the path's longest extent points to the right."""
    up = _up(poses)
    centers = poses[:, :3, 3]
    offsets = centers - centers.mean(0)
    offsets = offsets - (offsets @ up)[:, None] * up
    _, lengths, directions = np.linalg.svd(offsets, full_matrices=False)
    right = directions[0]
    if lengths[0] < SMALLEST_PATH:
        right = poses[0, :3, 0] - poses[0, :3, 0] @ up * up
        right = right / np.linalg.norm(right)
    if (centers[-1] - centers[0]) @ right < 0:
        right = -right
    return np.stack([right, np.cross(right, up)], axis=1)


def _up(poses: np.ndarray) -> np.ndarray:
    """Unit vector [3] that points up: orthogonal to the cameras' x axes, or their mean upward direction.

    The x axes are level even if all cameras look downward in one direction, so that their mean upward
    direction leans forward. The mean is used if the x axes are parallel.
    """
    mean = -poses[:, :3, 1].mean(0)
    # Cameras rolled in all directions have no common upward direction, so the first camera's is used.
    mean = mean if np.linalg.norm(mean) > 0.1 else -poses[0, :3, 1]
    _, lengths, directions = np.linalg.svd(poses[:, :3, 0])
    if len(poses) < 2 or lengths[1] < TURNED * lengths[0]:
        return mean / np.linalg.norm(mean)
    return directions[2] * math.copysign(1.0, directions[2] @ mean)


def _footprints(poses: np.ndarray, near: float, far: float, field_of_view: float) -> np.ndarray:
    """World corners [N, 4, 3] of the slices through the middle rows of the views, between two z-depths."""
    side = math.tan(field_of_view / 2.0)
    corners = np.array(
        [(-side * near, 0, near), (-side * far, 0, far), (side * far, 0, far), (side * near, 0, near)]
    )
    return corners @ poses[:, :3, :3].transpose(0, 2, 1) + poses[:, None, :3, 3]


def _coverage(floor: _Floor, poses: np.ndarray, near: float, far: float, field_of_view: float) -> np.ndarray:
    """Makes the background of the map: the bluer a place, the more cameras look there."""
    counts = np.zeros((floor.height, MAP_WIDTH), np.uint16)
    for corners in floor.pixels(_footprints(poses, near, far, field_of_view)):
        inside = np.zeros(counts.shape, np.uint8)
        cv2.fillPoly(inside, [fixed(corners)], 1, cv2.LINE_8, SHIFT)
        counts += inside
    share = counts[..., None] / max(1, counts.max())
    return (BACKGROUND + share * (MOST_SEEN - BACKGROUND)).round().astype(np.uint8)


def _draw_diamond(picture: np.ndarray, at: np.ndarray) -> None:
    for radius, color in ((7, OUTLINE), (5, TEST)):
        corners = at + radius * np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])
        cv2.fillPoly(picture, [fixed(corners)], color, cv2.LINE_AA, SHIFT)


def _draw_end(picture: np.ndarray, name: str, at: np.ndarray, color: Color, below: bool) -> None:
    draw_dot(picture, at, 10, OUTLINE)
    draw_dot(picture, at, 8, color)
    draw_label(picture, name, at, PLATE, below)


def _draw_key(picture: np.ndarray, scale: float, with_test: bool) -> None:
    """Draws the key along the lower edge: the scale, the colours of time and the mark of test frames."""
    middle = picture.shape[0] - MARGIN
    length = _round_length(0.2 * MAP_WIDTH / scale)
    left, right = MARGIN, MARGIN + round(length * scale)
    for tick in (left, right):
        cv2.line(picture, (tick, middle - 5), (tick, middle + 5), INK, 2)
    cv2.line(picture, (left, middle), (right, middle), INK, 2)
    write(picture, f"{length:g} m", right + 8, middle)
    left = MAP_WIDTH - MARGIN - text_width("last") - 8 - RAMP_WIDTH
    write(picture, "last", left + RAMP_WIDTH + 8, middle)
    picture[middle - RAMP_HEIGHT // 2 :][:RAMP_HEIGHT, left : left + RAMP_WIDTH] = time_colors(RAMP_WIDTH)
    left -= text_width("first frame") + 8
    write(picture, "first frame", left, middle)
    if with_test:
        left -= text_width("test frame") + 24
        write(picture, "test frame", left, middle)
        _draw_diamond(picture, np.array([left - 16, middle]))


def _round_length(longest: float) -> float:
    """The largest number of the form 1, 2 or 5 times a power of ten that is at most `longest`."""
    power = 10.0 ** math.floor(math.log10(longest))
    return max(step * power for step in (1.0, 2.0, 5.0) if step * power <= longest)


def _text(poses: np.ndarray, axes: np.ndarray, near: float, far: float, every: int) -> str:
    centers = poses[:, :3, 3]
    length = np.linalg.norm(np.diff(centers, axis=0), axis=1).sum()
    width, depth = np.ptp(centers @ axes, axis=0)
    height = np.ptp(centers @ np.cross(axes[:, 0], axes[:, 1]))
    cameras = "1 camera" if len(poses) == 1 else f"{len(poses)} cameras"
    wedges = "each camera" if every == 1 else f"one camera in {every}"
    return (
        f"{cameras}, seen from above. The path is {length:.2f} m long and extends over {width:.2f} x "
        f"{depth:.2f} m; heights differ by {height:.2f} m. Wedges show where {wedges} looks. The bluer a "
        f"place, the more cameras look there (from near, {near:.2f} m, to far, {far:.2f} m)."
    )
