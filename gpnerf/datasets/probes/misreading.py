"""Are the poses meant otherwise than they are read? Neighbouring frames tell, held against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from gpnerf.datasets.probes.warp import warp
from gpnerf.datasets.scene import Frame
from gpnerf.geometry.cameras import OPENGL_TO_OPENCV

# Frames in a row that show whether poses are misread.
NEIGHBOURS = 6
# Two views that share less than this part of the target say nothing about the poses: they count as CHANCE,
# which is as much as unrelated photographs of one place differ in colour and in relative depth.
SMALLEST_SHARE = 0.1
CHANCE = (0.2, 0.2)
# Errors below these are noise, and no evidence for or against poses.
NOISE = (0.01, 0.01)
# How poses may be meant instead of camera-to-world in OpenCV's camera axes.
OTHER_READINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "world-to-camera instead of camera-to-world": torch.linalg.inv,
    "given in the camera axes of the other convention (OpenGL, OpenCV)": lambda pose: pose @ OPENGL_TO_OPENCV,
    "world-to-camera in the camera axes of the other convention (OpenGL, OpenCV)": lambda pose: (
        torch.linalg.inv(pose) @ OPENGL_TO_OPENCV
    ),
}
# Another reading is suspected where neither error grows by more than NOT_WORSE, their product shrinks to
# CLEARLY_BETTER, and both are a GOOD_FIT by themselves. In 56 runs of six frames of the recorded office right
# poses never are, and all three misreadings always, each for what it is.
NOT_WORSE = 1.1
CLEARLY_BETTER = 1.0 / 3.0
GOOD_FIT = (0.15, 0.08)


class Misreading(NamedTuple):
    """Warp errors with the poses as they are and in the best of OTHER_READINGS; medians over pairs.

    reading: its name, None where it does not fit clearly better.
    """

    reading: str | None
    error: float
    other_error: float
    depth_error: float
    other_depth_error: float


def neighbours(count: int) -> range:
    """The frames of a scene of so many that are held against each other: a few in a row, from its middle."""
    return range(count)[count // 2 :][:NEIGHBOURS]


def misread_poses(frames: Sequence[Frame]) -> Misreading | None:
    """Whether the poses are meant otherwise: world-to-camera, in OpenGL's camera axes, or both.

    frames: a few of one scene, neighbours overlapping: six that follow each other in a recording are enough.
    Every one is warped into its neighbours, with the poses given and with each of OTHER_READINGS. None where
    fewer than two frames have depth, or no pair shares enough in any reading.
    """
    with_depth = [frame for frame in frames if frame.depth is not None]
    given = _pair_errors(with_depth)
    found = []
    for name, read in OTHER_READINGS.items():
        other = _pair_errors([_with_pose(frame, read(frame.camera.camera_to_world)) for frame in with_depth])
        pairs = [
            (one or CHANCE, another or CHANCE)
            for one, another in zip(given, other, strict=True)
            if one or another
        ]
        if pairs:
            errors, other_errors = torch.tensor(pairs).median(dim=0).values
            reading = name if _fits_better(other_errors, errors) else None
            values = torch.stack([errors, other_errors]).T.flatten().tolist()
            found.append((reading is None, other_errors.prod().item(), Misreading(reading, *values)))
    return min(found, key=lambda item: item[:2])[2] if found else None


def reading_warnings(name: str, found: Misreading | None) -> list[str]:
    """A sentence if the poses of the scene `name` seem to be meant otherwise."""
    if found is None or found.reading is None:
        return []
    return [
        f"{name}: the poses look {found.reading}: neighbouring frames differ by {found.error:.3f} in colour "
        f"and {found.depth_error:.1%} in depth as the poses are read, and by {found.other_error:.3f} and "
        f"{found.other_depth_error:.1%} if they are meant so; convert the matrices."
    ]


def _with_pose(frame: Frame, pose: Tensor) -> Frame:
    return replace(frame, camera=replace(frame.camera, camera_to_world=pose))


def _pair_errors(frames: Sequence[Frame]) -> list[tuple[float, float] | None]:
    """Of every frame in the next one, and of the next one in it."""
    return [
        _errors(*pair) for before, after in pairwise(frames) for pair in ((before, after), (after, before))
    ]


def _errors(target: Frame, source: Frame) -> tuple[float, float] | None:
    """Colour and depth error of a pair, None where it shares too little."""
    result = warp(target, source)
    share = result.visible.sum() / (target.depth > 0).sum()
    if not share > SMALLEST_SHARE or result.depth_error is None:
        return None
    return result.error, result.depth_error


def _fits_better(errors: Tensor, others: Tensor) -> bool:
    """Whether errors (colour, depth) [2] speak clearly for their poses and against those of the others."""
    noise = torch.tensor(NOISE)
    ratios = torch.maximum(errors, noise) / torch.maximum(others, noise)
    better = ratios.max() < NOT_WORSE and ratios.prod() < CLEARLY_BETTER
    return bool(better and (errors < torch.tensor(GOOD_FIT)).all())
