"""Choice of test frames, and of the source views of a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gpnerf.config.types import parse_frames
from gpnerf.datasets.overlap import seen_by_each
from gpnerf.datasets.policies import POLICIES, Candidates, rank_views
from gpnerf.datasets.splits import SPLITS, stated_frames
from gpnerf.geometry.cameras import Camera
from gpnerf.system.errors import DataError

# What chooses test frames: the split that the data set states, if there is one, or only the options.
SPLIT_BY = STATED, FRAMES = ("stated", "frames")
# Training draws its sources from the nearest `factor * count` candidates, as published.
POOL_FACTORS = (1, 2, 3, 4, 5)
POOL_PROBABILITIES = (0.30, 0.25, 0.20, 0.20, 0.05)


class FrameSplit(NamedTuple):
    """Frames of one scene: test frames, frames that may be their sources, and training frames."""

    test: list[int]
    sources: list[int]
    train: list[int]


@dataclass(frozen=True)
class FrameRule:
    """Rule that chooses test frames, sources and training frames of a scene, each as START:STOP:STEP.

    test_limit: only the first so many test frames are kept. train_frames: None for the source frames.
    held_out: test frames are neither sources nor training frames; otherwise scores are not comparable with
    those of unseen views. split_by: one of SPLIT_BY; a split that the data set states takes precedence over
    the frames given here, and then all frames that it does not test are sources.
    """

    test_frames: str = "::8"
    test_limit: int | None = None
    source_frames: str = ":"
    train_frames: str | None = None
    held_out: bool = True
    split_by: str = STATED

    def split(self, num_frames: int, scene: str, splits: Sequence[str] = ()) -> FrameSplit:
        """Splits the frames 0..num_frames-1; splits: what the data set states of each, as in SceneIndex.

        Raises DataError if there are no test frames, no sources or no training frames.
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
                f"{scene}: expected test frames, sources and training frames by {self}, found {len(test)}, "
                f"{len(sources)} and {len(train)} among its {num_frames} frames; choose a rule that fits the "
                "length of the scene."
            )
        return FrameSplit(test, sources, train)

    def stated(self, splits: Sequence[str]) -> tuple[list[int], list[int]] | None:
        """(test frames, training frames) that the data set states; None where the options choose them."""
        return stated_frames(splits) if self.split_by == STATED else None

    def describe(self, splits: Sequence[str]) -> str:
        """Writes a clause that says whether the data set or the options choose the test frames."""
        stated = self.stated(splits)
        if stated:
            test, train = map(len, stated)
            return (
                f"{test} test and {train} training frames as its data set states them; --split_by frames "
                "uses --test_frames instead"
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


def training_sources(
    generator: torch.Generator, candidates: Candidates, count: int, policy: str, scene: str
) -> Tensor:
    """Draws `count` of the best `factor * count` candidates: indices.

    The factor, 1 to 5, is random too. policy: of POLICIES; it may draw more and choose `count` of them. The
    target must not be a candidate. Raises DataError if `scene` has too few candidates.
    """
    check_candidates(len(candidates), count, scene)
    choice = torch.multinomial(torch.tensor(POOL_PROBABILITIES), 1, generator=generator)
    pool, (rank, drawn) = POOL_FACTORS[int(choice)] * count, POLICIES[policy]
    best = rank(candidates, pool)[:pool]
    few = best[torch.randperm(len(best), generator=generator)[: drawn * count]]
    return few if len(few) == count else few[rank(candidates[few], count)[:count]]


def test_sources(candidates: Candidates, count: int, policy: str, scene: str) -> Tensor:
    """Chooses the best `count` candidates: indices, best first; DataError for too few."""
    check_candidates(len(candidates), count, scene)
    return POLICIES[policy].rank(candidates, count)[:count]


def scene_sources(cameras: Camera, near: float, far: float, count: int, policy: str, scene: str) -> Tensor:
    """Chooses `count` of the N cameras of a scene that stand for all of it: indices.

    The first one sees most of what all cameras see; the others are its best source views by the policy.
    Raises DataError if `scene` has too few.
    """
    everyone = torch.arange(len(cameras.intrinsics))
    # Each of the views is a target too.
    check_candidates(len(everyone) - 1, count, scene)
    seen = sum(seen_by_each(cameras[int(one)], cameras, near, far) for one in everyone)
    first = int(seen.argmax())
    others = everyone[everyone != first]
    candidates = Candidates(cameras[first], cameras[others], near, far)
    chosen = others[test_sources(candidates, count - 1, policy, scene)]
    return torch.cat([everyone[[first]], chosen])


def released_sources(number: int, target_pose: Tensor, poses: Tensor, count: int, scene: str) -> Tensor:
    """Draws `count` candidates as the released code does for test view `number` of a scene: [count].

    They are drawn from the nearest 1 to 5 times `count` by the angle seen from the world's origin, with
    NumPy's generator seeded by `number`. All other frames are candidates, even neighbours in the video.
    """
    check_candidates(len(poses), count, scene)
    random = np.random.RandomState(number)
    factor = random.choice(POOL_FACTORS, p=POOL_PROBABILITIES)
    nearest = rank_views(target_pose, poses, "angle")[: factor * count]
    return torch.from_numpy(random.choice(nearest.numpy(), count, replace=False))


def check_candidates(found: int, count: int, scene: str) -> None:
    """Raises DataError if fewer than `count` candidates were found."""
    if found < count:
        raise DataError(
            f"{scene}: expected at least {count} source views besides the target, found {found}; "
            f"add frames, or lower --num_source_views to {found} where the method allows it."
        )
