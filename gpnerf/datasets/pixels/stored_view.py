"""Reading of one view from disk: its pixels at any size, cropped and undistorted."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from gpnerf.datasets.index.file_checks import same_shape
from gpnerf.datasets.index.scene_index import SceneIndex
from gpnerf.datasets.pixels.lens import Lens
from gpnerf.datasets.pixels.maps import read_depth, read_ids
from gpnerf.datasets.pixels.masks import ALL_COUNT, filled, shrunk
from gpnerf.media.images import read_mask, resize_colors, resize_values
from gpnerf.media.photographs import read_photograph
from gpnerf.system.errors import DataError


def pinholes_of(index: SceneIndex) -> np.ndarray:
    """Intrinsics of all photographs of an index without lens distortion: float64 [N, 3, 3]."""
    pinholes = index.intrinsics.copy()
    for number in np.flatnonzero(index.distortion.any(axis=1)):
        lens = index.intrinsics[number], index.distortion[number], *index.sizes[number].tolist()
        pinholes[number] = Lens(*lens).pinhole
    return pinholes


class StoredView:
    """The view at a position of an index. border: pixels cut off each side of the stored images.

    It keeps its mask after the first use, so a new one must be made after the file has changed.
    """

    def __init__(self, folder: Path, index: SceneIndex, number: int, border: int) -> None:
        self.folder, self.border, self.depth_unit = folder, border, index.depth_unit
        self.files = {kind: files[number] for kind, files in index.files.items() if files[number]}
        self.height, self.width = index.sizes[number].tolist()
        self.lens = Lens(index.intrinsics[number], index.distortion[number], self.height, self.width)

    def image(self, height: int, width: int) -> Tensor:
        """Reads the photograph as [3, height, width] in [0, 1]; masked pixels are filled from nearby."""
        stored, pixels = self._stored_mask, self.photograph()
        if stored is not None:
            pixels = filled(pixels, stored)
        pixels = filled(self.lens.removed(pixels, cv2.INTER_LINEAR), self.lens.covered())
        pixels = resize_colors(self._cropped(pixels), height, width)
        return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255.0

    def photograph(self) -> np.ndarray:
        """Reads the photograph as it is stored: uint8 [H, W, 3]. Raises DataError for any other image."""
        path = self.folder / self.files["image"]
        pixels = read_photograph(path)
        self._check_size(path, pixels, exactly=True)
        return pixels

    def mask(self, height: int, width: int) -> Tensor | None:
        """Reads the mask: bool [height, width], True where a pixel counts, None if all count.

        Raises DataError if no pixel counts.
        """
        stored, mask = self._stored_mask, self.lens.covered()
        if stored is not None:
            # An undistorted pixel that overlaps a masked one, even in part, does not count.
            mask = mask & (self.lens.removed(stored.astype(np.float32), cv2.INTER_LINEAR) > ALL_COUNT)
        mask = self._cropped(mask)
        if not mask.any():
            raise DataError(
                f"{self.folder / self.files.get('mask', self.files['image'])}: expected a mask that leaves "
                "some pixels, found none within the border and the undistorted image; correct it (black or "
                "transparent: leave out, anything else: use), or remove the frame."
            )
        return None if mask.all() else torch.from_numpy(shrunk(mask, height, width))

    def values(self, path: Path, kind: str, outside: int, height: int, width: int) -> np.ndarray:
        """Reads a map as [height, width]: depth in metres, or raw ids; `outside` where it shows nothing.

        kind: "depth", "semantic" or "instance". Raw ids are float32 if the lens distorts, else as stored.
        """
        values = read_depth(path, self.depth_unit) if kind == "depth" else read_ids(path, kind)
        self._check_size(path, values, exactly=False)
        if self.border or self.lens.distorts:
            values = resize_values(values, self.height, self.width)
        if self.lens.distorts:
            # `outside` may be -1, which uint16 cannot hold; float32 holds it and any uint16 exactly.
            values = self.lens.removed(values.astype(np.float32), cv2.INTER_NEAREST, outside)
        return resize_values(self._cropped(values), height, width)

    @cached_property
    def _stored_mask(self) -> np.ndarray | None:
        """The mask on disk, resized to the photograph's size, bool [H, W]; None if there is none."""
        if "mask" not in self.files:
            return None
        path = self.folder / self.files["mask"]
        mask = read_mask(path)
        self._check_size(path, mask, exactly=False)
        return resize_values(mask.astype(np.uint8), self.height, self.width) > 0

    def _check_size(self, path: Path, pixels: np.ndarray, exactly: bool) -> None:
        expected, found = (self.height, self.width), pixels.shape[:2]
        if found == expected or (not exactly and same_shape(found, expected)):
            return
        raise DataError(
            f"{path}: expected {self.width}x{self.height} pixels as its camera says, found "
            f"{pixels.shape[1]}x{pixels.shape[0]}; correct the camera's size or replace the file."
        )

    def _cropped(self, pixels: np.ndarray) -> np.ndarray:
        if not self.border:
            return pixels
        return np.ascontiguousarray(pixels[self.border : -self.border, self.border : -self.border])
