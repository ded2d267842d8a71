"""Scene and View: what every data set is turned into, and the one place that reads its images.

A loader (rooms.py, transforms.py, ...) knows paths, file formats and cameras, and returns a `Scene`.
Reading, resizing and label mapping are shared by all of them and live here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from gpnerf.cameras import Camera
from gpnerf.datasets.labels import IGNORE, LabelSpace
from gpnerf.errors import DataError
from gpnerf.images import read_image, resize_colors, resize_values


@dataclass(frozen=True)
class View:
    """One posed photograph on disk; optional maps are None where the data set has none."""

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
    """Posed views of one place. near, far: z-depth range of its content in metres."""

    name: str
    views: tuple[View, ...]
    near: float
    far: float
    labels: LabelSpace | None = None
    # Metres per stored unit of the depth files.
    depth_unit: float = 0.001

    @property
    def has_depth(self) -> bool:
        return all(view.depth is not None for view in self.views)

    @property
    def has_semantic(self) -> bool:
        return self.labels is not None and all(view.semantic is not None for view in self.views)

    @cached_property
    def poses(self) -> Tensor:
        """Camera-to-world of every view [N, 4, 4] in metres."""
        return torch.stack([view.camera.camera_to_world for view in self.views])

    @property
    def centers(self) -> Tensor:
        """Camera centres [N, 3] in metres."""
        return self.poses[:, :3, 3]

    def read_image(self, index: int, height: int, width: int) -> Tensor:
        """The photograph of one view as [3, height, width] in [0, 1], lens distortion removed."""
        view = self.views[index]
        pixels = self._read(view, view.image)
        if pixels.ndim != 3 or pixels.dtype != np.uint8:
            raise DataError(
                f"{view.image}: expected an 8-bit colour image, found {pixels.dtype} of shape "
                f"{pixels.shape}; convert it to an RGB png or jpg."
            )
        pixels = resize_colors(self._undistort(view, pixels, cv2.INTER_LINEAR), height, width)
        return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255.0

    def read(self, index: int, height: int, width: int) -> Frame:
        """One view with all its maps at the size asked for."""
        view = self.views[index]
        depth = self._read_values(view, view.depth, 0, height, width)
        semantic = self._read_values(view, view.semantic, IGNORE, height, width) if self.labels else None
        instance = self._read_values(view, view.instance, IGNORE, height, width)
        return Frame(
            scene=self.name,
            name=view.name,
            camera=view.camera.resized(height, width),
            image=self.read_image(index, height, width),
            depth=None if depth is None else torch.from_numpy(depth.astype(np.float32) * self.depth_unit),
            semantic=None
            if semantic is None
            else torch.from_numpy(self.labels.to_classes(semantic, str(view.semantic))),
            instance=None if instance is None else torch.from_numpy(instance.astype(np.int64)),
        )

    def _read(self, view: View, path: Path) -> np.ndarray:
        pixels = read_image(path)
        if pixels.shape[:2] != (view.camera.height, view.camera.width):
            raise DataError(
                f"{path}: expected {view.camera.width}x{view.camera.height} pixels as its camera says, found "
                f"{pixels.shape[1]}x{pixels.shape[0]}; correct the camera's size or replace the file."
            )
        return pixels

    def _read_values(
        self, view: View, path: Path | None, outside: int, height: int, width: int
    ) -> np.ndarray | None:
        if path is None:
            return None
        pixels = self._read(view, path)
        if pixels.ndim != 2:
            raise DataError(
                f"{path}: expected one channel, found {pixels.shape[2]}; save the values, not their colours."
            )
        if view.distortion:
            # Pixels from outside the photograph must not become class 0; float32 holds -1 and any uint16.
            pixels = self._undistort(view, pixels.astype(np.float32), cv2.INTER_NEAREST, outside)
        return resize_values(pixels, height, width)

    def _undistort(self, view: View, pixels: np.ndarray, interpolation: int, outside: int = 0) -> np.ndarray:
        if not view.distortion:
            return pixels
        intrinsics = view.camera.intrinsics.double().numpy()
        columns, rows = cv2.initUndistortRectifyMap(
            intrinsics, np.array(view.distortion), None, intrinsics, pixels.shape[1::-1], cv2.CV_32FC1
        )
        return cv2.remap(pixels, columns, rows, interpolation, borderValue=outside)
