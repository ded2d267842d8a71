"""Which source cameras the page draws, and how."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

# More frusta than this would hide the scene and slow down the browser.
MOST = 200
# Length of a frustum: a share of the usual distance between neighbouring cameras, up to the largest one.
SHARE, LONGEST = 0.25, 0.2
# A frustum nearer to the eye than so many times its length is left out, as it would cover the picture.
CLEAR = 3.0

PLAIN, LIT, ABSENT = "plain", "lit", "absent"


def drawn(views: int) -> range:
    """The numbers of the views whose frusta are drawn at all times: every one, or every n-th of many."""
    return range(0, views, max(1, -(-views // MOST)))


def length_of(centers: np.ndarray) -> float:
    """The length of a frustum for cameras at `centers` [N, 3] of the page, in the order of the views."""
    steps = np.linalg.norm(np.diff(centers, axis=0), axis=1)
    steps = steps[steps > 0]
    return min(LONGEST, SHARE * float(np.median(steps))) if steps.size else LONGEST


def states(centers: np.ndarray, eye: np.ndarray, used: Collection[int], length: float) -> dict[int, str]:
    """How the frustum of a view is drawn, for those that are not PLAIN.

    centers: [N, 3], of all cameras; eye: [3], of the client, all on the page. used: numbers of the source
    views of the current frame, which are LIT. ABSENT: too near to the eye.
    """
    found = dict.fromkeys(used, LIT)
    near = np.linalg.norm(centers - eye, axis=1) < CLEAR * length
    return found | dict.fromkeys(np.flatnonzero(near).tolist(), ABSENT)
