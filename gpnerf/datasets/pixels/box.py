"""A box in a photograph: what is cut out of its pixels, and the camera of that."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gpnerf.datasets.pixels.masks import shrunk
from gpnerf.geometry.cameras import Camera
from gpnerf.media.images import resize_colors, resize_values


class Box(NamedTuple):
    """A box as shares of the sides of a photograph, so that it is one for photographs of different sizes."""

    top: float
    left: float
    height: float
    width: float

    def pixels(self, height: int, width: int) -> tuple[int, int, int, int]:
        """The box in a photograph of height x width pixels, whole pixels: top, left, height, width."""
        top, left = min(round(self.top * height), height - 1), min(round(self.left * width), width - 1)
        bottom, right = round((self.top + self.height) * height), round((self.left + self.width) * width)
        return top, left, max(bottom - top, 1), max(right - left, 1)

    def camera(self, whole: Camera) -> Camera:
        """The camera of what is cut out of the photographs of a camera, or of a batch."""
        return whole.window(*self.pixels(whole.height, whole.width))

    def colors(self, image: Tensor, height: int, width: int) -> Tensor:
        """Cuts an image uint8 [3, H, W] and resizes it: uint8 [3, height, width]."""
        pixels = np.ascontiguousarray(self.cut(image).permute(1, 2, 0).numpy())
        return torch.from_numpy(resize_colors(pixels, height, width)).permute(2, 0, 1)

    def values(self, values: Tensor | None, height: int, width: int) -> Tensor | None:
        """Cuts a map [H, W] and takes the nearest pixels: [height, width] of the same type."""
        if values is None:
            return None
        # OpenCV resizes no 64-bit integers; ids and classes fit 32 bits.
        pixels = self.cut(values).numpy()
        pixels = np.ascontiguousarray(pixels, np.int32 if pixels.dtype == np.int64 else pixels.dtype)
        return torch.from_numpy(resize_values(pixels, height, width)).to(values.dtype)

    def mask(self, mask: Tensor | None, height: int, width: int) -> Tensor | None:
        """Cuts a mask bool [H, W] and resizes it: bool [height, width], None if all pixels count."""
        pixels = None if mask is None else self.cut(mask).numpy()
        if pixels is None or pixels.all():
            return None
        if not pixels.any():
            return torch.zeros(height, width, dtype=torch.bool)
        return torch.from_numpy(shrunk(np.ascontiguousarray(pixels), height, width))

    def cut(self, pixels: Tensor) -> Tensor:
        """Pixels [..., H, W] -> those in the box."""
        top, left, height, width = self.pixels(*pixels.shape[-2:])
        return pixels[..., top : top + height, left : left + width]


WHOLE = Box(0.0, 0.0, 1.0, 1.0)
