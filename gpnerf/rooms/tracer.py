"""Traces the rays of a camera to the first solid that each hits: exact, with several samples per pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpnerf.geometry.cameras import Camera
from gpnerf.rooms.layout import CLASS_NAMES, Room
from gpnerf.rooms.lighting import Lighting
from gpnerf.rooms.solids import Solid

# Offsets of the samples in pixels: 0 is the pixel centre (depth and labels), 1..4 give the colour.
OFFSETS = np.array([[0.0, 0.0], [-0.25, -0.25], [0.25, -0.25], [-0.25, 0.25], [0.25, 0.25]])
SHELL_FACES = 6
SHELL_CLASSES = ("wall", "wall", "wall", "wall", "floor", "ceiling")
# Depth in metres at which edges are cut, since points behind the camera have no pixel.
NEAR = 0.02
# Pairs of neighbouring entries of solids.CORNERS.
EDGES = np.array([(i, i | bit) for i in range(8) for bit in (1, 2, 4) if not i & bit])


@dataclass(frozen=True)
class Picture:
    """color uint8 [H, W, 3]; depth uint16 millimetres along z, semantic uint8, instance uint16 [H, W]."""

    color: np.ndarray
    depth: np.ndarray
    semantic: np.ndarray
    instance: np.ndarray


class Tracer:
    """Draws one room. Surfaces are numbered: 0..5 the faces of the shell, then all solids in order."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.solids: list[Solid] = [solid for item in room.items for solid in item.solids]
        self.corners = np.array([solid.corners for solid in self.solids]).reshape(-1, 8, 3)
        counts = [len(item.solids) for item in room.items]
        names = [*SHELL_CLASSES, *np.repeat([item.name for item in room.items], counts)]
        self.semantic = np.array([CLASS_NAMES.index(name) for name in names], dtype=np.uint8)
        items = np.repeat(np.arange(len(room.items)), counts) + SHELL_FACES
        self.instance = (np.concatenate([np.arange(SHELL_FACES), items]) + 1).astype(np.uint16)
        self.lighting = Lighting(room, self.solids)

    def draw(self, camera: Camera) -> Picture:
        """Draws one view of the room."""
        rays = Rays(camera)
        depth, surface = self.trace(rays)
        points = rays.directions()[:, 1:] * depth[1:] + rays.origin.astype(np.float32)[:, None, None, None]
        color = self.lighting.shade(
            points.reshape(3, len(points[0]), -1), surface[1:].reshape(len(points[0]), -1)
        )
        color = color.mean(1).T.reshape(camera.height, camera.width, 3)
        return Picture(
            (color * 255.0 + 0.5).astype(np.uint8),
            (depth[0] * 1000.0 + 0.5).astype(np.uint16),
            self.semantic[surface[0]],
            self.instance[surface[0]],
        )

    def trace(self, rays: Rays) -> tuple[np.ndarray, np.ndarray]:
        """Depth float32 and surface number int32 of the first hit: [5, H, W] each."""
        depth, surface = self._shell(rays)
        for index, (top, bottom, left, right) in enumerate(rays.rectangles(self.corners)):
            if top >= bottom or left >= right:
                continue
            solid, part = self.solids[index], np.s_[:, top:bottom, left:right]
            begin = solid.entry(
                solid.to_local @ (rays.origin - solid.center),
                rays.local(solid.to_local, top, bottom, left, right),
            )
            closer = begin < depth[part]
            depth[part][closer] = begin[closer]
            surface[part][closer] = index + SHELL_FACES
        return depth, surface

    def _shell(self, rays: Rays) -> tuple[np.ndarray, np.ndarray]:
        """Depth and surface number where rays leave the empty room: [5, H, W] each."""
        depth, surface = None, None
        for axis, along in enumerate(rays.directions()):
            ahead = along > 0.0
            wall = np.where(ahead, self.room.size[axis], 0.0).astype(np.float32)
            distance = (wall - np.float32(rays.origin[axis])) / np.where(np.abs(along) < 1e-9, 1e-9, along)
            face = (2 * axis + ahead).astype(np.int32)
            if depth is None:
                depth, surface = np.abs(distance), face
                continue
            closer = np.abs(distance) < depth
            depth = np.where(closer, np.abs(distance), depth)
            surface = np.where(closer, face, surface)
        return depth, surface


class Rays:
    """Sample rays of a camera. Each component of a direction is linear in the pixel's column x and row y."""

    def __init__(self, camera: Camera) -> None:
        self.height, self.width = camera.height, camera.width
        self.intrinsics = camera.intrinsics.double().numpy()
        pose = camera.camera_to_world.double().numpy()
        self.origin, self.rotation = pose[:3, 3], pose[:3, :3]
        self.x = (np.arange(self.width) + OFFSETS[:, :1])[:, None, :]
        self.y = (np.arange(self.height) + OFFSETS[:, 1:])[:, :, None]

    def local(self, turn: np.ndarray, top: int, bottom: int, left: int, right: int) -> tuple:
        """Directions of a rectangle of pixels after `turn` [3, 3]: three float32 [5, rows, columns]."""
        matrix = turn @ self.rotation @ np.linalg.inv(self.intrinsics)
        x, y = self.x[:, :, left:right], self.y[:, top:bottom]
        return tuple(
            (row[0] * x + row[2]).astype(np.float32) + (row[1] * y).astype(np.float32) for row in matrix
        )

    def directions(self) -> np.ndarray:
        """World directions with z = 1 in the camera: [3, 5, H, W]."""
        return np.stack(self.local(np.eye(3), 0, self.height, 0, self.width))

    def rectangles(self, corners: np.ndarray) -> np.ndarray:
        """Pixels that boxes of corners [S, 8, 3] can cover: [S, 4] top, bottom, left, right, end excluded."""
        points = (corners - self.origin) @ self.rotation
        start, end = points[:, EDGES[:, 0]], points[:, EDGES[:, 1]]
        rise = end[..., 2] - start[..., 2]
        share = (NEAR - start[..., 2]) / np.where(rise == 0.0, 1.0, rise)
        cuts = start + share[..., None] * (end - start)
        cuts[..., 2] = np.where((share > 0.0) & (share < 1.0), NEAR, -1.0)
        points = np.concatenate([points, cuts], axis=1)
        image = points @ self.intrinsics.T
        seen = points[..., 2:] >= NEAR * 0.999
        pixels = image[..., :2] / np.where(seen, image[..., 2:], 1.0)
        # Samples are up to 0.25 pixels off the pixel centre.
        low = np.where(seen, pixels, np.inf).min(1) - 0.3
        high = np.where(seen, pixels, -np.inf).max(1) + 0.3
        size = np.array([self.width, self.height])
        first = np.clip(np.ceil(low), 0, size).astype(int)
        last = np.clip(np.floor(high) + 1, 0, size).astype(int)
        return np.column_stack([first[:, 1], last[:, 1], first[:, 0], last[:, 0]])
