"""Camera path through a room: an oval loop at eye height, with the gaze across it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Metres between consecutive views.
STEP = 0.29


@dataclass(frozen=True, eq=False)
class Loop:
    """An ellipse on the floor plan. center, axes: [2] metres; phase: where the walk begins (radians)."""

    center: np.ndarray
    axes: np.ndarray
    phase: float
    clockwise: bool
    eye: float
    # Radians from the direction to the centre to the gaze; positive looks back along the walk.
    gaze_angle: float

    @staticmethod
    def within(rng: np.random.Generator, size: np.ndarray) -> Loop:
        """A loop in a room of `size` [3] metres that leaves about a metre along the walls for furniture."""
        axes = np.clip(size[:2] / 2 - rng.uniform(1.3, 1.5, 2), (1.02, 0.92), (1.45, 1.2))
        spare = np.maximum(size[:2] / 2 - axes - 1.0, 0.0)
        center = size[:2] / 2 + rng.uniform(-1.0, 1.0, 2) * spare
        return Loop(
            center,
            axes,
            rng.uniform(0, 2 * np.pi),
            rng.uniform() < 0.5,
            rng.uniform(1.45, 1.65),
            rng.uniform(-0.25, 0.35),
        )

    def outline(self, count: int) -> np.ndarray:
        """Points on the ellipse, evenly by angle: [count, 2]."""
        return self._point(np.linspace(0.0, 2 * np.pi, count, endpoint=False))

    def positions(self, count: int) -> np.ndarray:
        """Positions STEP metres apart along the ellipse, in as many turns as needed: [count, 2]."""
        fine = np.linspace(0.0, 2 * np.pi, 721)
        points = self._point(fine)
        traveled = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
        angle = np.interp(np.arange(count) * STEP % traveled[-1], traveled, fine)
        return self._point(angle)

    def poses(self, count: int) -> np.ndarray:
        """OpenCV camera-to-world matrices [count, 4, 4]: looking across the loop, slightly down."""
        position, index = self.positions(count), np.arange(count)
        across = self.center - position
        heading = np.arctan2(across[:, 1], across[:, 0]) + self.gaze_angle * (-1) ** self.clockwise
        heading = heading + 0.10 * np.sin(2 * np.pi * index / 17.0 + self.phase)
        tilt = 0.20 + 0.06 * np.sin(2 * np.pi * index / 11.0 + 2 * self.phase)
        height = self.eye + 0.06 * np.sin(2 * np.pi * index / 13.0 + self.phase)
        return look(np.column_stack([position, height]), heading, tilt)

    def _point(self, angle: np.ndarray) -> np.ndarray:
        angle = self.phase + (-angle if self.clockwise else angle)
        return self.center + self.axes * np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def look(position: np.ndarray, heading: np.ndarray, tilt: np.ndarray) -> np.ndarray:
    """Cameras at position [N, 3] towards `heading` (radians from +x), `tilt` radians down: [N, 4, 4]."""
    forward = np.stack(
        [np.cos(heading) * np.cos(tilt), np.sin(heading) * np.cos(tilt), -np.sin(tilt)], axis=-1
    )
    right = np.stack([np.sin(heading), -np.cos(heading), np.zeros_like(heading)], axis=-1)
    down = np.cross(forward, right)
    poses = np.tile(np.eye(4), (len(position), 1, 1))
    poses[:, :3] = np.stack([right, down, forward, position], axis=-1)
    return poses
