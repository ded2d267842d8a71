"""Seed -> the photographs of a room, with depth, classes and instances, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from gpnerf.geometry.cameras import Camera
from gpnerf.rooms.layout import make_room
from gpnerf.rooms.tracer import Picture, Tracer

# Raise it whenever the same seed gives other pictures or other files.
VERSION = 6
FIELD_OF_VIEW = 80.0  # degrees, horizontal


class Shoot(NamedTuple):
    """How a room is photographed. height, width: pixels; field_of_view: horizontal, degrees."""

    height: int
    width: int
    num_views: int
    field_of_view: float = FIELD_OF_VIEW


class Job(NamedTuple):
    """One room to make; picklable."""

    folder: Path
    seed: int
    shoot: Shoot


def names(seeds: Iterable[int]) -> tuple[str, ...]:
    """Scene names such as room_0007."""
    return tuple(f"room_{seed:04d}" for seed in seeds)


def camera_at(pose: np.ndarray, height: int, width: int, field_of_view: float = FIELD_OF_VIEW) -> Camera:
    """A camera with square pixels at an OpenCV camera-to-world pose [4, 4].

    field_of_view: horizontal, degrees.
    """
    focal = float(0.5 * width / np.tan(np.radians(field_of_view) / 2))
    center, rounded = ((width - 1) / 2, (height - 1) / 2), torch.from_numpy(pose).float()
    return Camera.from_focal(focal, focal, *center, rounded, height, width)


def shots(job: Job) -> Iterator[tuple[Camera, Picture]]:
    """Draws the views of a room one by one, in walking order."""
    room, shoot = make_room(job.seed), job.shoot
    tracer = Tracer(room)
    for pose in room.loop.poses(shoot.num_views):
        camera = camera_at(pose, shoot.height, shoot.width, shoot.field_of_view)
        yield camera, tracer.draw(camera)
