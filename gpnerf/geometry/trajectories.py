"""Camera paths for videos: lists of poses in, smooth sequences of rigid camera-to-world poses out.

A path moves, turns and scales with the world of its poses. Poses are float64, as their differences count.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation
from torch import Tensor

from gpnerf.system.errors import ConfigError

# Mean steps between keys below these count as noise of a camera that stands still or does not turn. Lengths
# are shares of the depth that the cameras look at.
STILL_SHARE = 0.01
STILL_RADIANS = 0.02
# Keeps the times of two equal keys apart, as the spline needs.
SHORTEST_STEP = 1e-3
# Places per key at which the length of a path is measured.
FINENESS = 50

# Camera positions whose width is below this share of their length form a line, which spans no plane.
LINE_SHARE = 0.05
# A plane this close to upright across the view, by the cosine between its normal and the camera's x axis.
EDGE_ON = 0.9
# Digits in which sums are compared, so that rounding does not choose between equal ones.
DIGITS = 9


def interpolate(poses: Tensor, frames: int, depth: float) -> Tensor:
    """A smooth path through key poses [N, 4, 4] (camera to world) -> [frames, 4, 4] float64.

    Position and unit quaternion follow one cubic spline, twice differentiable, so the camera neither stops
    nor jerks at a key. Time is proportional to the length of the path, which is distance and angle, each over
    its mean from key to key: the speed stays even if the keys are unevenly spaced. The first and the last
    frame are the first and last key. depth: a usual z-depth of what the cameras see. Raises ConfigError
    without poses or frames.
    """
    _check(poses, frames)
    if len(poses) == 1:
        return poses.double().cpu().expand(frames, 4, 4).clone()
    keys = poses.double().cpu().numpy()
    positions, quaternions = keys[:, :3, 3], _aligned_quaternions(keys[:, :3, :3])
    means = _mean_steps(positions, quaternions, STILL_SHARE * depth)
    times = np.cumsum(np.maximum(_lengths(positions, quaternions, means), SHORTEST_STEP))
    spline = CubicSpline(times, np.hstack([positions, quaternions]), bc_type="natural")
    path = spline(_even_times(spline, frames, means))
    return _rigid(Rotation.from_quat(path[:, 3:]).as_matrix(), path[:, :3])


def orbit(poses: Tensor, frames: int, depth: float, share: float = 0.1) -> Tensor:
    """A closed circle near the cameras, looking at what they look at: [frames, 4, 4] float64.

    poses [N, 4, 4]: camera to world. The target is the point closest to all optical axes. The circle goes
    round the most central camera, in the plane fitted to the cameras; its radius is `share` of the median
    distance from the cameras to the target, since views far from the sources show what no source has seen.
    One more frame would be the first again. depth: a usual z-depth of what the cameras see, which stands for
    the distance where cameras do not leave their place. Raises ConfigError without poses or frames.
    """
    _check(poses, frames)
    poses = poses.double().cpu()
    middle = most_central(poses)
    target, distance = _target(poses, middle, depth)
    first, second = _plane(poses, middle, STILL_SHARE * depth)
    angles = torch.arange(frames, dtype=torch.float64)[:, None] * (2 * math.pi / frames)
    circle = angles.cos() * first + angles.sin() * second
    return _look_at(middle[:3, 3] + share * distance * circle, target, mean_up(poses, middle))


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


def _steps(positions: np.ndarray, quaternions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances and angles (radians) [N - 1] from each of N poses to the next."""
    distances = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    # Exact for small angles, unlike the arc cosine of the quaternions' product.
    angles = 4.0 * np.arcsin(np.linalg.norm(np.diff(quaternions, axis=0), axis=1).clip(max=2.0) / 2.0)
    return distances, angles


def _mean_steps(positions: np.ndarray, quaternions: np.ndarray, still: float) -> tuple[float, float]:
    """Mean distance and angle between keys; still: mean distance below which a camera does not move."""
    distances, angles = _steps(positions, quaternions)
    return max(distances.mean(), still), max(angles.mean(), STILL_RADIANS)


def _lengths(positions: np.ndarray, quaternions: np.ndarray, means: tuple[float, float]) -> np.ndarray:
    """The length [N] of the path to each pose from the one before: distance and angle over their means."""
    steps = _steps(positions, quaternions)
    return np.concatenate([[0.0], sum(step / mean for step, mean in zip(steps, means, strict=True))])


