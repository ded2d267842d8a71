"""Do poses, intrinsics and depth maps fit together? Frames of a scene held against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from gpnerf.datasets.scene import Frame
from gpnerf.geometry.cameras import OPENGL_TO_OPENCV, Camera, pixel_grid
from gpnerf.geometry.projection import interpolate, visible
from gpnerf.system.errors import DataError

# A point is hidden where the source's depth differs from its own by more than this share: above the noise
# of depth sensors (1 to 3 %), below the gap between a chair and the wall behind it.
OCCLUSION_TOLERANCE = 0.1

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


class Warp(NamedTuple):
    """A source photograph seen from the target.

    colour: [3, H, W] in [0, 1], 0 where not visible. visible: [H, W] bool. error: median of the mean absolute
    colour difference (0..1) over the visible pixels. depth_error: median relative difference between the
    depth of a point in the source and the source's depth map, hidden points included. An error is None where
    no pixel has what it compares.
    """

    colour: Tensor
    visible: Tensor
    error: float | None
    depth_error: float | None


class Misreading(NamedTuple):
    """Warp errors with the poses as they are and in the best of OTHER_READINGS; medians over pairs.

    reading: its name, None where it does not fit clearly better.
    """

    reading: str | None
    error: float
    other_error: float
    depth_error: float
    other_depth_error: float


class PoseReport(NamedTuple):
    """Facts of a camera path, in metres and in the order of the poses.

    largest_jump_at: the two frames it lies between, None for a single pose. extent: sides of the axis-aligned
    box around the camera centres. coinciding: poses equal to the one before. rigidity_error: largest entry of
    |R^T R - 1|, or |det R - 1| where larger; 0 for rotations, 2 for mirrored axes.
    """

    median_step: float
    largest_jump: float
    largest_jump_at: tuple[int, int] | None
    extent: tuple[float, float, float]
    coinciding: int
    rigidity_error: float


def reproject(target: Camera, source: Camera, pixels: Tensor, depth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Target pixels [N, 2] (column, row) at z-depths [N] in the source.

    Returns their pixels [N, 2] and z-depths [N] there, and which are inside [N]: of known depth (above 0),
    before the source camera and within its image.
    """
    origins, directions = target.rays(pixels)
    points = origins + depth[:, None] * directions
    source_pixels, source_depth = (one[0] for one in Camera.stack([source]).project(points))
    inside = visible(source_pixels, source_depth, source.height, source.width) & (depth > 0)
    return source_pixels, source_depth, inside


def warp(target: Frame, source: Frame) -> Warp:
    """Looks up every target pixel of known depth in the source, which may have another size.

    Raises DataError for a target without a depth map.
    """
    if target.depth is None:
        raise DataError(
            f"{target.scene}, frame {target.name}: expected a depth map to look up its pixels in another "
            "view, found none; choose a frame with depth."
        )
    height, width = target.depth.shape
    grid = pixel_grid(height, width)
    pixels, depth, inside = reproject(target.camera, source.camera, grid, target.depth.flatten())
    difference = _depth_difference(source, pixels, depth)
    seen = inside & ~(difference > OCCLUSION_TOLERANCE)
    images = source.image.movedim(0, -1)[None]
    samples = interpolate(images, pixels[:, None], source.camera.height, source.camera.width)
    colour = (samples[:, 0] * seen[:, None]).T.reshape(3, height, width)
    seen = seen.reshape(height, width)
    error = (colour - target.image).abs().mean(0)[seen]
    compared = difference[inside & difference.isfinite()]
    return Warp(colour, seen, _median(error), _median(compared))


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


def pose_report(camera_to_world: Tensor) -> PoseReport:
    """camera_to_world: [N, 4, 4] in metres, N at least 1, in the order of recording."""
    poses = camera_to_world.double()
    rotations, centers = poses[:, :3, :3], poses[:, :3, 3]
    excess = (rotations.mT @ rotations - torch.eye(3, dtype=poses.dtype)).abs().amax(dim=(1, 2))
    rigidity_error = torch.maximum(excess, (torch.linalg.det(rotations) - 1.0).abs()).max()
    steps = (centers[1:] - centers[:-1]).norm(dim=1)
    jump = int(steps.argmax()) if len(steps) else None
    return PoseReport(
        median_step=_median(steps) or 0.0,
        largest_jump=0.0 if jump is None else steps[jump].item(),
        largest_jump_at=None if jump is None else (jump, jump + 1),
        extent=tuple((centers.amax(0) - centers.amin(0)).tolist()),
        coinciding=int((poses[1:] == poses[:-1]).all(dim=(1, 2)).sum()),
        rigidity_error=rigidity_error.item(),
    )


def fundamental(target: Camera, source: Camera) -> Tensor:
    """F [3, 3] with x_source^T F x_target = 0 for homogeneous pixels of one point; 0 for one centre."""
    to_source = torch.linalg.inv(source.camera_to_world[:3, :3].double())
    rotation = to_source @ target.camera_to_world[:3, :3].double()
    translation = to_source @ (target.center.double() - source.center.double())
    essential = torch.linalg.cross(translation[:, None].expand(3, 3), rotation, dim=0)
    inverse_intrinsics = [torch.linalg.inv(camera.intrinsics.double()) for camera in (source, target)]
    return (inverse_intrinsics[0].T @ essential @ inverse_intrinsics[1]).float()


def epipolar_lines(target: Camera, source: Camera, pixels: Tensor) -> Tensor:
    """Where the rays of target pixels [N, 2] (column, row) run in the source image: lines [N, 3].

    a * column + b * row + c is the signed distance of a pixel from the line (a, b, c). Zeros where there is
    no line: at the epipole, and for cameras with one centre.
    """
    homogeneous = torch.cat([pixels.float(), torch.ones(len(pixels), 1)], dim=1)
    lines = homogeneous @ fundamental(target, source).T
    length = lines[:, :2].norm(dim=1, keepdim=True)
    return torch.where(length > 0, lines / length, torch.zeros_like(lines))


def _depth_difference(source: Frame, pixels: Tensor, depth: Tensor) -> Tensor:
    """|depth / depth of the source at the nearest pixel - 1| [N]; NaN where the source has none."""
    if source.depth is None:
        return torch.full_like(depth, torch.nan)
    last = torch.tensor([source.camera.width - 1, source.camera.height - 1])
    columns, rows = pixels.round().long().clamp(min=torch.zeros_like(last), max=last).unbind(-1)
    measured = source.depth[rows, columns]
    return torch.where(measured > 0, (depth / measured - 1.0).abs(), torch.nan)


def _median(values: Tensor) -> float | None:
    return values.median().item() if len(values) else None


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
