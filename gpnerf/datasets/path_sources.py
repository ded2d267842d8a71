"""Source views along a camera path, which change as rarely as they can: every change shows in a video."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from gpnerf.datasets.overlap import coverage
from gpnerf.datasets.policies import Candidates
from gpnerf.datasets.views import test_sources

# Source views stay until their coverage of a frame is below this share of what the best ones have.
KEPT_UNTIL = 0.98
# In a fade, sets have no part in frames of which they cover less than this share of what the own set covers.
FADED_UNTIL = 0.8


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


def without_strangers(
    weights: dict[tuple[int, ...], float], frame: Candidates, own: tuple[int, ...]
) -> dict[tuple[int, ...], float]:
    """The weights of a fade without sets that cover much less of a frame than its `own`; their sum stays 1.

    Where a path jumps, the sets of the frames around say nothing about this one.
    """
    if len(weights) == 1:
        return weights
    least = FADED_UNTIL * _covered(frame, own)
    kept = {one: weight for one, weight in weights.items() if one == own or _covered(frame, one) >= least}
    return {one: weight / sum(kept.values()) for one, weight in kept.items()}


def _covered(frame: Candidates, sources: tuple[int, ...]) -> float:
    cameras = frame.cameras[torch.tensor(sources)]
    return coverage(frame.target, cameras, frame.near, frame.far)
