"""Scene and View: what every data set is turned into, and the one place that reads its images.

A loader (transforms/, published/) knows paths, file formats and cameras, and returns a
`SceneIndex`. Reading, resizing, cropping and label mapping are shared by all of them and live here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import overload

import cv2
import numpy as np
import torch
from torch import Tensor

from gpnerf.datasets.index.scene_index import MAPS, SceneIndex, same_shape
from gpnerf.datasets.labels import IGNORE, LabelSpace
from gpnerf.datasets.pixels.lens import Lens
from gpnerf.datasets.pixels.maps import read_depth, read_ids
from gpnerf.datasets.pixels.masks import ALL_COUNT, filled, shrunk
from gpnerf.geometry.cameras import Camera
from gpnerf.media.images import read_image, read_mask, resize_colors, resize_values
from gpnerf.system.errors import DataError

# In a map, where nothing is known.
UNKNOWN = {"depth": 0, "semantic": IGNORE, "instance": IGNORE}


@dataclass(frozen=True)
class View:
    """One posed photograph on disk; optional maps are None where the data set has none.

    camera: of the image without distortion and border.
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
    """A view in memory: image [3, H, W] in [0, 1]; depth [H, W] z in metres, 0 = unknown;
    semantic and instance [H, W] int64, IGNORE = -1 where unlabelled; mask bool [H, W], the pixels that count,
    None where all do. What is masked has no depth and no label, and its colour is made up."""

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

    near, far: z-depth range of its content in the units of the poses. labels: None where the scene is not
    labelled; labelled_by: the kind of files they are read from, "instance" where objects take the place of
    classes.
    border: pixels cut off each side of the stored images, such as ScanNet's black strips.
    """

    name: str
    folder: Path
    index: SceneIndex
    near: float
    far: float
    labels: LabelSpace | None = None
    border: int = 0
    labelled_by: str = "semantic"
    # What gives near and far.
    range_source: str = ""

    @property
    def views(self) -> Views:
        return Views(self)

    def has(self, kind: str) -> bool:
        """Whether every frame has a map of this kind ("depth", "semantic", "instance")."""
        return self.count(kind) == len(self.index)

    def count(self, kind: str) -> int:
        """How many frames have a map of this kind; labels without a list of classes do not count."""
        if kind == "semantic":
            return 0 if self.labels is None else self.index.count(self.labelled_by)
        return self.index.count(kind)

    @cached_property
    def poses(self) -> Tensor:
        """Camera-to-world of every view [N, 4, 4] in metres."""
        return torch.from_numpy(self.index.poses).float()

    def view(self, number: int) -> View:
        """The view at a position of the index."""
        index = self.index
        kinds = [kind for kind in (*MAPS, "mask") if index.files[kind][number]]
        files = {kind: self.folder / index.files[kind][number] for kind in kinds}
        return View(
            name=index.names[number],
            image=self.folder / index.files["image"][number],
            camera=self._stored_camera(number).cropped(self.border),
            **files,
        )

    def read_image(self, number: int, height: int, width: int) -> Tensor:
        """The photograph of one view as [3, height, width] in [0, 1], lens distortion removed."""
        return self._image(number, height, width, self._stored_mask(number))

    def read_mask(self, number: int, height: int, width: int) -> Tensor | None:
        """Which pixels of a view's photograph count: bool [height, width], None if all do.

        Raises DataError where none does.
        """
        return self._mask(number, height, width, self._stored_mask(number))

    def read_map(self, number: int, kind: str, height: int, width: int) -> Tensor | None:
        """One map of a view as [height, width], None where it has none; `kind` as in Frame.

        "depth": float32 z in metres, 0 = unknown; "semantic" and "instance": int64, IGNORE where unlabelled.
        Nothing is known of masked pixels.
        """
        return self._map(number, kind, height, width, self.read_mask(number, height, width))

    def read(self, number: int, height: int, width: int) -> Frame:
        """One view with all its maps at the size asked for."""
        stored = self._stored_mask(number)
        mask = self._mask(number, height, width, stored)
        return Frame(
            scene=self.name,
            name=self.index.names[number],
            camera=self.view(number).camera.resized(height, width),
            image=self._image(number, height, width, stored),
            mask=mask,
            **{kind: self._map(number, kind, height, width, mask) for kind in MAPS},
        )

    def _image(self, number: int, height: int, width: int, stored: np.ndarray | None) -> Tensor:
        path = self.folder / self.index.files["image"][number]
        pixels = read_image(path)
        if pixels.ndim != 3 or pixels.dtype != np.uint8:
            raise DataError(
                f"{path}: expected an 8-bit colour image, found {pixels.dtype} of shape "
                f"{pixels.shape}; convert it to an RGB png or jpg."
            )
        self._check_size(path, pixels, number, exactly=True)
        if stored is not None:
            pixels = filled(pixels, stored)
        lens = self._lens(number)
        pixels = filled(lens.removed(pixels, cv2.INTER_LINEAR), lens.covered())
        pixels = resize_colors(self._cropped(pixels), height, width)
        return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255.0

    def _mask(self, number: int, height: int, width: int, stored: np.ndarray | None) -> Tensor | None:
        lens = self._lens(number)
        mask = lens.covered()
        if stored is not None:
            # A pixel that shows something masked, be it in part, does not count.
            mask = mask & (lens.removed(stored.astype(np.float32), cv2.INTER_LINEAR) > ALL_COUNT)
        mask = self._cropped(mask)
        if not mask.any():
            place = self.index.files["mask"][number] or self.index.files["image"][number]
            raise DataError(
                f"{self.folder / place}: expected a mask that leaves some pixels, found none inside border "
                "and lens; correct it (black or transparent: leave out, anything else: use), or remove the "
                "frame."
            )
        return None if mask.all() else torch.from_numpy(shrunk(mask, height, width))

    def _map(self, number: int, kind: str, height: int, width: int, mask: Tensor | None) -> Tensor | None:
        relative = self.index.files[self.labelled_by if kind == "semantic" else kind][number]
        if not relative or (kind == "semantic" and self.labels is None):
            return None
        path = self.folder / relative
        values = read_depth(path, self.index.depth_unit) if kind == "depth" else read_ids(path, kind)
        values = self._fitted(number, path, values, UNKNOWN[kind], height, width)
        if kind == "semantic":
            values = self.labels.to_classes(values, str(path))
        elif kind == "instance":
            values = values.astype(np.int64)
            values[values == self.index.instance_ignore] = IGNORE
        if mask is not None:
            values[~mask.numpy()] = UNKNOWN[kind]
        return torch.from_numpy(values)

    def _stored_camera(self, number: int) -> Camera:
        lens = self._lens(number)
        intrinsics = torch.from_numpy(lens.pinhole.copy()).float()
        return Camera(intrinsics, self.poses[number], lens.height, lens.width)

    def _lens(self, number: int) -> Lens:
        index = self.index
        return Lens(index.intrinsics[number], index.distortion[number], *index.sizes[number].tolist())

    def _stored_mask(self, number: int) -> np.ndarray | None:
        """The mask on disk at the photograph's size, bool [H, W]; None where there is none."""
        relative = self.index.files["mask"][number]
        if not relative:
            return None
        path = self.folder / relative
        mask = read_mask(path)
        self._check_size(path, mask, number, exactly=False)
        return resize_values(mask.astype(np.uint8), *self.index.sizes[number].tolist()) > 0

    def _check_size(self, path: Path, pixels: np.ndarray, number: int, exactly: bool) -> None:
        height, width = self.index.sizes[number].tolist()
        found = pixels.shape[:2]
        if found == (height, width) or (not exactly and same_shape(found, (height, width))):
            return
        raise DataError(
            f"{path}: expected {width}x{height} pixels as its camera says, found "
            f"{pixels.shape[1]}x{pixels.shape[0]}; correct the camera's size or replace the file."
        )

    def _fitted(
        self, number: int, path: Path, pixels: np.ndarray, outside: int, height: int, width: int
    ) -> np.ndarray:
        """A map of a view as [height, width], undistorted; `outside` where the photograph shows nothing."""
        self._check_size(path, pixels, number, exactly=False)
        lens = self._lens(number)
        if self.border or lens.distorts:
            pixels = resize_values(pixels, lens.height, lens.width)
        if lens.distorts:
            # float32 holds -1 and any uint16.
            pixels = lens.removed(pixels.astype(np.float32), cv2.INTER_NEAREST, outside)
        return resize_values(self._cropped(pixels), height, width)

    def _cropped(self, pixels: np.ndarray) -> np.ndarray:
        if not self.border:
            return pixels
        return np.ascontiguousarray(pixels[self.border : -self.border, self.border : -self.border])


class Views(Sequence[View]):
    """The views of a scene, each made when it is asked for: a data set may have hundreds of thousands."""

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
