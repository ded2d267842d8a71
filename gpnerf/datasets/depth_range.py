"""How near and far the content of a scene is, from depths in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gpnerf.images import read_image

MAPS_READ = 8
# Share of readings left out at either end; and how much wider the range is made for what they miss.
OUTLIERS = 0.01
MARGIN = 1.25


def measured_range(files: Sequence[Path], unit: float) -> tuple[float, float] | None:
    """(near, far) in metres of up to eight depth maps spread over `files`; None if they hold no reading.

    unit: metres per stored unit; 0 is no reading.
    """
    chosen = {int(index) for index in np.linspace(0, len(files) - 1, min(MAPS_READ, len(files)))}
    readings = [depth[depth > 0] for depth in (read_image(files[index]) for index in sorted(chosen))]
    depths = np.concatenate(readings) * unit if readings else np.empty(0)
    if not depths.size:
        return None
    return range_of(depths)


def range_of(depths: np.ndarray) -> tuple[float, float]:
    """(near, far) of z-depths [N] above 0: all but the outliers, with a margin."""
    near, far = np.quantile(depths, (OUTLIERS, 1.0 - OUTLIERS))
    return float(near / MARGIN), float(far * MARGIN)
