"""Placement of cameras: poses that tell nothing of depth, and views of which their sources see nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpnerf.datasets.overlap import share_seen
from gpnerf.datasets.policies import Candidates
from gpnerf.datasets.scene import Scene

# Smallest expected share of a view that some of its sources may see.
LEAST_SEEN = 0.1
# What helps views that their sources do not see.
REMEDY = "allow more --source_frames, or leave these views out of --test_frames"


def pose_warnings(scene: Scene) -> list[str]:
    """Writes a sentence if all cameras are in one place, or else if two frames have the same pose."""
    poses, names = scene.index.poses, scene.index.names
    if len(poses) > 1 and not np.ptp(poses[:, :3, 3], axis=0).any():
        return [
            f"{scene.name}: the camera never moves: its frames {names[0]} to {names[-1]} were taken from one "
            "place, so that near and far cannot be distinguished; add frames from other places."
        ]
    first: dict[bytes, int] = {}
    earliest = [first.setdefault(pose.tobytes(), number) for number, pose in enumerate(poses)]
    twins = [number for number, other in enumerate(earliest) if other != number]
    if not twins:
        return []
    pair = names[twins[0]], names[earliest[twins[0]]]
    return [
        f"{scene.name}: {len(twins)} of its {len(poses)} frames repeat the pose of another one, as {pair[0]} "
        f"repeats that of {pair[1]}; check that each frame has its own pose."
    ]


def is_blind(target_and_sources: Candidates) -> bool:
    """Whether the sources see almost nothing of their target, at whatever depth in the scene's range."""
    one = target_and_sources
    return len(one) > 0 and share_seen(one.target, one.cameras, one.near, one.far) < LEAST_SEEN


def blind_warnings(scene: str, blind: Sequence[str], total: int, remedy: str) -> list[str]:
    """Writes a sentence if sources see almost nothing of some views; blind: the names of these of `total`."""
    if not blind:
        return []
    which = f"{blind[0]} and {len(blind) - 1} more" if len(blind) > 1 else blind[0]
    return [
        f"{scene}: the source views show almost nothing of {len(blind)} of {total} views ({which}), expected "
        f"at least {LEAST_SEEN:.0%} of their pixels; {remedy}."
    ]
