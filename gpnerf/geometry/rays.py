"""Rays of one target view."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gpnerf.geometry.cameras import Camera


@dataclass(frozen=True)
class Rays:
    """R rays with the depth range of their scene.

    origins, directions [R, 3] in the world; directions are scaled so that a depth along a ray is a z-depth of
    the target camera; near, far: z-depths in metres; pose: camera_to_world of the target camera [4, 4]; unit:
    length of the canonical unit in metres, None for the usual one (see canonical.py).
    """

    origins: Tensor
    directions: Tensor
    near: float
    far: float
    pose: Tensor
    unit: float | None = None

    @staticmethod
    def through(pixels: Tensor, camera: Camera, near: float, far: float, unit: float | None = None) -> Rays:
        """Rays through pixels [R, 2] (column, row) of one camera."""
        return Rays(*camera.rays(pixels), near, far, camera.camera_to_world, unit)

    def __len__(self) -> int:
        return len(self.origins)

    def __getitem__(self, chosen: slice) -> Rays:
        return replace(self, origins=self.origins[chosen], directions=self.directions[chosen])

    def points(self, depths: Tensor) -> Tensor:
        """Points [R, S, 3] at depths [R, S]."""
        return self.origins[:, None] + depths[..., None] * self.directions[:, None]

    def around_target(self, cameras: Camera) -> tuple[Camera, Rays]:
        """Other cameras, and these rays, in a world whose origin is the target camera.

        There, differences of poses are exact, however far the scene lies from the origin of its own world.
        """
        return cameras.around(self.pose[:3, 3]), replace(self, origins=torch.zeros_like(self.origins))