def _even_times(spline: CubicSpline, frames: int, means: tuple[float, float]) -> np.ndarray:
    """Times [frames] on the spline of positions and quaternions between which the path is equally long."""
    fine = np.linspace(spline.x[0], spline.x[-1], FINENESS * len(spline.x))
    poses = spline(fine)
    quaternions = poses[:, 3:] / np.linalg.norm(poses[:, 3:], axis=1, keepdims=True)
    passed = np.cumsum(_lengths(poses[:, :3], quaternions, means))
    return np.interp(np.linspace(0.0, passed[-1], frames), passed, fine)


def _rigid(rotations: np.ndarray, positions: np.ndarray) -> Tensor:
    """Rotations [F, 3, 3] and positions [F, 3] -> transforms [F, 4, 4] float64."""
    transforms = np.tile(np.eye(4), (len(positions), 1, 1))
    transforms[:, :3, :3] = rotations
    transforms[:, :3, 3] = positions
    return torch.from_numpy(transforms)


def most_central(poses: Tensor) -> Tensor:
    """The pose [4, 4] with the smallest sum of distances to the others, the first of equal ones."""
    centers = poses[:, :3, 3]
    # Products of the coordinates, which cdist would use, lose their difference far from the origin.
    sums = torch.cdist(centers, centers, compute_mode="donot_use_mm_for_euclid_dist").sum(1)
    return poses[(sums / sums.max().clamp(min=torch.finfo(sums.dtype).tiny)).round(decimals=DIGITS).argmin()]


def _target(poses: Tensor, middle: Tensor, depth: float) -> tuple[Tensor, float]:
    """The point [3] that the cameras look at, and their median distance from it.

    It minimises the summed squared distance to the optical axes. If these are parallel or point away from
    each other, it is not in front of the middle camera; then a point on that camera's axis is taken, at
    `depth` if the cameras stand still.
    """
    centers, axes = poses[:, :3, 3], poses[:, :3, 2]
    origin = centers.mean(0)
    across = torch.eye(3, dtype=poses.dtype) - axes[:, :, None] * axes[:, None, :]
    offsets = torch.einsum("nij,nj->i", across, centers - origin)
    target = origin + torch.linalg.pinv(across.sum(0), rtol=1e-6, hermitian=True) @ offsets
    distance = (centers - target).norm(dim=1).median().item()
    if distance < STILL_SHARE * depth:
        distance = depth
    center, axis = middle[:3, 3], middle[:3, 2]
    if (target - center) @ axis < 0.5 * distance:
        target = center + distance * axis
    return target, distance


def _plane(poses: Tensor, middle: Tensor, still: float) -> tuple[Tensor, Tensor]:
    """Two unit vectors [3] that span the plane of the cameras, the first to the right of the middle camera.

    For cameras on a line, or less than `still` apart, they span the image plane of the middle camera.
    """
    offsets = poses[:, :3, 3] - poses[:, :3, 3].mean(0)
    _, lengths, directions = torch.linalg.svd(offsets, full_matrices=False)
    if len(lengths) < 2 or lengths[1] <= max(LINE_SHARE * lengths[0].item(), still):
        return middle[:3, 0], middle[:3, 1]
    normal = torch.linalg.cross(directions[0], directions[1])
    # The decomposition leaves signs, and axes of equal lengths, to chance; the middle camera settles them.
    in_camera = middle[:3, :3].T @ normal
    normal = normal * in_camera[in_camera.abs().round(decimals=DIGITS).argmax()].sign()
    right = middle[:3, 1] if in_camera[0].abs() > EDGE_ON else middle[:3, 0]
    first = torch.nn.functional.normalize(right - (right @ normal) * normal, dim=0)
    return first, torch.linalg.cross(normal, first)


def mean_up(poses: Tensor, middle: Tensor) -> Tensor:
    """The mean upward direction [3] of the cameras; that of the middle camera if they cancel out."""
    up = -poses[:, :3, 1].mean(0)
    return up if up.norm() > 0.1 else -middle[:3, 1]


def _look_at(positions: Tensor, target: Tensor, up: Tensor) -> Tensor:
    """Poses [F, 4, 4] float64 at positions [F, 3] with the target in the image centre and `up` upwards."""
    forward = torch.nn.functional.normalize(target - positions, dim=-1)
    right = torch.nn.functional.normalize(torch.linalg.cross(forward, up.expand_as(forward)), dim=-1)
    down = torch.linalg.cross(forward, right)
    return _rigid(torch.stack([right, down, forward], dim=-1).numpy(), positions.numpy())
