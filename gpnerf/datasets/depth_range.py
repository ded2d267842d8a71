"""How near and far the content of a scene is, from depths in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gpnerf.datasets.maps import read_depth

MAPS_READ = 8
# Share of readings left out at either end; and how much wider the range is made for what they miss.
OUTLIERS = 0.01
MARGIN = 1.25


def maps_to_measure(files: Sequence[str]) -> list[str]:
    """Up to eight of the depth maps of a scene, spread over all of it."""
    chosen = {int(index) for index in np.linspace(0, len(files) - 1, min(MAPS_READ, len(files)))}
    return [files[index] for index in sorted(chosen)]


def measured_range(files: Sequence[Path], unit: float) -> tuple[float, float] | None:
    """(near, far) in metres of depth maps; None if they hold no reading.

    unit: as in maps.read_depth.
    """
    maps = [read_depth(file, unit) for file in files]
    depths = np.concatenate([depth[depth > 0.0] for depth in maps]) if maps else np.empty(0)
    if not depths.size:
        return None
    return range_of(depths)


def range_of(depths: np.ndarray) -> tuple[float, float]:
    """(near, far) of z-depths [N] above 0: all but the outliers, with a margin."""
    near, far = np.quantile(depths, (OUTLIERS, 1.0 - OUTLIERS))
    return float(near / MARGIN), float(far * MARGIN)
