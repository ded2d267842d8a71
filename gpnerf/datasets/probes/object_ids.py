"""Whether the instance ids of a scene mean the same objects in all of its views."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from gpnerf.datasets.labels import IGNORE, LARGEST_ID
from gpnerf.datasets.probes.warp import correspondence
from gpnerf.datasets.scene import Scene

# Pairs of neighbouring frames that are compared, spread over the scene.
PAIRS = 8
# Pixels of an object that are seen twice, at least, for it to count.
FEWEST_PIXELS = 20


def id_agreement(scene: Scene, frames: Sequence[int], height: int, width: int) -> float | None:
    """The share in [0, 1] of points with the same id in two neighbouring frames, a mean over ids.

    Every id weighs the same, so that a large background does not hide that all others change. None where
    depth maps are missing, or where neighbouring frames show nothing in common.
    """
    if not scene.count("depth"):
        return None
    pairs = list(pairwise(frames))
    pairs = pairs[:: max(1, len(pairs) // PAIRS)][:PAIRS]
    seen, agreeing = (torch.zeros(LARGEST_ID + 1, dtype=torch.int64) for _ in range(2))
    for pair in pairs:
        maps = [_maps(scene, frame, height, width) for frame in pair]
        if all(one is not None for two in maps for one in two):
            own, other = _ids_of_points(scene, pair, maps, height, width)
            seen += torch.bincount(own, minlength=len(seen))
            agreeing += torch.bincount(own[own == other], minlength=len(seen))
    enough = seen >= FEWEST_PIXELS
    return (agreeing[enough] / seen[enough]).mean().item() if enough.any() else None


def _maps(scene: Scene, frame: int, height: int, width: int) -> list[Tensor | None]:
    return [scene.read_map(frame, kind, height, width) for kind in ("instance", "depth")]


def _ids_of_points(
    scene: Scene, pair: Sequence[int], maps: Sequence[Sequence[Tensor]], height: int, width: int
) -> tuple[Tensor, Tensor]:
    """The ids [N] that the points which two frames share have in each of them.

    maps: instance ids and depth of each frame.
    """
    cameras = scene.cameras(height, width)
    (ids, depth), (other_ids, other_depth) = maps
    places = correspondence(cameras[pair[0]], depth, cameras[pair[1]], other_depth)
    there = other_ids.flatten()[places.clamp(min=0)]
    known = (places >= 0) & (ids != IGNORE) & (there != IGNORE)
    return ids[known], there[known]
