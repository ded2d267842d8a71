"""DepthRange: near and far of a scene, what gives them, and how much of the known depth they leave out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Share of the depths that is left out at either end.
OUTLIERS = 0.01
# Factor by which the range is then widened, as a few maps or points do not show the nearest and farthest.
MARGIN = 1.25


class FrameDepth(NamedTuple):
    """Known depth in one frame: number of readings, how many lie outside a range, and their median."""

    frame: str
    known: int
    outside: int
    median: float

    @staticmethod
    def of(frame: str, depths: np.ndarray, near: float, far: float) -> FrameDepth:
        """Counts z-depths [N] above 0, N > 0."""
        outside = int(np.count_nonzero((depths < near) | (depths > far)))
        return FrameDepth(frame, len(depths), outside, float(np.median(depths)))


class CutOff(NamedTuple):
    """How much of the known depth a range leaves out.

    source: what shows the depth; most: largest share that may be left out; frames: those that were looked at.
    """

    source: str
    most: float
    frames: tuple[FrameDepth, ...]

    @property
    def share(self) -> float:
        return sum(one.outside for one in self.frames) / max(1, sum(one.known for one in self.frames))

    @property
    def worst(self) -> list[FrameDepth]:
        """The frames of which more than `most` is left out, worst first; [] if all together are within it."""
        if self.share <= self.most:
            return []
        over = [one for one in self.frames if one.outside > self.most * one.known]
        return sorted(over, key=lambda one: -one.outside / one.known)


class DepthRange(NamedTuple):
    """A depth range and where it comes from.

    near, far: z-depths in the units of the poses, None where they are unknown. source: what gives them. cut:
    what they leave out of the known depth, None if nothing shows depth.
    """

    near: float | None
    far: float | None
    source: str
    cut: CutOff | None = None

    @property
    def complete(self) -> bool:
        return None not in (self.near, self.far)


def range_of(depths: np.ndarray) -> tuple[float, float]:
    """(near, far) of z-depths [N] above 0: the quantiles without the outliers, widened by the margin."""
    near, far = np.quantile(depths, (OUTLIERS, 1.0 - OUTLIERS))
    return float(near / MARGIN), float(far * MARGIN)
