"""Photographs from inside a box whose walls are covered with blobs, as features need them."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from gpnerf.geometry.cameras import Camera, pixel_grid

HEIGHT, WIDTH, FOCAL = 240, 320, 240.0
# Half the sides of the box along x, y and z, and the side of a blob, in metres.
HALF, BLOB = (3.0, 1.5, 3.0), 0.1


def pose_on_walk(step: int) -> Tensor:
    """Camera-to-world [4, 4], OpenCV axes, of a walk that turns, goes sideways, up and down, to and fro."""
    turn = 0.08 * step
    pose = torch.eye(4)
    pose[:3, 0] = torch.tensor([math.cos(turn), 0.0, -math.sin(turn)])
    pose[:3, 2] = torch.tensor([math.sin(turn), 0.0, math.cos(turn)])
    pose[:3, 3] = torch.tensor([-0.15 * step, 0.3 * (-1) ** step, 0.3 * (step % 3)])
    return pose


def box_photograph(pose: Tensor, seed: int = 0) -> np.ndarray:
    """What a camera sees of the walls: uint8 [H, W, 3]; another seed is another box."""
    camera = Camera.from_focal(FOCAL, FOCAL, (WIDTH - 1) / 2, (HEIGHT - 1) / 2, pose, HEIGHT, WIDTH)
    origins, directions = camera.rays(pixel_grid(HEIGHT, WIDTH))
    half = torch.tensor(HALF)
    along = ((half * directions.sign() - origins) / directions).min(dim=-1).values
    places = (origins + along[:, None] * directions) / half
    cells = [round(2.0 * side / BLOB) for side in reversed(HALF)]
    random = torch.rand(1, 3, *cells, generator=torch.Generator().manual_seed(seed))
    blobs = torch.nn.functional.grid_sample(random, places[None, None, None], align_corners=True)
    return (blobs.reshape(3, HEIGHT, WIDTH) * 255).round().byte().permute(1, 2, 0).numpy()
