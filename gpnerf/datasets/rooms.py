"""Rooms, the built-in data set: furnished scenes, made from seeds on first use."""

from __future__ import annotations

from pathlib import Path

from gpnerf.datasets.layouts import Reading, load_scene
from gpnerf.datasets.scene import Scene
from gpnerf.rooms.cache import prepare

DEFAULTS = Reading()


def load(
    root: Path, seed: int, height: int, width: int, num_views: int, reading: Reading = DEFAULTS
) -> Scene:
    """Loads the room of a seed with `num_views` views in walking order; makes it if it is not on disk."""
    (folder,) = prepare(root, [seed], height, width, num_views)
    return load_scene("transforms", folder.parent, folder.name, reading)
