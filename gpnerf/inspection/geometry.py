"""Geometry of several cameras: the path they take, the overlap of their views, and epipolar lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gpnerf.datasets.probes.warp import reproject
from gpnerf.datasets.scene import Frame
from gpnerf.geometry.cameras import Camera, pixel_grid


class PoseReport(NamedTuple):
    """Statistics of a camera path, in metres and in the order of the poses.

    largest_jump_at: the two frames around the largest jump, None for a single pose. extent: sides of the
    axis-aligned box around the camera centres. coinciding: number of poses that equal the one before.
    rigidity_error: largest entry of |R^T R - 1|, or |det R - 1| if that is larger; 0 for rotations, 2 for
    mirrored axes.
    """

    median_step: float
    largest_jump: float
    largest_jump_at: tuple[int, int] | None
    extent: tuple[float, float, float]
    coinciding: int
    rigidity_error: float


def overlap(target: Frame, sources: Sequence[Frame], assumed_depth: float) -> float:
    """Share of the target's pixels of known depth that lie inside at least one source image, hidden or not.

    assumed_depth: metres, for a target without a depth map (the geometric mean of near and far is a good
    guess). 0 for a depth map without any reading.
    """
    pixels = pixel_grid(target.camera.height, target.camera.width)
    depth = torch.full((len(pixels),), assumed_depth) if target.depth is None else target.depth.flatten()
    seen = torch.zeros(len(pixels), dtype=torch.bool)
    for source in sources:
        seen |= reproject(target.camera, source.camera, pixels, depth)[2]
    return seen.sum().item() / max(1, (depth > 0).sum().item())


def pose_report(camera_to_world: Tensor) -> PoseReport:
    """Measures the camera path of camera_to_world [N, 4, 4] in metres, N >= 1, in the order of recording."""
    poses = camera_to_world.double()
    rotations, centers = poses[:, :3, :3], poses[:, :3, 3]
    excess = (rotations.mT @ rotations - torch.eye(3, dtype=poses.dtype)).abs().amax(dim=(1, 2))
    rigidity_error = torch.maximum(excess, (torch.linalg.det(rotations) - 1.0).abs()).max()
    steps = (centers[1:] - centers[:-1]).norm(dim=1)
    jump = int(steps.argmax()) if len(steps) else None
    return PoseReport(
        median_step=steps.median().item() if len(steps) else 0.0,
        largest_jump=0.0 if jump is None else steps[jump].item(),
        largest_jump_at=None if jump is None else (jump, jump + 1),
        extent=tuple((centers.amax(0) - centers.amin(0)).tolist()),
        coinciding=int((poses[1:] == poses[:-1]).all(dim=(1, 2)).sum()),
        rigidity_error=rigidity_error.item(),
    )


def fundamental(target: Camera, source: Camera) -> Tensor:
    """Fundamental matrix F [3, 3]: x_source^T F x_target = 0 for homogeneous pixels of the same point.

    It is zero if both cameras have the same centre.
    """
    to_source = torch.linalg.inv(source.camera_to_world[:3, :3].double())
    rotation = to_source @ target.camera_to_world[:3, :3].double()
    translation = to_source @ (target.center.double() - source.center.double())
    essential = torch.linalg.cross(translation[:, None].expand(3, 3), rotation, dim=0)
    inverse_intrinsics = [torch.linalg.inv(camera.intrinsics.double()) for camera in (source, target)]
    return (inverse_intrinsics[0].T @ essential @ inverse_intrinsics[1]).float()


def epipolar_lines(target: Camera, source: Camera, pixels: Tensor) -> Tensor:
    """Epipolar lines [N, 3] in the source image of target pixels [N, 2] (column, row).

    a * column + b * row + c is the signed distance of a pixel from the line (a, b, c). Lines are zero where
    there is none: at the epipole, and for cameras with the same centre.
    """
    homogeneous = torch.cat([pixels.float(), torch.ones(len(pixels), 1)], dim=1)
    lines = homogeneous @ fundamental(target, source).T
    length = lines[:, :2].norm(dim=1, keepdim=True)
    return torch.where(length > 0, lines / length, torch.zeros_like(lines))
