"""Where somebody looks from, and the way between the world of a scene and that of the page."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from gpnerf.geometry.camera_path import CameraPath
from gpnerf.geometry.cameras import Camera

# Browsers compute in float32 and expect scenes of a few metres: the far end of every scene lies here.
FAR_ON_PAGE = 10.0
# Poses are the same up to the rounding of a browser.
ROUNDING = 1e-5


@dataclass(frozen=True, eq=False)
class Viewpoint:
    """A pinhole camera of any number of pixels.

    camera_to_world: [4, 4] float64, OpenCV axes, units of the scene. fov: vertical, degrees. aspect: width
    over height.
    """

    camera_to_world: Tensor
    fov: float
    aspect: float

    @staticmethod
    def of(camera: Camera) -> Viewpoint:
        """The viewpoint of one camera with square pixels, its principal point moved to the centre."""
        path = CameraPath(replace(camera, intrinsics=camera.intrinsics[None].double()))
        return Viewpoint(camera.camera_to_world.double(), path.fov.item(), camera.width / camera.height)

    def same_as(self, other: Viewpoint | None) -> bool:
        """Whether both show the same."""
        return other is not None and np.allclose(self._numbers(), other._numbers(), rtol=0.0, atol=ROUNDING)

    def camera(self, pixels: int, shortest: int = 1) -> Camera:
        """A camera with square pixels, about so many of them, and sides of at least `shortest` pixels."""
        height, width = size_of(self.aspect, pixels, shortest)
        fov = torch.tensor([self.fov], dtype=torch.float64)
        camera = CameraPath.of(self.camera_to_world[None], fov, height, width).cameras[0]
        return replace(camera, intrinsics=camera.intrinsics.float())

    def _numbers(self) -> np.ndarray:
        return np.append(self.camera_to_world.numpy(), (self.fov, self.aspect))


def size_of(aspect: float, pixels: int, shortest: int = 1) -> tuple[int, int]:
    """Height and width of about so many square pixels in a shape, with sides of at least `shortest`."""
    height, width = round(math.sqrt(pixels / aspect)), round(math.sqrt(pixels * aspect))
    return max(shortest, height), max(shortest, width)


@dataclass(frozen=True)
class PageWorld:
    """The world of the page: that of the scene, moved by -center [3] and then scaled."""

    center: np.ndarray
    scale: float

    @staticmethod
    def around(poses: Tensor, far: float) -> PageWorld:
        """The world whose origin is the mean of the cameras [N, 4, 4]; far: largest z-depth of the scene."""
        return PageWorld(poses[:, :3, 3].double().mean(0).numpy(), FAR_ON_PAGE / far)

    def to_page(self, camera_to_world: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """A pose [4, 4] as quaternion (w, x, y, z) and position [3]."""
        pose = camera_to_world.double().numpy()
        quaternion = np.roll(Rotation.from_matrix(pose[:3, :3]).as_quat(), 1)
        return quaternion, (pose[:3, 3] - self.center) * self.scale

    def to_scene(self, quaternion: np.ndarray, position: np.ndarray) -> Tensor:
        """The pose [4, 4] float64 of a quaternion (w, x, y, z) and a position [3] on the page."""
        pose = np.eye(4)
        pose[:3, :3] = Rotation.from_quat(np.roll(quaternion, -1)).as_matrix()
        pose[:3, 3] = np.asarray(position) / self.scale + self.center
        return torch.from_numpy(pose)
