"""Which frames are tested, and which source views a target is rendered from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gpnerf.config.types import parse_frames
from gpnerf.datasets.splits import SPLITS, stated_frames
from gpnerf.system.errors import ConfigError, DataError

METRICS = ("distance", "angle", "rotation")
# What chooses test frames: the split that the data set states, if it does, or the options alone.
SPLIT_BY = STATED, FRAMES = ("stated", "frames")
# Training draws its sources from the nearest `factor * count` candidates, as published.
POOL_FACTORS = (1, 2, 3, 4, 5)
POOL_PROBABILITIES = (0.30, 0.25, 0.20, 0.20, 0.05)


class FrameSplit(NamedTuple):
    """Frames of one scene: those to be rendered, those they may be rendered from, and those to train on."""

    test: list[int]
    sources: list[int]
    train: list[int]


@dataclass(frozen=True)
class FrameRule:
    """Which frames of a scene are tested, sources and trained on, each as START:STOP:STEP.

    Test frames are cut to the first `test_limit`. train_frames: as the sources, if not given. held_out: test
    frames are neither sources nor trained on; without it scores are not comparable with unseen views.
    split_by: one of SPLIT_BY; a split that the data set states goes before the frames given here: then all
    frames that it does not test are sources.
    """

    test_frames: str = "::8"
    test_limit: int | None = None
    source_frames: str = ":"
    train_frames: str | None = None
    held_out: bool = True
    split_by: str = STATED

    def split(self, num_frames: int, scene: str, splits: Sequence[str] = ()) -> FrameSplit:
        """The frames of 0..num_frames-1; DataError where there are none of one kind.

        splits: what the data set states of every frame, as in SceneIndex.
        """
        stated = self.stated(splits)
        if stated:
            test, train = stated
            hidden = set(test) if self.held_out else set()
            sources = [frame for frame in range(num_frames) if frame not in hidden]
            return FrameSplit(test[: self.test_limit], sources, train)
        test = _chosen(self.test_frames, num_frames)[: self.test_limit]
        hidden = set(test) if self.held_out else set()
        sources = [frame for frame in _chosen(self.source_frames, num_frames) if frame not in hidden]
        train_frames = _chosen(self.train_frames or self.source_frames, num_frames)
        train = [frame for frame in train_frames if frame not in hidden]
        if not (test and sources and train):
            raise DataError(
                f"{scene}: expected test frames and others by {self}, found {len(test)} test frames, "
                f"{len(sources)} sources and {len(train)} frames to train on of {num_frames}; choose a rule "
                "that fits the length of the scene."
            )
        return FrameSplit(test, sources, train)

    def stated(self, splits: Sequence[str]) -> tuple[list[int], list[int]] | None:
        """(frames to test, frames to train on) as the data set states them; None where the options choose."""
        return stated_frames(splits) if self.split_by == STATED else None

    def describe(self, splits: Sequence[str]) -> str:
        """Whether the test frames are those that the data set states."""
        stated = self.stated(splits)
        if stated:
            test, train = map(len, stated)
            return (
                f"{test} test and {train} training frames as its data set states them; --split_by frames "
                "takes --test_frames instead"
            )
        said = ", ".join(f"{splits.count(split)} {split}" for split in SPLITS if split in splits)
        if not said:
            return f"test frames by --test_frames {self.test_frames}"
        reason = "which leaves none to test" if self.split_by == STATED else "and --split_by is frames"
        return (
            f"test frames by --test_frames {self.test_frames}, as its data set states {said} frames, {reason}"
        )


def _chosen(frames: str, num_frames: int) -> list[int]:
    return list(range(num_frames)[parse_frames(frames)])


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


def released_sources(number: int, target_pose: Tensor, poses: Tensor, count: int, scene: str) -> Tensor:
    """`count` candidates as the released code draws them for test view `number` of a scene: [count].

    At random among the 10 to 50 nearest by the angle seen from the world's origin, with NumPy's generator
    seeded by `number`. All other frames are candidates, the neighbours in the video included.
    """
    check_candidates(len(poses), count, scene)
    random = np.random.RandomState(number)
    factor = random.choice(POOL_FACTORS, p=POOL_PROBABILITIES)
    nearest = rank_views(target_pose, poses, "angle")[: factor * count]
    return torch.from_numpy(random.choice(nearest.numpy(), count, replace=False))


def check_candidates(found: int, count: int, scene: str) -> None:
    """Raises DataError unless there are `count` source views to choose from."""
    if found < count:
        raise DataError(
            f"{scene}: expected at least {count} source views besides the target, found {found}; "
            f"lower --num_source_views to {found} or add frames."
        )
