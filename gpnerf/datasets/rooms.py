"""The embedded data set: furnished rooms, made from seeds when they are first read."""

from __future__ import annotations

from pathlib import Path

from gpnerf.datasets.layouts import Reading, load_scene
from gpnerf.datasets.scene import Scene
from gpnerf.rooms.cache import prepare


def load(
    root: Path,
    seed: int,
    height: int,
    width: int,
    num_views: int,
    near: float | None = None,
    far: float | None = None,
) -> Scene:
    """The room of a seed with `num_views` views in walking order; made first where it is not kept.

    near, far: z-depth range in metres, if not the room's own.
    """
    (folder,) = prepare(root, [seed], height, width, num_views)
    return load_scene("transforms", folder.parent, folder.name, Reading(near, far))
