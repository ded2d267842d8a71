"""Scene and View: what every data set is turned into, and the one place that reads its images.

A loader (transforms.py, replica.py, scannet.py) knows paths, file formats and cameras, and returns a
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

from gpnerf.cameras import Camera
from gpnerf.datasets.index import MAPS, SceneIndex, same_shape
from gpnerf.datasets.labels import IGNORE, LabelSpace
from gpnerf.datasets.maps import read_depth, read_ids
from gpnerf.errors import DataError
from gpnerf.images import read_image, resize_colors, resize_values

# OpenCV takes the first 4, 5 or 8 coefficients.
DISTORTION_LENGTHS = (4, 5, 8)


@dataclass(frozen=True)
class View:
    """One posed photograph on disk; optional maps are None where the data set has none.

    camera: of the image without its border.
    """

    name: str
    image: Path
    camera: Camera
    depth: Path | None = None
    semantic: Path | None = None
    instance: Path | None = None
    # OpenCV lens distortion (k1, k2, p1, p2, k3, ...); read() removes it.
    distortion: tuple[float, ...] = ()


@dataclass(frozen=True)
class Frame:
    """A view in memory: image [3, H, W] in [0, 1]; depth [H, W] z in metres, 0 = unknown;
    semantic and instance [H, W] int64, IGNORE = -1 where unlabelled."""

    scene: str
    name: str
    camera: Camera
    image: Tensor
    depth: Tensor | None = None
    semantic: Tensor | None = None
    instance: Tensor | None = None

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Frame:
        tensors = ("image", "depth", "semantic", "instance")
        moved = {key: getattr(self, key) for key in tensors if getattr(self, key) is not None}
        moved = {key: value.to(device, non_blocking=non_blocking) for key, value in moved.items()}
        return replace(self, camera=self.camera.to(device, non_blocking), **moved)


@dataclass(frozen=True)
class Scene:
    """Posed views of one place.

    near, far: z-depth range of its content in metres. labels: None where the scene is not labelled;
    labelled_by: the kind of files they are read from, "instance" where objects take the place of classes.
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
        files = {kind: self.folder / index.files[kind][number] for kind in MAPS if index.files[kind][number]}
        return View(
            name=index.names[number],
            image=self.folder / index.files["image"][number],
            camera=self._stored_camera(number).cropped(self.border),
            distortion=_coefficients(index.distortion[number]),
            **files,
        )

    def read_image(self, number: int, height: int, width: int) -> Tensor:
        """The photograph of one view as [3, height, width] in [0, 1], lens distortion removed."""
        path = self.folder / self.index.files["image"][number]
        pixels = read_image(path)
        if pixels.ndim != 3 or pixels.dtype != np.uint8:
            raise DataError(
                f"{path}: expected an 8-bit colour image, found {pixels.dtype} of shape "
                f"{pixels.shape}; convert it to an RGB png or jpg."
            )
        self._check_size(path, pixels, number, exactly=True)
        pixels = self._cropped(self._undistort(number, pixels, cv2.INTER_LINEAR))
        return torch.from_numpy(resize_colors(pixels, height, width)).permute(2, 0, 1).float() / 255.0

    def read_map(self, number: int, kind: str, height: int, width: int) -> Tensor | None:
        """One map of a view as [height, width], None where it has none; `kind` as in Frame.

        "depth": float32 z in metres, 0 = unknown; "semantic" and "instance": int64, IGNORE where unlabelled.
        """
        relative = self.index.files[self.labelled_by if kind == "semantic" else kind][number]
        if not relative or (kind == "semantic" and self.labels is None):
            return None
        path = self.folder / relative
        if kind == "depth":
            depth = read_depth(path, self.index.depth_unit)
            return torch.from_numpy(self._fitted(number, path, depth, 0, height, width))
        # Pixels from outside the photograph must not become class 0.
        ids = self._fitted(number, path, read_ids(path, kind), IGNORE, height, width)
        if kind == "semantic":
            return torch.from_numpy(self.labels.to_classes(ids, str(path)))
        ids = ids.astype(np.int64)
        ids[ids == self.index.instance_ignore] = IGNORE
        return torch.from_numpy(ids)

    def read(self, number: int, height: int, width: int) -> Frame:
        """One view with all its maps at the size asked for."""
        return Frame(
            scene=self.name,
            name=self.index.names[number],
            camera=self.view(number).camera.resized(height, width),
            image=self.read_image(number, height, width),
            **{kind: self.read_map(number, kind, height, width) for kind in MAPS},
        )

    def _stored_camera(self, number: int) -> Camera:
        height, width = self.index.sizes[number].tolist()
        intrinsics = torch.from_numpy(self.index.intrinsics[number]).float()
        return Camera(intrinsics, self.poses[number], height, width)

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
        if self.border or self.index.distortion[number].any():
            pixels = resize_values(pixels, *self.index.sizes[number].tolist())
            pixels = self._undistort(number, pixels, cv2.INTER_NEAREST, outside)
        return resize_values(self._cropped(pixels), height, width)

    def _cropped(self, pixels: np.ndarray) -> np.ndarray:
        if not self.border:
            return pixels
        return np.ascontiguousarray(pixels[self.border : -self.border, self.border : -self.border])

    def _undistort(self, number: int, pixels: np.ndarray, interpolation: int, outside: int = 0) -> np.ndarray:
        coefficients = _coefficients(self.index.distortion[number])
        if not coefficients:
            return pixels
        if interpolation == cv2.INTER_NEAREST:
            # Holds -1 and any uint16.
            pixels = pixels.astype(np.float32)
        intrinsics = self.index.intrinsics[number]
        columns, rows = cv2.initUndistortRectifyMap(
            intrinsics, np.array(coefficients), None, intrinsics, pixels.shape[1::-1], cv2.CV_32FC1
        )
        return cv2.remap(pixels, columns, rows, interpolation, borderValue=outside)


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


def _coefficients(stored: np.ndarray) -> tuple[float, ...]:
    """Eight distortion coefficients -> as few as OpenCV accepts; () for none."""
    used = int(np.flatnonzero(stored).max(initial=-1)) + 1
    if not used:
        return ()
    return tuple(stored[: next(length for length in DISTORTION_LENGTHS if length >= used)].tolist())
