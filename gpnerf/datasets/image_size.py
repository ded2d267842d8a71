"""The size at which photographs are used: as asked for, and else of their own shape."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Sequence

from gpnerf.datasets.scene import Scene

# Height and width of what has no photographs of its own yet.
ROOM_SHAPE = (3, 4)
# Shapes that differ by less look alike.
LIKE_SHAPE = 0.03


def size_of_shape(options: Namespace, shape: tuple[int, int]) -> tuple[int, int]:
    """(height, width) by --height and --width; what is not given keeps the shape (height, width).

    With neither, the longer side has --longer_side pixels.
    """
    height, width = options.height, options.width
    if height is None and width is None:
        scale = options.longer_side / max(shape)
        return round(scale * shape[0]), round(scale * shape[1])
    if height is None:
        height = round(width * shape[0] / shape[1])
    return height, round(height * shape[1] / shape[0]) if width is None else width


def shape_of(scene: Scene) -> tuple[int, int]:
    """Height and width of a scene's first photograph, without its border."""
    camera = scene.view(0).camera
    return camera.height, camera.width


def shape_warnings(scenes: Sequence[Scene], height: int, width: int) -> list[str]:
    """A sentence for every scene whose photographs would look stretched at this size."""
    sentences = []
    for scene in scenes:
        own_height, own_width = shape_of(scene)
        stretch = (width / height) / (own_width / own_height)
        if abs(math.log(stretch)) > math.log1p(LIKE_SHAPE):
            sentences.append(
                f"{scene.name}: everything looks {stretch:.2f} times as wide at {width}x{height} pixels as "
                f"in its photographs of {own_width}x{own_height}; leave out --height or --width to keep "
                "their shape."
            )
    return sentences
