"""Size to which photographs are resized: by the options, or else in their own shape."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Sequence

import numpy as np

from gpnerf.datasets.scene import Scene

# Height and width of rooms, which have no photographs before they are made.
ROOM_SHAPE = (3, 4)
# Relative difference of two shapes below which nothing looks stretched.
LIKE_SHAPE = 0.03


def size_of_shape(options: Namespace, shape: tuple[int, int]) -> tuple[int, int]:
    """(height, width) by --height and --width; a side that is not given follows from `shape` (height, width).

    If neither is given, the longer side has --longer_side pixels.
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
    """Writes a sentence for every scene that looks stretched at this size, about its worst photograph."""
    sentences = []
    for scene in scenes:
        shapes = np.unique(scene.index.sizes, axis=0) - 2 * scene.border
        stretches = (width / height) / (shapes[:, 1] / shapes[:, 0])
        worst = np.abs(np.log(stretches)).argmax()
        if abs(math.log(stretches[worst])) > math.log1p(LIKE_SHAPE):
            own_height, own_width = shapes[worst]
            sentences.append(
                f"{scene.name}: everything looks {stretches[worst]:.2f} times as wide at {width}x{height} "
                f"pixels as in its photographs of {own_width}x{own_height}; {_shape_remedy(stretches)}."
            )
    return sentences


def _shape_remedy(stretches: np.ndarray) -> str:
    if np.ptp(np.log(stretches)) > math.log1p(LIKE_SHAPE):
        return "its photographs differ in shape: crop them to one shape, or make a scene for each shape"
    return "give --height or --width alone on the command line to keep their shape"
