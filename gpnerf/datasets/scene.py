"""Scene, View and Frame: the common form of all data sets.

A loader (transforms/, published/) knows paths, file formats and cameras, and returns a `SceneIndex`. All
loaders share reading, resizing, cropping and label mapping, which are here and in pixels/.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np
import torch
from torch import Tensor

from gpnerf.datasets.index.scene_index import MAPS, SceneIndex
from gpnerf.datasets.labels import IGNORE, LabelSpace
from gpnerf.datasets.pixels.box import WHOLE, Box
from gpnerf.datasets.pixels.masks import stack_masks
from gpnerf.datasets.pixels.stored_view import StoredView, pinholes_of
from gpnerf.datasets.ranges import DepthRange
from gpnerf.geometry.cameras import Camera

# Value of a map where nothing is known.
UNKNOWN = {"depth": 0, "semantic": IGNORE, "instance": IGNORE}


@dataclass(frozen=True)
class View:
    """One posed photograph on disk; optional maps are None where the data set has none.

    camera: the camera of the image after distortion and border are removed.
    """

    name: str
    image: Path
    camera: Camera
    depth: Path | None = None
    semantic: Path | None = None
    instance: Path | None = None
    mask: Path | None = None


@dataclass(frozen=True)
class Frame:
    """A view in memory.

    image: [3, H, W] in [0, 1]; depth: [H, W] z in metres, 0 = unknown; semantic, instance: int64 [H, W],
    IGNORE = -1 where unlabelled; mask: bool [H, W], True where a pixel counts, None where all count. Masked
    pixels have no depth and no label; their colour is copied from pixels nearby.
    """

    scene: str
    name: str
    camera: Camera
    image: Tensor
    depth: Tensor | None = None
    semantic: Tensor | None = None
    instance: Tensor | None = None
    mask: Tensor | None = None

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Frame:
        tensors = ("image", *MAPS, "mask")
        moved = {key: getattr(self, key) for key in tensors if getattr(self, key) is not None}
        moved = {key: value.to(device, non_blocking=non_blocking) for key, value in moved.items()}
        return replace(self, camera=self.camera.to(device, non_blocking), **moved)


@dataclass(frozen=True)
class Scene:
    """Posed views of one place.

    range: z-depths of its content in the units of the poses; layouts.load_scene finds it. labels: None if the
    scene is not labelled; labelled_by: the kind of map that holds the labels, "instance" if objects take the
    place of classes. border: pixels cut off each side of the stored images, such as ScanNet's black strips.
    """

    name: str
    folder: Path
    index: SceneIndex
    range: DepthRange
    labels: LabelSpace | None = None
    border: int = 0
    labelled_by: str = "semantic"

    @property
    def near(self) -> float:
        return self.range.near

    @property
    def far(self) -> float:
        return self.range.far

    @property
    def views(self) -> Views:
        return Views(self)

    def has(self, kind: str) -> bool:
        """Whether every view has a map of this kind ("depth", "semantic", "instance")."""
        return self.count(kind) == len(self.index)

    def count(self, kind: str) -> int:
        """Counts the views with a map of this kind; labels without a list of classes do not count."""
        if kind == "semantic":
            return 0 if self.labels is None else self.index.count(self.labelled_by)
        return self.index.count(kind)

    def is_labelled(self, number: int) -> bool:
        """Whether a view has labels."""
        return self.labels is not None and bool(self.index.files[self.labelled_by][number])

    @cached_property
    def poses(self) -> Tensor:
        """Camera-to-world of every view [N, 4, 4] float64, in metres or the scene's own units."""
        return torch.from_numpy(self.index.poses)

    def view(self, number: int) -> View:
        """Makes the view at a position of the index; reads no pixels."""
        stored = self._stored(number)
        intrinsics = torch.from_numpy(stored.lens.pinhole.copy()).float()
        camera = Camera(intrinsics, self.poses[number], stored.height, stored.width)
        files = {kind: self.folder / file for kind, file in stored.files.items()}
        return View(self.index.names[number], camera=camera.cropped(self.border), **files)

    def size(self, number: int) -> tuple[int, int]:
        """Height and width of a view as stored, without the border."""
        height, width = self.index.sizes[number].tolist()
        return height - 2 * self.border, width - 2 * self.border

    def cameras(self, height: int, width: int, box: Box = WHOLE) -> Camera:
        """Makes the cameras of all views, as a batch, for boxes of the images resized to height x width."""
        pinholes = pinholes_of(self.index).astype(np.float32)
        for size in set(map(tuple, self.index.sizes.tolist())):
            rows = (self.index.sizes == size).all(axis=1)
            camera = Camera(torch.from_numpy(pinholes[rows]), self.poses, *size).cropped(self.border)
            pinholes[rows] = box.camera(camera).resized(height, width).intrinsics.numpy()
        return Camera(torch.from_numpy(pinholes), self.poses, height, width)

    def read_image(self, number: int, height: int, width: int) -> Tensor:
        """Reads the photograph of a view as [3, height, width] in [0, 1], without lens distortion."""
        return self._stored(number).image(height, width)

    def photographs(
        self, numbers: Sequence[int], height: int, width: int
    ) -> tuple[Tensor, Camera, Tensor | None]:
        """Reads the photographs of some views.

        Returns images [V, 3, height, width] in [0, 1], their cameras, and masks, bool [V, height, width],
        None where every pixel counts.
        """
        stored = [self._stored(number) for number in numbers]
        masks = [one.mask(height, width) for one in stored]
        return (
            torch.stack([one.image(height, width) for one in stored]),
            Camera.stack([self.view(number).camera.resized(height, width) for number in numbers]),
            stack_masks(masks, height, width),
        )

    def read_mask(self, number: int, height: int, width: int) -> Tensor | None:
        """Reads the mask of a view: bool [height, width], True where a pixel counts, None if all count.

        Raises DataError if no pixel counts.
        """
        return self._stored(number).mask(height, width)

    def read_map(self, number: int, kind: str, height: int, width: int) -> Tensor | None:
        """Reads a map of a view as [height, width], None if it has no such map; `kind` as in Frame.

        "depth": float32 z in metres, 0 = unknown; "semantic" and "instance": int64, IGNORE where unlabelled.
        Masked pixels are unknown or unlabelled.
        """
        stored = self._stored(number)
        return self._map(stored, kind, height, width, stored.mask(height, width))

    def read(self, number: int, height: int, width: int) -> Frame:
        """Reads a view with all its maps at the given size."""
        stored = self._stored(number)
        mask = stored.mask(height, width)
        return Frame(
            scene=self.name,
            name=self.index.names[number],
            camera=self.view(number).camera.resized(height, width),
            image=stored.image(height, width),
            mask=mask,
            **{kind: self._map(stored, kind, height, width, mask) for kind in MAPS},
        )

    def _stored(self, number: int) -> StoredView:
        return StoredView(self.folder, self.index, number, self.border)

    def _map(
        self, stored: StoredView, kind: str, height: int, width: int, mask: Tensor | None
    ) -> Tensor | None:
        file = stored.files.get(self.labelled_by if kind == "semantic" else kind)
        if file is None or (kind == "semantic" and self.labels is None):
            return None
        path = self.folder / file
        values = stored.values(path, kind, UNKNOWN[kind], height, width)
        if kind == "semantic":
            values = self.labels.to_classes(values, str(path))
        elif kind == "instance":
            values = values.astype(np.int64)
            values[values == self.index.instance_ignore] = IGNORE
        if mask is not None:
            values[~mask.numpy()] = UNKNOWN[kind]
        return torch.from_numpy(values)


class Views(Sequence[View]):
    """The views of a scene, each made when it is indexed, as a data set may have hundreds of thousands."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def __len__(self) -> int:
        return len(self.scene.index)

    @overload
    def __getitem__(self, number: int) -> View: ...
    @overload
    def __getitem__(self, number: slice) -> list[View]: ...
    def __getitem__(self, number: int | slice) -> View | list[View]:
        if isinstance(number, slice):
            return [self.scene.view(one) for one in range(len(self))[number]]
        return self.scene.view(range(len(self))[number])
