"""Pinhole cameras: the only place that knows the geometric conventions.

OpenCV axes (x right, y down, z forward). Pixel centres lie at integer coordinates: the top left pixel
is (0, 0), the bottom right one (width - 1, height - 1). Ray directions are not normalised and have
z = 1 in the camera, so a distance along a ray is a z-depth in metres.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gpnerf.system.devices import has_float64

# Axes of OpenGL / nerfstudio cameras (x right, y up, z backwards) expressed in OpenCV axes.
OPENGL_TO_OPENCV = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64))

# Keeps the quotient finite for points in or behind the image plane, as published.
SMALLEST_DEPTH = 1e-8
LARGEST_PIXEL = 1e6


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Runs geometry in float32, whatever precision the network runs in.

    Inside there are no automatic casts and no products in TF32, whose 10 bits would move a pixel by a quarter
    of its width.
    """
    allowed = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(allowed)


@dataclass(frozen=True)
class Camera:
    """One camera, or a batch of cameras of one image size.

    intrinsics: [..., 3, 3] pixels; camera_to_world: [..., 4, 4] metres; height, width: pixels. Poses may be
    float64, as they lie on disk: the difference of two poses far from the origin then stays exact. Where a
    device has no float64, they stay on the CPU; computations run where the intrinsics are.
    """

    intrinsics: Tensor
    camera_to_world: Tensor
    height: int
    width: int

    @staticmethod
    def from_focal(
        fx: float, fy: float, cx: float, cy: float, camera_to_world: Tensor, height: int, width: int
    ) -> Camera:
        """A camera from focal lengths and principal point, in pixels with integer pixel centres."""
        intrinsics = torch.tensor([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
        return Camera(intrinsics, camera_to_world, height, width)

    @staticmethod
    def stack(cameras: Sequence[Camera]) -> Camera:
        """V cameras of one image size -> one batch with a leading dimension V."""
        return Camera(
            torch.stack([camera.intrinsics for camera in cameras]),
            torch.stack([camera.camera_to_world for camera in cameras]),
            cameras[0].height,
            cameras[0].width,
        )

    @staticmethod
    def concatenate(batches: Sequence[Camera]) -> Camera:
        """Batches of cameras of one image size -> one batch."""
        return Camera(
            torch.cat([cameras.intrinsics for cameras in batches]),
            torch.cat([cameras.camera_to_world for cameras in batches]),
            batches[0].height,
            batches[0].width,
        )

    def __getitem__(self, chosen: int | Sequence[int] | Tensor) -> Camera:
        """One camera of a batch, or some as a batch."""
        both = self.intrinsics, self.camera_to_world
        if isinstance(chosen, int):
            return Camera(*(one[chosen] for one in both), self.height, self.width)
        rows = torch.as_tensor(chosen, dtype=torch.long)
        # Indexing by a list would start threads, which takes longer than copying a thousand cameras.
        found = (one.index_select(0, rows.to(one.device)) for one in both)
        return Camera(*found, self.height, self.width)

    @property
    def center(self) -> Tensor:
        """Camera centres in the world: [..., 3] metres."""
        return self.pose[..., :3, 3]

    @property
    def pose(self) -> Tensor:
        """camera_to_world in float32 where the intrinsics are: [..., 4, 4]."""
        return self.camera_to_world.to(self.intrinsics.device, torch.float32)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Camera:
        poses = device if has_float64(torch.device(device)) else "cpu"
        return replace(
            self,
            intrinsics=self.intrinsics.to(device, non_blocking=non_blocking),
            camera_to_world=self.camera_to_world.to(poses, non_blocking=non_blocking),
        )

    def around(self, center: Tensor) -> Camera:
        """The same cameras in a world that is moved so that `center` [3] is its origin.

        Poses are subtracted in float64, which keeps them exact far from the origin of the world.
        """
        poses = self.camera_to_world.double().clone()
        poses[..., :3, 3] -= center.to(poses)
        return replace(self, camera_to_world=poses.float())

    def resized(self, height: int, width: int) -> Camera:
        """The same camera after its image is resized, each axis by its own ratio.

        Resizing keeps the *edges* of the image, which lie half a pixel outside the outermost centres.
        """
        ratio = self.intrinsics.new_tensor([width / self.width, height / self.height, 1.0])
        half = self.intrinsics.new_tensor([0.5, 0.5, 0.0])
        intrinsics = self.intrinsics * ratio[:, None]
        intrinsics[..., 2] += half * (ratio - 1.0)
        return Camera(intrinsics, self.camera_to_world, height, width)

    def cropped(self, border: int) -> Camera:
        """The same camera after `border` pixels are cut off each side of its image."""
        return self.window(border, border, self.height - 2 * border, self.width - 2 * border)

    def window(self, top: int, left: int, height: int, width: int) -> Camera:
        """The same camera after its image is cut to height x width pixels, from this row and column on."""
        shift = self.intrinsics.new_zeros(3, 3)
        shift[0, 2], shift[1, 2] = left, top
        return Camera(self.intrinsics - shift, self.camera_to_world, height, width)

    def rays(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Rays of one camera through pixels [R, 2] given as (column, row).

        Returns origins [R, 3] and directions [R, 3] in the world.
        """
        homogeneous = torch.cat([pixels.float(), torch.ones_like(pixels[:, :1]).float()], dim=-1)
        with full_precision(pixels.device):
            camera_directions = homogeneous @ torch.linalg.inv(self.intrinsics).T
            directions = camera_directions @ self.pose[:3, :3].T
        return self.center.expand_as(directions), directions

    def project(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Projects world points [..., 3] into each of V cameras (Pi_i of Eq. 4).

        Returns pixels [V, ..., 2] as (column, row), clamped to +-1e6, and z-depths [V, ...].
        """
        image = self.homogeneous(points)
        depth = image[..., 2]
        pixels = image[..., :2] / depth.clamp(min=SMALLEST_DEPTH)[..., None]
        return pixels.clamp(-LARGEST_PIXEL, LARGEST_PIXEL), depth

    def homogeneous(self, points: Tensor) -> Tensor:
        """World points [..., 3] as (column, row, 1) times z-depth in each of V cameras: [V, ..., 3]."""
        flat = points.reshape(-1, 3)
        with full_precision(points.device):
            world_to_image = self.intrinsics @ torch.linalg.inv(self.pose)[:, :3]
            image = torch.einsum("vij,nj->vni", world_to_image[..., :3], flat)
            image = image + world_to_image[:, None, :, 3]
        return image.reshape(len(self.intrinsics), *points.shape)


def pixel_grid(height: int, width: int, stride: int = 1) -> Tensor:
    """Pixels (column, row) [N, 2], row by row, every `stride`-th in both directions."""
    rows, columns = torch.meshgrid(
        torch.arange(0, height, stride), torch.arange(0, width, stride), indexing="ij"
    )
    return torch.stack([columns, rows], dim=-1).reshape(-1, 2)
