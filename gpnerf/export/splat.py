"""Writes points as Gaussians in the form of a PLY file that viewers of 3D Gaussian splatting read.

The form is that of Kerbl et al., "3D Gaussian Splatting" (2023): colours are the first coefficients of
spherical harmonics, opacities are logits, scales are logarithms, and rotations are quaternions (w, x, y, z).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gpnerf.export.cloud import Cloud
from gpnerf.export.ply import structured, write_ply

# The constant basis function of spherical harmonics, 1 / (2 sqrt(pi)).
SH_0 = 0.28209479177387814
# Opacity of all Gaussians: they stand for surfaces.
OPACITY = 0.99
# Standard deviation as a share of the distance between neighbouring points: neighbours then cover the gap.
SHARE = 0.6


def write_splats(path: Path, cloud: Cloud) -> None:
    """Writes one round Gaussian per point."""
    count = len(cloud.positions)
    zero, one = np.zeros(count, np.float32), np.ones(count, np.float32)
    colors = ((cloud.look.colors / 255.0 - 0.5) / SH_0).astype(np.float32)
    opacity = np.full(count, np.log(OPACITY / (1.0 - OPACITY)), np.float32)
    scale = np.log(SHARE * cloud.spacing).astype(np.float32)
    columns = dict(zip("xyz", cloud.positions.T, strict=True))
    columns |= dict.fromkeys(("nx", "ny", "nz"), zero)
    columns |= {f"f_dc_{channel}": colors[:, channel] for channel in range(3)}
    columns |= {"opacity": opacity, **dict.fromkeys(("scale_0", "scale_1", "scale_2"), scale)}
    columns |= {"rot_0": one, **dict.fromkeys(("rot_1", "rot_2", "rot_3"), zero)}
    write_ply(path, structured(**columns))
