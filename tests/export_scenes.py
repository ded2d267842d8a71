"""Exact views of simple surfaces, for the tests of exports."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gpnerf.export.sight import Surfaces
from gpnerf.geometry.cameras import Camera, pixel_grid
from gpnerf.rendering.view import RenderedView

HEIGHT, WIDTH = 48, 64


def looking(eye: Sequence[float], target: Sequence[float] = (0.0, 0.0, 0.0)) -> Camera:
    """A camera at `eye` that looks at `target`, with y down."""
    eye, target = torch.tensor(eye), torch.tensor(target)
    forward = torch.nn.functional.normalize(target - eye, dim=0)
    right = torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0]), forward)
    right = torch.nn.functional.normalize(right, dim=0)
    pose = torch.eye(4)
    pose[:3, :3] = torch.stack([right, torch.linalg.cross(forward, right), forward], dim=1)
    pose[:3, 3] = eye
    return Camera.from_focal(WIDTH, WIDTH, (WIDTH - 1) / 2, (HEIGHT - 1) / 2, pose, HEIGHT, WIDTH)


def sphere_depth(origins: Tensor, directions: Tensor) -> Tensor:
    """Depths [R] at which rays meet the unit sphere, 0 where they miss it."""
    square, half = (directions**2).sum(-1), (origins * directions).sum(-1)
    inside = half**2 - square * ((origins**2).sum(-1) - 1.0)
    return torch.where(inside > 0, (-half - inside.clamp(min=0.0).sqrt()) / square, 0.0)


def wall_depth(origins: Tensor, directions: Tensor) -> Tensor:
    """Depths [R] at which rays meet the plane z = 0."""
    return -origins[:, 2] / directions[:, 2]


def depth_of(camera: Camera, meet: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The depth map [H, W] of a camera."""
    return meet(*camera.rays(pixel_grid(camera.height, camera.width))).reshape(camera.height, camera.width)


def surfaces(camera: Camera, meet: Callable[[Tensor, Tensor], Tensor]) -> Surfaces:
    depth = depth_of(camera, meet)
    return Surfaces(camera, depth, torch.ones_like(depth))


def rendered(camera: Camera, meet: Callable[[Tensor, Tensor], Tensor], classes: int = 3) -> RenderedView:
    """A rendered view, left to right in `classes` classes (0: none), as sure as can be of its depth."""
    depth = depth_of(camera, meet)
    columns = torch.arange(camera.width).expand(camera.height, camera.width)
    color = torch.stack([columns / camera.width, torch.full(depth.shape, 0.5), torch.ones(depth.shape)])
    labels = None if not classes else columns * classes // camera.width
    return RenderedView(
        color=color,
        depth=depth,
        features=None if not classes else torch.arange(24.0).reshape(4, 2, 3),
        labels=labels,
        confidence=None if not classes else torch.full(depth.shape, 0.75),
        surface=depth,
        spread=torch.zeros(depth.shape),
    )
