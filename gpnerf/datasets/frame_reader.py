"""Frames and source views of scenes at one size, whole or cut out, with those read last kept in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from gpnerf.datasets.index.scene_index import MAPS
from gpnerf.datasets.pixels.box import Box
from gpnerf.datasets.pixels.masks import stack_masks
from gpnerf.datasets.policies import Candidates
from gpnerf.datasets.scene import UNKNOWN, Frame, Scene
from gpnerf.geometry.cameras import Camera

CACHE_BYTES = 1 << 30


@dataclass(frozen=True)
class SourceViews:
    """V photographs to render from.

    images: [V, 3, H, W] in [0, 1]; cameras: a batch of V; masks: bool [V, H, W], True where a pixel counts,
    None where all count; names: [V], or () if they have none; depths: [V, H, W], z in metres, 0 = unknown,
    None unless a method needs them.
    """

    images: Tensor
    cameras: Camera
    masks: Tensor | None = None
    names: tuple[str, ...] = ()
    depths: Tensor | None = None

    @staticmethod
    def none(height: int, width: int) -> SourceViews:
        """Makes an empty set of height x width pixels, for methods that use no source views."""
        cameras = Camera(torch.zeros(0, 3, 3), torch.zeros(0, 4, 4), height, width)
        return SourceViews(torch.zeros(0, 3, height, width), cameras)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> SourceViews:
        pixels = {"images": self.images, "masks": self.masks, "depths": self.depths}
        moved = {
            name: one.to(device, non_blocking=non_blocking) for name, one in pixels.items() if one is not None
        }
        return replace(self, cameras=self.cameras.to(device, non_blocking), **moved)


class Photograph(NamedTuple):
    """An image [3, H, W] in [0, 1], its mask bool [H, W], None where all pixels count, and its depth map.

    The depth map [H, W] is None unless it is wanted.
    """

    image: Tensor
    mask: Tensor | None
    depth: Tensor | None = None


class KeptFrames:
    """Decodes frames at any size; keeps the latest in memory, so that a small data set is decoded once.

    Images are kept with 8 bits. Every worker of a DataLoader keeps up to `capacity` bytes of its own. depth:
    photographs come with their depth.
    """

    def __init__(self, capacity: int = CACHE_BYTES, depth: bool = False) -> None:
        self.capacity, self.depth, self.bytes = capacity, depth, 0
        self.kept: OrderedDict[tuple[int, int, bool], tuple[Scene, Frame | Photograph]] = OrderedDict()

    def recall(self, scene: Scene, index: int, height: int, width: int, maps: bool) -> Frame | Photograph:
        """A view with all its maps or only its photograph; the image is uint8.

        The size of a view must be the same at every call.
        """
        # The entry holds the scene too: as long as it exists, no other scene can get the same id.
        key = (id(scene), index, maps)
        if key in self.kept:
            self.kept.move_to_end(key)
            return self.kept[key][1]
        if maps:
            frame = scene.read(index, height, width)
            entry = replace(frame, image=_to_bytes(frame.image))
        else:
            image = _to_bytes(scene.read_image(index, height, width))
            depth = scene.read_map(index, "depth", height, width) if self.depth else None
            entry = Photograph(image, scene.read_mask(index, height, width), depth)
        self.kept[key] = scene, entry
        self.bytes += _size(entry)
        while self.bytes > self.capacity:
            self.bytes -= _size(self.kept.popitem(last=False)[1][1])
        return entry


class FrameReader:
    """Reads frames at one size. kept: memory, which readers of the same size may share."""

    def __init__(self, height: int, width: int, kept: KeptFrames | None = None) -> None:
        self.height, self.width, self.kept = height, width, kept or KeptFrames()
        self.batches: dict[int, tuple[Scene, Camera]] = {}

    def frame(self, scene: Scene, index: int) -> Frame:
        """Reads a view with all its maps."""
        frame = self._read(scene, index, maps=True)
        return replace(frame, image=_to_float(frame.image), camera=self.cameras(scene)[index])

    def photograph(self, scene: Scene, index: int) -> Photograph:
        """Reads a photograph and its mask, without maps."""
        photograph = self._read(scene, index, maps=False)
        return photograph._replace(image=_to_float(photograph.image))

    def cameras(self, scene: Scene) -> Camera:
        """All cameras of a scene as one batch; made once.

        Poses are float64, as stored: the difference of two poses far from the origin is then exact.
        """
        if id(scene) not in self.batches:
            self.batches[id(scene)] = scene, self._cameras(scene)
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
            torch.stack([one.depth for one in photographs]) if self.kept.depth else None,
        )

    def _cameras(self, scene: Scene) -> Camera:
        return scene.cameras(self.height, self.width)

    def _read(self, scene: Scene, index: int, maps: bool) -> Frame | Photograph:
        """A view of which the image is uint8 and the camera is not used."""
        return self.kept.recall(scene, index, self.height, self.width, maps)


class CroppedReader(FrameReader):
    """Reads the same box of every frame, at one size. kept: memory of whole frames at their stored size."""

    def __init__(self, box: Box, height: int, width: int, kept: KeptFrames) -> None:
        super().__init__(height, width, kept)
        self.box = box

    def _cameras(self, scene: Scene) -> Camera:
        return scene.cameras(self.height, self.width, self.box)

    def _read(self, scene: Scene, index: int, maps: bool) -> Frame | Photograph:
        whole = self.kept.recall(scene, index, *scene.size(index), maps)
        size = self.height, self.width
        image, mask = self.box.colors(whole.image, *size), self.box.mask(whole.mask, *size)
        if not maps:
            return Photograph(image, mask, **self._maps(whole, ("depth",), mask))
        return replace(whole, image=image, mask=mask, **self._maps(whole, MAPS, mask))

    def _maps(
        self, whole: Frame | Photograph, kinds: Sequence[str], mask: Tensor | None
    ) -> dict[str, Tensor | None]:
        size = self.height, self.width
        return _unmasked({kind: self.box.values(getattr(whole, kind), *size) for kind in kinds}, mask)


def _unmasked(maps: dict[str, Tensor | None], mask: Tensor | None) -> dict[str, Tensor | None]:
    """Maps by kind, unknown where a mask leaves pixels out."""
    if mask is None:
        return maps
    return {
        kind: values if values is None else torch.where(mask, values, UNKNOWN[kind])
        for kind, values in maps.items()
    }


def _to_bytes(image: Tensor) -> Tensor:
    return (image * 255.0).round().to(torch.uint8)


def _to_float(image: Tensor) -> Tensor:
    return image.float() / 255.0


def _size(entry: Frame | Photograph) -> int:
    kept = entry if isinstance(entry, Photograph) else vars(entry).values()
    return sum(pixels.nbytes for pixels in kept if isinstance(pixels, Tensor))
