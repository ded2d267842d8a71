"""Detection of poses that follow another convention, by warping neighbouring frames into each other."""

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

# Number of consecutive frames that are compared.
NEIGHBORS = 6
# A pair that shares less than this part of the target tells nothing about the poses. Its errors count as
# CHANCE, the difference between unrelated photographs of one place in colour and in relative depth.
SMALLEST_SHARE = 0.1
CHANCE = (0.2, 0.2)
# Errors (colour, depth) below these are noise and tell nothing about the poses.
NOISE = (0.01, 0.01)
# Conventions other than camera-to-world in OpenCV's camera axes -> conversion to it.
OTHER_READINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "world-to-camera instead of camera-to-world": torch.linalg.inv,
    "given in the camera axes of the other convention (OpenGL, OpenCV)": lambda pose: pose @ OPENGL_TO_OPENCV,
    "world-to-camera in the camera axes of the other convention (OpenGL, OpenCV)": lambda pose: (
        torch.linalg.inv(pose) @ OPENGL_TO_OPENCV
    ),
}
# Another reading is suspected if neither error grows by more than NOT_WORSE, their product shrinks to
# CLEARLY_BETTER, and both are below GOOD_FIT. In 56 runs of six frames of the recorded office, correct poses
# were never suspected, and each of the three misreadings was always recognised.
NOT_WORSE = 1.1
CLEARLY_BETTER = 1.0 / 3.0
GOOD_FIT = (0.15, 0.08)


class Misreading(NamedTuple):
    """Warp errors with the poses as given, and in the best of OTHER_READINGS; medians over pairs.

    reading: the name of this other reading, None if it does not fit clearly better.
    """

    reading: str | None
    error: float
    other_error: float
    depth_error: float
    other_depth_error: float


def neighbors(count: int) -> range:
    """Chooses the frames to compare in a scene of `count` frames: consecutive ones from its middle."""
    return range(count)[count // 2 :][:NEIGHBORS]


def misread_poses(frames: Sequence[Frame]) -> Misreading | None:
    """Tests whether the poses follow another convention: world-to-camera, OpenGL's camera axes, or both.

    frames: a few of one scene in which neighbours overlap; six consecutive ones of a recording are enough.
    Each is warped into its neighbours with the poses as given and with each of OTHER_READINGS. Returns None
    if fewer than two frames have depth, or if no pair shares enough in any reading.
    """
    with_depth = [frame for frame in frames if frame.depth is not None]
    given = _pair_errors(with_depth)
    found = []
    for name, read in OTHER_READINGS.items():
        other = _pair_errors(
            [_with_pose(frame, read(frame.camera.camera_to_world.double())) for frame in with_depth]
        )
        pairs = [
            (one or CHANCE, another or CHANCE)
            for one, another in zip(given, other, strict=True)
            if one or another
        ]
        if pairs:
            errors, other_errors = torch.tensor(pairs).median(dim=0).values
            reading = name if _fits_better(other_errors, errors) else None
            values = torch.stack([errors, other_errors]).T.flatten().tolist()
            # Readings that fit clearly better come first, then those of smaller errors.
            found.append((reading is None, other_errors.prod().item(), Misreading(reading, *values)))
    return min(found, key=lambda item: item[:2])[2] if found else None


def reading_warnings(name: str, found: Misreading | None) -> list[str]:
    """Writes a sentence if the poses of the scene `name` seem to follow another convention."""
    if found is None or found.reading is None:
        return []
    return [
        f"{name}: the poses look {found.reading}: neighbouring frames differ by {found.error:.3f} in colour "
        f"and {found.depth_error:.1%} in depth as the poses are read, but by {found.other_error:.3f} and "
        f"{found.other_depth_error:.1%} if they are read that way; convert the matrices."
    ]


def _with_pose(frame: Frame, pose: Tensor) -> Frame:
    return replace(frame, camera=replace(frame.camera, camera_to_world=pose))


def _pair_errors(frames: Sequence[Frame]) -> list[tuple[float, float] | None]:
    """Errors of every pair of consecutive frames, each frame in turn as the target; None as in _errors."""
    return [
        _errors(*pair) for before, after in pairwise(frames) for pair in ((before, after), (after, before))
    ]


def _errors(target: Frame, source: Frame) -> tuple[float, float] | None:
    """(colour, depth) errors of a pair, None if it shares too little."""
    result = warp(target, source)
    share = result.visible.sum() / (target.depth > 0).sum()
    if not share > SMALLEST_SHARE or result.depth_error is None:
        return None
    return result.error, result.depth_error


def _fits_better(errors: Tensor, others: Tensor) -> bool:
    """Whether `errors` (colour, depth) [2] are clearly smaller than `others`, and small by themselves."""
    noise = torch.tensor(NOISE)
    ratios = torch.maximum(errors, noise) / torch.maximum(others, noise)
    better = ratios.max() < NOT_WORSE and ratios.prod() < CLEARLY_BETTER
    return bool(better and (errors < torch.tensor(GOOD_FIT)).all())
