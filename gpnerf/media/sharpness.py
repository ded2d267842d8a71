"""How sharp an image is, and the sharpest frames of a video."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

import cv2
import numpy as np


def sharpness(pixels: np.ndarray) -> float:
    """Variance of the Laplacian of the brightness of uint8 RGB [H, W, 3]: the lower, the more blurred."""
    return float(cv2.Laplacian(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.CV_32F).var())


def sharpest_of_every(frames: Iterable[np.ndarray], every: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yields (number, frame) of the sharpest of each `every` frames, the first of equals; numbers start at 0.

    A shorter group at the end counts too. Two frames are in memory at a time.
    """
    for _, group in groupby(enumerate(frames), key=lambda one: one[0] // every):
        yield max(group, key=lambda one: sharpness(one[1]))
