"""Ambient occlusion from a blurred voxel grid of the matter in a room."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from gpnerf.rooms.solids import Solid

# Side of a voxel in metres; voxels of solid matter around the room; spread of the blur in voxels.
VOXEL, BORDER, SPREAD = 0.08, 3, 2.0
# Distance in metres from a surface at which the grid is sampled, so that a plane hardly darkens itself.
OFFSET = 0.10
# Density of a plane alone at that distance (the normal distribution at -OFFSET / (SPREAD * VOXEL)).
PLANE = 0.27
STRENGTH, DARKEST = 1.35, 0.25


class Openness:
    """How freely ambient light reaches a surface: 1 on open surfaces, less in corners and near furniture."""

    def __init__(self, size: np.ndarray, solids: Sequence[Solid]) -> None:
        self.density = _blur(_matter(size, solids))

    def __call__(self, points: np.ndarray, normal: np.ndarray) -> np.ndarray:
        """Points and unit normals [3, N] -> [N] in DARKEST..1."""
        place = (points + np.float32(OFFSET) * normal) / np.float32(VOXEL) + np.float32(BORDER - 0.5)
        limit = np.array(self.density.shape)[:, None] - 2
        whole = np.clip(place.astype(np.int32), 0, limit)
        x, y, z = place - whole
        stride = np.array(self.density.strides) // self.density.itemsize
        base, flat = stride @ whole, self.density.reshape(-1)

        def edge(shift: int) -> np.ndarray:
            below = flat[base + shift]
            return below + z * (flat[base + shift + stride[2]] - below)

        near, far = edge(0), edge(stride[0])
        near += y * (edge(stride[1]) - near)
        far += y * (edge(stride[0] + stride[1]) - far)
        density = near + x * (far - near)
        return np.clip(1.0 - np.float32(STRENGTH) * (density - np.float32(PLANE)), DARKEST, 1.0)


def _matter(size: np.ndarray, solids: Sequence[Solid]) -> np.ndarray:
    """1 where a voxel's centre is in a solid or outside the room of `size` [3], else 0: float32 [X, Y, Z]."""
    count = np.ceil(size / VOXEL).astype(int) + 2 * BORDER
    centers = (np.stack(np.meshgrid(*map(np.arange, count), indexing="ij"), -1) - BORDER + 0.5) * VOXEL
    matter = ((centers < 0.0) | (centers > size)).any(-1).astype(np.float32)
    for solid in solids:
        low = np.floor(solid.corners.min(0) / VOXEL).astype(int) + BORDER
        high = np.ceil(solid.corners.max(0) / VOXEL).astype(int) + BORDER
        part = tuple(slice(max(a, 0), b) for a, b in zip(low, high, strict=True))
        matter[part][solid.contains(centers[part].reshape(-1, 3)).reshape(matter[part].shape)] = 1.0
    return matter


def _blur(matter: np.ndarray) -> np.ndarray:
    """Gaussian blur along each of the three axes."""
    for axis in range(3):
        turned = np.moveaxis(matter, axis, 0)
        flat = np.ascontiguousarray(turned).reshape(len(turned), -1)
        flat = cv2.GaussianBlur(flat, (1, 13), SPREAD, borderType=cv2.BORDER_REPLICATE)
        matter = np.moveaxis(flat.reshape(turned.shape), 0, axis)
    return np.ascontiguousarray(matter)
