"""Which frames are tested, and which source views a target is rendered from."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gpnerf.errors import ConfigError, DataError

METRICS = ("distance", "angle", "rotation")
# Training draws its sources from the nearest `factor * count` candidates, as published.
POOL_FACTORS = (1, 2, 3, 4, 5)
POOL_PROBABILITIES = (0.30, 0.25, 0.20, 0.20, 0.05)


@dataclass(frozen=True)
class FrameRule:
    """Test frames are [start:stop:step], cut to `limit`; all others may be sources or training targets."""

    start: int
    stop: int | None = None
    step: int = 1
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.step < 1:
            raise ConfigError(
                f"A frame rule needs a step of at least 1, found {self.step}; correct the step."
            )

    def split(self, num_frames: int, scene: str) -> tuple[list[int], list[int]]:
        """(test frames, all others) of 0..num_frames-1; DataError where one of the two is empty."""
        test = list(range(num_frames)[self.start : self.stop : self.step][: self.limit])
        held_out = set(test)
        pool = [frame for frame in range(num_frames) if frame not in held_out]
        if not test or not pool:
            raise DataError(
                f"{scene}: expected test frames and others by the rule {self}, found {len(test)} test frames "
                f"and {len(pool)} others of {num_frames}; choose a rule that fits the length of the scene."
            )
        return test, pool


def rank_views(target_pose: Tensor, poses: Tensor, metric: str, center: Tensor | None = None) -> Tensor:
    """Candidates [N] in the order of their distance to the target, nearest first.

    target_pose: [4, 4], poses: [N, 4, 4], camera-to-world in metres. metric: "distance" of the camera
    centres; "angle" between the centres seen from `center` [3] (the world origin by default);
    "rotation", the angle between the orientations.
    """
    target_pose, poses = target_pose.double(), poses.double()
    if metric == "distance":
        distances = (poses[:, :3, 3] - target_pose[:3, 3]).norm(dim=-1)
    elif metric == "angle":
        origin = torch.zeros(3).double() if center is None else center.double()
        cosines = torch.cosine_similarity(poses[:, :3, 3] - origin, target_pose[:3, 3] - origin, dim=-1)
        distances = -cosines
    elif metric == "rotation":
        # The trace of the relative rotation is 1 + 2 cos(angle).
        distances = -torch.einsum("nij,ij->n", poses[:, :3, :3], target_pose[:3, :3])
    else:
        raise ConfigError(
            f"A view metric is one of {', '.join(METRICS)}, found {metric!r}; correct the option."
        )
    return torch.argsort(distances, stable=True)


def training_sources(
    generator: torch.Generator, target_pose: Tensor, poses: Tensor, count: int, metric: str, scene: str
) -> Tensor:
    """`count` candidates at random among the nearest 1 to 5 times as many: indices into poses [N, 4, 4].

    The target must not be a candidate. Raises DataError where `scene` has too few candidates.
    """
    check_candidates(len(poses), count, scene)
    choice = torch.multinomial(torch.tensor(POOL_PROBABILITIES), 1, generator=generator)
    nearest = rank_views(target_pose, poses, metric)[: POOL_FACTORS[int(choice)] * count]
    return nearest[torch.randperm(len(nearest), generator=generator)[:count]]


def test_sources(target_pose: Tensor, poses: Tensor, count: int, metric: str, scene: str) -> Tensor:
    """The nearest `count` candidates: indices into poses [N, 4, 4]; DataError where there are too few."""
    check_candidates(len(poses), count, scene)
    return rank_views(target_pose, poses, metric)[:count]


def check_candidates(found: int, count: int, scene: str) -> None:
    """Raises DataError unless there are `count` source views to choose from."""
    if found < count:
        raise DataError(
            f"{scene}: expected at least {count} source views besides the target, found {found}; "
            f"lower --num_source_views to {found} or add frames."
        )
