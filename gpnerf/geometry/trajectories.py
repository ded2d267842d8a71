"""Camera paths for videos: lists of poses in, smooth sequences of rigid camera-to-world poses out."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation
from torch import Tensor

from gpnerf.system.errors import ConfigError

# Mean steps between keys below these count as noise of a camera that stands still or does not turn.
STILL_METERS = 0.01
STILL_RADIANS = 0.02
# Keeps the times of two equal keys apart, as the spline needs.
SHORTEST_STEP = 1e-3

# Camera positions whose width is below this share of their length form a line, which spans no plane.
LINE_SHARE = 0.05


def interpolate(poses: Tensor, frames: int) -> Tensor:
    """A smooth path through key poses [N, 4, 4] (camera to world) -> [frames, 4, 4] float32.

    Position and unit quaternion follow one cubic spline, twice differentiable, so the camera neither stops
    nor jerks at a key. Time between two keys grows with the distance and the angle between them, so the speed
    stays even if the keys are unevenly spaced. The first and the last frame are the first and last key.
    Raises ConfigError without poses or frames.
    """
    _check(poses, frames)
    if len(poses) == 1:
        return poses.float().cpu().expand(frames, 4, 4).clone()
    keys = poses.double().cpu().numpy()
    positions, quaternions = keys[:, :3, 3], _aligned_quaternions(keys[:, :3, :3])
    times = _key_times(positions, quaternions)
    spline = CubicSpline(times, np.hstack([positions, quaternions]), bc_type="natural")
    path = spline(np.linspace(times[0], times[-1], frames))
    return _rigid(Rotation.from_quat(path[:, 3:]).as_matrix(), path[:, :3])


def orbit(poses: Tensor, frames: int, share: float = 0.1) -> Tensor:
    """A closed circle near the cameras, looking at what they look at: [frames, 4, 4] float32.

    poses [N, 4, 4]: camera to world. The target is the point closest to all optical axes. The circle goes
    round the most central camera, in the plane fitted to the cameras; its radius is `share` of the median
    distance from the cameras to the target, since views far from the sources show what no source has seen.
    One more frame would be the first again. Raises ConfigError without poses or frames.
    """
    _check(poses, frames)
    poses = poses.double().cpu()
    middle = _most_central(poses)
    target, distance = _target(poses, middle)
    first, second = _plane(poses, middle)
    angles = torch.arange(frames, dtype=torch.float64)[:, None] * (2 * math.pi / frames)
    circle = angles.cos() * first + angles.sin() * second
    return _look_at(middle[:3, 3] + share * distance * circle, target, _mean_up(poses, middle))


def _check(poses: Tensor, frames: int) -> None:
    if len(poses) == 0 or frames < 1:
        raise ConfigError(
            f"A camera path needs one or more poses and frames, found {len(poses)} poses and "
            f"{frames} frames; choose a scene with views and ask for at least one frame."
        )


def _aligned_quaternions(rotations: np.ndarray) -> np.ndarray:
    """Unit quaternions [N, 4] of rotations [N, 3, 3]; signs chosen so that neighbours are near each other."""
    quaternions = Rotation.from_matrix(rotations).as_quat()
    agreement = (quaternions[1:] * quaternions[:-1]).sum(1)
    signs = np.cumprod(np.where(agreement < 0, -1.0, 1.0))
    quaternions[1:] *= signs[:, None]
    return quaternions


def _key_times(positions: np.ndarray, quaternions: np.ndarray) -> np.ndarray:
    """Strictly increasing times [N] of the keys: each step is its distance and its angle over their means."""
    distances = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    agreement = np.abs((quaternions[1:] * quaternions[:-1]).sum(1)).clip(max=1.0)
    angles = 2.0 * np.arccos(agreement)
    steps = distances / max(distances.mean(), STILL_METERS) + angles / max(angles.mean(), STILL_RADIANS)
    return np.concatenate([[0.0], np.cumsum(np.maximum(steps, SHORTEST_STEP))])


def _rigid(rotations: np.ndarray, positions: np.ndarray) -> Tensor:
    """Rotations [F, 3, 3] and positions [F, 3] -> transforms [F, 4, 4] float32."""
    transforms = np.tile(np.eye(4), (len(positions), 1, 1))
    transforms[:, :3, :3] = rotations
    transforms[:, :3, 3] = positions
    return torch.from_numpy(transforms).float()


def _most_central(poses: Tensor) -> Tensor:
    """The pose [4, 4] with the smallest sum of distances to the others."""
    centers = poses[:, :3, 3]
    return poses[torch.cdist(centers, centers).sum(1).argmin()]


def _target(poses: Tensor, middle: Tensor) -> tuple[Tensor, float]:
    """The point [3] that the cameras look at, and their median distance from it in metres.

    It minimises the summed squared distance to the optical axes. If these are parallel or point away from
    each other, it is not in front of the middle camera; then a point on that camera's axis is taken.
    """
    centers, axes = poses[:, :3, 3], poses[:, :3, 2]
    origin = centers.mean(0)
    across = torch.eye(3, dtype=poses.dtype) - axes[:, :, None] * axes[:, None, :]
    offsets = torch.einsum("nij,nj->i", across, centers - origin)
    target = origin + torch.linalg.pinv(across.sum(0), rtol=1e-6, hermitian=True) @ offsets
    distance = (centers - target).norm(dim=1).median().item() or 1.0
    center, axis = middle[:3, 3], middle[:3, 2]
    if (target - center) @ axis < 0.5 * distance:
        target = center + distance * axis
    return target, distance


def _plane(poses: Tensor, middle: Tensor) -> tuple[Tensor, Tensor]:
    """Two unit vectors [3] that span the plane of the cameras.

    For cameras on a line, they span the image plane of the middle camera.
    """
    offsets = poses[:, :3, 3] - poses[:, :3, 3].mean(0)
    _, lengths, directions = torch.linalg.svd(offsets, full_matrices=False)
    if len(lengths) < 2 or lengths[1] <= LINE_SHARE * lengths[0]:
        return middle[:3, 0], middle[:3, 1]
    return directions[0], directions[1]


def _mean_up(poses: Tensor, middle: Tensor) -> Tensor:
    """The mean upward direction [3] of the cameras; that of the middle camera if they cancel out."""
    up = -poses[:, :3, 1].mean(0)
    return up if up.norm() > 0.1 else -middle[:3, 1]


def _look_at(positions: Tensor, target: Tensor, up: Tensor) -> Tensor:
    """Poses [F, 4, 4] float32 at positions [F, 3] with the target in the image centre and `up` upwards."""
    forward = torch.nn.functional.normalize(target - positions, dim=-1)
    right = torch.nn.functional.normalize(torch.linalg.cross(forward, up.expand_as(forward)), dim=-1)
    down = torch.linalg.cross(forward, right)
    return _rigid(torch.stack([right, down, forward], dim=-1).numpy(), positions.numpy())
