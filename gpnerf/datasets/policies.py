"""Policies: functions that rank the cameras among which the source views of a target are chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from gpnerf.datasets.overlap import rank_by_overlap
from gpnerf.geometry.cameras import Camera
from gpnerf.system.errors import ConfigError

METRICS = ("distance", "angle", "rotation")
OVERLAP = "overlap"
# Digits in which distances are compared, so that rounding does not choose between equal ones.
DIGITS = 12


@dataclass(frozen=True)
class Candidates:
    """The cameras among which source views are chosen.

    target: the target camera. cameras: a batch of N cameras of the same scene. near, far: its depth range.
    """

    target: Camera
    cameras: Camera
    near: float
    far: float

    def __len__(self) -> int:
        return len(self.cameras.intrinsics)

    def __getitem__(self, chosen: Tensor) -> Candidates:
        return replace(self, cameras=self.cameras[chosen])


class Policy(NamedTuple):
    """A way to choose source views.

    rank: (candidates, count) -> indices of the best `count` of them or more, best first. drawn: so many views
    per wanted one are drawn from the pool of a training example. Where views complete one another, a random
    part of a good set is not a good set: then more are drawn than wanted, and the best of these are chosen.
    """

    rank: Callable[[Candidates, int], Tensor]
    drawn: int = 1


def rank_views(target_pose: Tensor, poses: Tensor, metric: str, center: Tensor | None = None) -> Tensor:
    """Sorts candidates by their distance to the target, nearest first: indices [N].

    target_pose: [4, 4], poses: [N, 4, 4], camera-to-world in metres. metric: "distance" between the camera
    centres; "angle" between the centres seen from `center` [3] (the world origin by default);
    "rotation", the angle between the orientations.
    """
    target_pose, poses = target_pose.double(), poses.double()
    if metric == "distance":
        distances = (poses[:, :3, 3] - target_pose[:3, 3]).norm(dim=-1)
        distances = distances / distances.norm().clamp(min=torch.finfo(distances.dtype).tiny)
    elif metric == "angle":
        origin = torch.zeros(3).double() if center is None else center.double()
        cosines = torch.cosine_similarity(poses[:, :3, 3] - origin, target_pose[:3, 3] - origin, dim=-1)
        distances = -cosines
    elif metric == "rotation":
        # The trace of the relative rotation is 1 + 2 cos(angle).
        distances = -torch.einsum("nij,ij->n", poses[:, :3, :3], target_pose[:3, :3])
    else:
        raise ConfigError(
            f"--view_metric: expected one of {', '.join(METRICS)}, found {metric!r}; correct the option."
        )
    return torch.argsort(distances.round(decimals=DIGITS), stable=True)


def _by_overlap(candidates: Candidates, count: int) -> Tensor:
    one = candidates
    return rank_by_overlap(one.target, one.cameras, one.near, one.far, count)


def _by_metric(candidates: Candidates, count: int, metric: str) -> Tensor:
    return rank_views(candidates.target.camera_to_world, candidates.cameras.camera_to_world, metric)


POLICIES = {
    OVERLAP: Policy(_by_overlap, drawn=2),
    **{metric: Policy(partial(_by_metric, metric=metric)) for metric in METRICS},
}
