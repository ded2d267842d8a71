"""Source views along a camera path, which change as rarely as they can: every change shows in a video."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from gpnerf.datasets.overlap import coverage
from gpnerf.datasets.policies import Candidates
from gpnerf.datasets.views import test_sources

# Source views stay until their coverage of a frame is below this share of what the best ones have.
KEPT_UNTIL = 0.98


def sources_along(
    frames: Iterable[Candidates], count: int, policy: str, scene: str, kept_until: float = KEPT_UNTIL
) -> list[tuple[int, ...]]:
    """Chooses the source views of every frame: `count` indices each, in increasing order.

    frames: the candidates of each frame, in the order of the path. Those of the frame before stay until
    their coverage is below `kept_until` of that of the views that `policy` chooses.
    """
    chosen: list[tuple[int, ...]] = []
    for frame in frames:
        best = tuple(sorted(test_sources(frame, count, policy, scene).tolist()))
        stay = chosen and _covered(frame, chosen[-1]) >= kept_until * _covered(frame, best)
        chosen.append(chosen[-1] if stay else best)
    return chosen


def _covered(frame: Candidates, sources: tuple[int, ...]) -> float:
    cameras = frame.cameras[torch.tensor(sources)]
    return coverage(frame.target, cameras, frame.near, frame.far)
