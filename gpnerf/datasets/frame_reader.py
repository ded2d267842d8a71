"""Frames and source views of scenes at one size, with those read last kept in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from gpnerf.datasets.pixels.masks import stack_masks
from gpnerf.datasets.policies import Candidates
from gpnerf.datasets.scene import Frame, Scene
from gpnerf.geometry.cameras import Camera

CACHE_BYTES = 1 << 30


@dataclass(frozen=True)
class SourceViews:
    """V photographs to render from.

    images: [V, 3, H, W] in [0, 1]; cameras: a batch of V; masks: bool [V, H, W], True where a pixel counts,
    None where all count; names: [V], or () if they have none.
    """

    images: Tensor
    cameras: Camera
    masks: Tensor | None = None
    names: tuple[str, ...] = ()

    @staticmethod
    def none(height: int, width: int) -> SourceViews:
        """Makes an empty set of height x width pixels, for methods that use no source views."""
        cameras = Camera(torch.zeros(0, 3, 3), torch.zeros(0, 4, 4), height, width)
        return SourceViews(torch.zeros(0, 3, height, width), cameras)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> SourceViews:
        masks = self.masks
        return replace(
            self,
            images=self.images.to(device, non_blocking=non_blocking),
            cameras=self.cameras.to(device, non_blocking),
            masks=masks if masks is None else masks.to(device, non_blocking=non_blocking),
        )


class Photograph(NamedTuple):
    """An image [3, H, W] in [0, 1] and its mask bool [H, W], None where all pixels count."""

    image: Tensor
    mask: Tensor | None


class FrameReader:
    """Reads frames at one size; keeps the latest in memory, so that a small data set is decoded once.

    Images are kept with 8 bits. Every worker of a DataLoader keeps up to `capacity` bytes of its own.
    """

    def __init__(self, height: int, width: int, capacity: int = CACHE_BYTES) -> None:
        self.height, self.width, self.capacity = height, width, capacity
        self.kept: OrderedDict[tuple[int, int, bool], tuple[Scene, Frame | Photograph]] = OrderedDict()
        self.bytes = 0
        self.batches: dict[int, tuple[Scene, Camera]] = {}

    def frame(self, scene: Scene, index: int) -> Frame:
        """Reads a view with all its maps."""
        frame = self._recall(scene, index, maps=True)
        return replace(frame, image=_to_float(frame.image), camera=self.cameras(scene)[index])

    def photograph(self, scene: Scene, index: int) -> Photograph:
        """Reads a photograph and its mask, without maps."""
        kept = self._recall(scene, index, maps=False)
        return kept._replace(image=_to_float(kept.image))

    def cameras(self, scene: Scene) -> Camera:
        """All cameras of a scene as one batch; made once.

        Poses are float64, as stored: the difference of two poses far from the origin is then exact.
        """
        if id(scene) not in self.batches:
            self.batches[id(scene)] = scene, scene.cameras(self.height, self.width)
        return self.batches[id(scene)][1]

    def candidates(self, scene: Scene, target: int, indices: Sequence[int]) -> Candidates:
        """The frames that may be source views of a target frame."""
        cameras = self.cameras(scene)
        return Candidates(cameras[target], cameras[indices], scene.near, scene.far)

    def sources(self, scene: Scene, indices: Sequence[int]) -> SourceViews:
        """Reads the photographs of some views as source views."""
        if not indices:
            return SourceViews.none(self.height, self.width)
        photographs = [self.photograph(scene, index) for index in indices]
        return SourceViews(
            torch.stack([one.image for one in photographs]),
            self.cameras(scene)[indices],
            stack_masks([one.mask for one in photographs], self.height, self.width),
            tuple(scene.index.names[index] for index in indices),
        )

    def _recall(self, scene: Scene, index: int, maps: bool) -> Frame | Photograph:
        # The entry holds the scene too: as long as it exists, no other scene can get the same id.
        key = (id(scene), index, maps)
        if key in self.kept:
            self.kept.move_to_end(key)
            return self.kept[key][1]
        if maps:
            frame = scene.read(index, self.height, self.width)
            entry = replace(frame, image=_to_bytes(frame.image))
        else:
            image = _to_bytes(scene.read_image(index, self.height, self.width))
            entry = Photograph(image, scene.read_mask(index, self.height, self.width))
        self.kept[key] = scene, entry
        self.bytes += _size(entry)
        while self.bytes > self.capacity:
            self.bytes -= _size(self.kept.popitem(last=False)[1][1])
        return entry


def _to_bytes(image: Tensor) -> Tensor:
    return (image * 255.0).round().to(torch.uint8)


def _to_float(image: Tensor) -> Tensor:
    return image.float() / 255.0


def _size(entry: Frame | Photograph) -> int:
    kept = entry if isinstance(entry, Photograph) else vars(entry).values()
    return sum(pixels.nbytes for pixels in kept if isinstance(pixels, Tensor))
