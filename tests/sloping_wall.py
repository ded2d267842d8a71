"""A scene before a sloping wall, whose photographs, depth and classes follow from the place on the wall."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from helpers import load_folder
from torch import Tensor

from gpnerf.datasets.scene import Scene
from gpnerf.geometry.cameras import Camera, pixel_grid

HEIGHT, WIDTH, FRAMES = 96, 128, 8
FOCAL, CENTER = 80.0, (60.0, 50.0)


def on_slope(camera: Camera) -> Tensor:
    """The points [H, W, 3] of the wall z = -2 + 0.3 x + 0.2 y that a camera sees."""
    origins, directions = camera.rays(pixel_grid(camera.height, camera.width))
    normal = torch.tensor([0.3, 0.2, -1.0])
    along = (2.0 - origins @ normal) / (directions @ normal)
    return (origins + along[:, None] * directions).reshape(camera.height, camera.width, 3)


def colors_at(points: Tensor) -> Tensor:
    """Colours [3, H, W] of places [H, W, 3] on the wall, which change evenly along x and y."""
    return torch.stack([0.5 + 0.2 * points[..., 0], 0.5 + 0.2 * points[..., 1], 0.0 * points[..., 0]])


def sloping_scene(scene_writer: Callable) -> Scene:
    """8 frames of 128x96 pixels, 0.1 m apart, with depth; the wall is class 1 where x is below 0, else 0."""
    writer = scene_writer(frames=FRAMES, depth=True, semantic=True)
    writer.top |= {"fl_x": FOCAL, "cx": CENTER[0], "cy": CENTER[1], "w": WIDTH, "h": HEIGHT}
    for number, frame in enumerate(writer.top["frames"]):
        pose = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))
        pose[0, 3] = 0.1 * number
        # The file counts pixels from corners, cameras count from centres.
        center = CENTER[0] - 0.5, CENTER[1] - 0.5
        points = on_slope(Camera.from_focal(FOCAL, FOCAL, *center, pose, HEIGHT, WIDTH))
        pixels = (colors_at(points) * 255).round().byte().permute(1, 2, 0).numpy()
        writer.save(frame["file_path"], pixels)
        writer.save(frame["depth_file_path"], (-1000 * points[..., 2]).round().numpy().astype(np.uint16))
        writer.save(frame["semantic_path"], (points[..., 0] < 0.0).numpy().astype(np.uint8))
    return load_folder(writer.write())
