"""Rooms, the built-in data set: furnished scenes, made from seeds on first use."""

from __future__ import annotations

from pathlib import Path

from gpnerf.datasets.layouts import Reading, load_scene
from gpnerf.datasets.scene import Scene
from gpnerf.rooms.cache import prepare
from gpnerf.rooms.shots import Shoot

DEFAULTS = Reading()


def load(root: Path, seed: int, shoot: Shoot, reading: Reading = DEFAULTS) -> Scene:
    """Loads the room of a seed with its views in walking order; makes it if it is not on disk."""
    (folder,) = prepare(root, [seed], shoot)
    return load_scene("transforms", folder.parent, folder.name, reading)
