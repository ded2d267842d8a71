"""A truncated signed distance volume (Curless and Levoy, 1996), kept only in blocks near surfaces.

Each voxel holds the weighted mean of its signed distances to the surfaces that the views see: above 0 in
front of a surface, below 0 behind it. A distance is measured along z of a view and cut at `truncation`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from skimage.measure import marching_cubes
from torch import Tensor

from gpnerf.export.sight import Surfaces, at
from gpnerf.system.errors import ConfigError

# Voxels along each side of a block.
BLOCK = 8
# Blocks whose voxels are projected at once.
BLOCKS_AT_ONCE = 512
# Voxels of the box around all surfaces that marching cubes may search: about 1 GB.
MOST_VOXELS = 2**27
NOTHING = np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)


class Volume:
    """Blocks of voxels, filled by `add`.

    voxel: side of a voxel; truncation: largest distance that is told apart; both in the units of the poses.
    """

    def __init__(self, voxel: float, truncation: float) -> None:
        self.voxel, self.truncation = voxel, truncation
        self.places = np.zeros((0, 3), np.int32)
        self.distances = self.weights = torch.zeros(0, BLOCK**3)

    @property
    def side(self) -> float:
        """Side of a block in the units of the poses."""
        return BLOCK * self.voxel

    def make_blocks(self, views: Iterable[Surfaces]) -> None:
        """Makes the blocks near the surfaces of all views, empty.

        Raises ConfigError if the box around them is too large.
        """
        steps = 2 * math.ceil(2.0 * self.truncation / self.side) + 1
        reach = torch.linspace(-self.truncation, self.truncation, steps)
        places = self.places
        for view in views:
            near = (view.points(view.known(), reach).reshape(-1, 3) / self.side).floor().int()
            places = np.unique(np.concatenate([places, near.numpy()]), axis=0)
        self._check_size(places)
        self.places = places
        self.distances, self.weights = torch.zeros(2, len(places), BLOCK**3).unbind()

    def _check_size(self, places: np.ndarray) -> None:
        shape = _shape(places)
        voxels = math.prod(shape)
        if voxels > MOST_VOXELS:
            enough = self.voxel * (voxels / MOST_VOXELS) ** (1 / 3)
            raise ConfigError(
                f"Expected at most {MOST_VOXELS} voxels in the box around all surfaces, found "
                f"{' x '.join(map(str, shape))} of side {self.voxel:.3g}; set --voxel to {1.05 * enough:.2g} "
                "or more."
            )

    def add(self, view: Surfaces) -> None:
        """Adds the distances that a view shows."""
        corners = torch.from_numpy(self.places).float() * self.side
        middle = (torch.arange(BLOCK) + 0.5) * self.voxel
        offsets = torch.cartesian_prod(middle, middle, middle)
        for chosen in self._may_show(view, corners).split(BLOCKS_AT_ONCE):
            sight = view.locate(corners[chosen, None] + offsets)
            counts = sight.seen & (sight.before > -self.truncation)
            weight = at(view.weight, sight.pixels) * counts
            total = self.weights[chosen] + weight
            share = weight / total.clamp(min=torch.finfo(total.dtype).tiny)
            old = self.distances[chosen]
            self.distances[chosen] = old + share * (sight.before.clamp(max=self.truncation) - old)
            self.weights[chosen] = total

    def _may_show(self, view: Surfaces, corners: Tensor) -> Tensor:
        """Numbers of the blocks of which a part may lie in the image and before the camera."""
        radius = 0.5 * math.sqrt(3.0) * self.side
        middles = corners + 0.5 * self.side
        sight = view.locate(middles)
        margin = radius * view.camera.intrinsics[0, 0] / sight.depths.clamp(min=radius)
        height, width = view.depth.shape
        last = torch.tensor([width - 1, height - 1])
        inside = (sight.pixels > -margin[:, None]) & (sight.pixels < last + margin[:, None])
        return (inside.all(dim=-1) & (sight.depths > -radius)).nonzero()[:, 0]

    def surface(self) -> tuple[np.ndarray, np.ndarray]:
        """The surface where the distance is 0: vertices float32 [N, 3] and triangles int32 [M, 3].

        Triangles are anticlockwise seen from the side from which they were seen. Both are empty where no view
        has seen a surface.
        """
        dense, known = self._dense()
        whole, before = _whole_cells(known), dense[known] > 0
        if not whole.any() or before.all() or not before.any():
            return NOTHING
        try:
            vertices, triangles, _, _ = marching_cubes(dense, 0.0, mask=whole)
        except RuntimeError:  # no whole cell holds a surface
            return NOTHING
        places = (vertices + 0.5 + BLOCK * self.places.min(axis=0)) * self.voxel
        return places.astype(np.float32), np.ascontiguousarray(triangles, np.int32)

    def _dense(self) -> tuple[np.ndarray, np.ndarray]:
        """The distances in the box around all blocks, and whether each is known."""
        dense, known = np.ones(_shape(self.places), np.float32), np.zeros(_shape(self.places), bool)
        places = self.places - self.places.min(axis=0, initial=np.iinfo(np.int32).max)
        for place, values, weights in zip(places, self.distances, self.weights, strict=True):
            part = tuple(slice(BLOCK * one, BLOCK * (one + 1)) for one in place.tolist())
            dense[part] = values.view(BLOCK, BLOCK, BLOCK).numpy()
            known[part] = (weights > 0).view(BLOCK, BLOCK, BLOCK).numpy()
        return dense, known


def _shape(places: np.ndarray) -> tuple[int, ...]:
    """Voxels along each axis of the box around blocks [N, 3]; nothing for none."""
    if not len(places):
        return (0, 0, 0)
    return tuple(BLOCK * int(side) for side in np.ptp(places, axis=0) + 1)


def _whole_cells(known: np.ndarray) -> np.ndarray:
    """Marks the last corner of every cell of which all eight corners are known, as marching_cubes wants."""
    whole = known.copy()
    for axis in range(3):
        whole &= np.roll(whole, 1, axis)
        # What comes from the other end of the box does not count.
        whole[(slice(None),) * axis + (slice(0, 1),)] = False
    return whole
