"""Options of an export."""

from __future__ import annotations

from dataclasses import dataclass

from gpnerf.config.fields import option
from gpnerf.config.types import above_zero, amount, positive, yes_or_no
from gpnerf.export.view_choice import TRAIN, chosen_views

FORMATS = MAPS, PLY, SPLAT, MESH = ("maps", "ply", "splat", "mesh")
LEAST, TOLERANCE = 3, 0.05


@dataclass(frozen=True)
class ExportOptions:
    """What to export of a scene, and how its rendered views are fused."""

    format: str = option(
        MAPS,
        "maps (default): color, depth and labels of each view, as a scene in transforms.json; ply: labelled "
        "points; splat: the same points as Gaussians, for viewers of 3D Gaussian splatting; mesh: a mesh "
        "with colors and labels, as .ply and .glb",
        choices=FORMATS,
    )
    views: str = option(
        TRAIN,
        "views to render: train (default), test, all, or START:STOP:STEP. The photographs of test frames are "
        "sources with all alone",
        chosen_views,
    )
    features: bool = option(False, "maps: also write the semantic features of each view, as .npz", yes_or_no)
    agree: int = option(
        LEAST,
        "ply, splat, mesh: a surface counts where so many views, its own among them, agree (default: "
        f"{LEAST})",
        positive,
    )
    tolerance: float = option(
        TOLERANCE,
        "ply, splat, mesh: largest difference of two depths that agree, as a share of the depth (default: "
        f"{TOLERANCE})",
        amount,
    )
    per_object: bool = option(
        False, "ply: also write a file per object, for a model of --target instance", yes_or_no
    )
    voxel: float | None = option(
        None,
        "mesh: side of a voxel in the units of the poses (default: 1%% of the middle of the depth range)",
        above_zero,
    )
    truncation: float | None = option(
        None,
        "mesh: largest distance from a surface that is fused, in the units of the poses (default: 12%% of "
        "the middle of the depth range)",
        above_zero,
    )
