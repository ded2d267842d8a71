"""Pixels of a view in chunks, so that memory is bounded and a rendering can be given up half-way."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from gpnerf.methods.method import RayPass
from gpnerf.system.devices import is_out_of_memory

log = logging.getLogger(__name__)


class GivenUp(Exception):
    """Nobody waits for the rendering any more."""


def always() -> bool:
    """Says of a rendering that somebody waits for it."""
    return True


class Chunks:
    """Chunks of pixels of one size; the last one is padded, so that compiled layers see a single shape.

    When memory runs out, the size is halved for all further chunks. wanted: asked before each chunk whether
    somebody still waits for the rendering.
    """

    def __init__(self, size: int, wanted: Callable[[], bool] = always) -> None:
        self.size, self.wanted = size, wanted

    def of(self, pixels: Tensor, render: Callable[[Tensor], RayPass]) -> Iterator[tuple[Tensor, RayPass]]:
        """Yields each chunk [n, 2] of pixels [N, 2] with its rendered rays, of which the first n count.

        Raises GivenUp once the rendering is no longer wanted.
        """
        start, size = 0, min(self.size, len(pixels))
        while start < len(pixels):
            if not self.wanted():
                raise GivenUp
            chunk = pixels[start : start + size]
            filling = chunk[-1:].expand(size - len(chunk), 2)
            try:
                rays = render(torch.cat([chunk, filling]))
            except RuntimeError as error:
                if size == 1 or not is_out_of_memory(error):
                    raise
                size = self.size = size // 2
                log.warning(f"Out of memory: continuing with {size} rays at a time (--chunk_size {size}).")
                continue
            yield chunk, rays
            start += size
