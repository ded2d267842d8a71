"""Camera paths: the cameras of the frames of a video."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gpnerf.geometry.cameras import Camera

# Frames per second where nothing states them.
FPS = 24.0


@dataclass(frozen=True)
class CameraPath:
    """The cameras of the frames of a video.

    cameras: a batch of F cameras; intrinsics [F, 3, 3] and camera_to_world [F, 4, 4] are float64, with OpenCV
    axes. fps: frames per second.
    """

    cameras: Camera
    fps: float = FPS

    @staticmethod
    def of(camera_to_world: Tensor, fov: Tensor, height: int, width: int, fps: float = FPS) -> CameraPath:
        """Makes a path of cameras with square pixels and the principal point in the centre of the image.

        camera_to_world: [F, 4, 4], OpenCV axes; fov: vertical fields of view [F] in degrees; height, width:
        pixels.
        """
        focal = 0.5 * height / torch.tan(torch.deg2rad(fov.double()) / 2)
        intrinsics = torch.diag_embed(torch.stack([focal, focal, torch.ones_like(focal)], dim=-1))
        intrinsics[:, 0, 2], intrinsics[:, 1, 2] = (width - 1) / 2, (height - 1) / 2
        return CameraPath(Camera(intrinsics, camera_to_world.double(), height, width), fps)

    def __len__(self) -> int:
        return len(self.cameras.intrinsics)

    @property
    def fov(self) -> Tensor:
        """Vertical fields of view [F] in degrees."""
        return 2 * torch.rad2deg(torch.atan(0.5 * self.cameras.height / self.cameras.intrinsics[:, 1, 1]))

    def sized(self, height: int, width: int) -> CameraPath:
        """The same path for images of another size.

        The vertical field of view and the shape of the pixels stay; a wider image shows more to the sides.
        """
        cameras = self.cameras
        ratio = height / cameras.height
        intrinsics = cameras.intrinsics.clone()
        intrinsics[:, :2] *= ratio
        # Pixel centres are at integers: the centre of an image is at half its size less half a pixel.
        for axis, (new, old) in enumerate(((width, cameras.width), (height, cameras.height))):
            intrinsics[:, axis, 2] += (new - 1) / 2 - ratio * (old - 1) / 2
        return replace(self, cameras=Camera(intrinsics, cameras.camera_to_world, height, width))
