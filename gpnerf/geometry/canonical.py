"""Canonical coordinates: the frame of the target camera, in units of the scene's depth range.

What is computed from them does not change when the world is moved, turned or scaled. The unit belongs to the
scene and not to the view, so that the frames of a video do not flicker.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from gpnerf.geometry.cameras import Camera
from gpnerf.geometry.rays import Rays

COORDINATES = CAMERA, WORLD = ("camera", "world")
# Depth of the far plane in canonical units: about that of a room in metres, for which the frequencies of the
# positional encoding are chosen.
FAR = 5.0


def unit_of(rays: Rays) -> float:
    """The length of the canonical unit in the units of the world."""
    return rays.unit or rays.far / FAR


def canonical(cameras: Camera, rays: Rays) -> tuple[Camera, Rays]:
    """Expresses the cameras of V source views and the rays of a target camera in canonical coordinates.

    Depths along the rays are then z-depths in canonical units. Poses are subtracted in float64, which keeps
    them exact far from the origin of the world.
    """
    unit, device = unit_of(rays), rays.directions.device
    pose, poses = rays.pose.double(), cameras.camera_to_world.double()
    rotation = pose[:3, :3]
    relative = torch.zeros_like(poses)
    relative[..., :3, :3] = rotation.T @ poses[..., :3, :3]
    relative[..., :3, 3] = (poses[..., :3, 3] - pose[:3, 3]) @ rotation / unit
    relative[..., 3, 3] = 1.0
    return (
        replace(cameras, camera_to_world=relative.float().to(device)),
        Rays(
            torch.zeros_like(rays.origins),
            (rays.directions.to(rotation) @ rotation).float().to(device),
            rays.near / unit,
            rays.far / unit,
            torch.eye(4, device=device),
        ),
    )
