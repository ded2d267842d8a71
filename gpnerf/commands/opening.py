"""The scene that --scene names, and the options of the training of a model that holds for it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Collection
from pathlib import Path
from typing import Any

from gpnerf.commands.options import parse_options
from gpnerf.config.parser import Parser
from gpnerf.datasets.discover import find_scene
from gpnerf.datasets.options import FRAMES, PLACE
from gpnerf.datasets.run_scenes import load_scenes
from gpnerf.datasets.scene import Scene
from gpnerf.system.errors import ConfigError
from gpnerf.training.checkpoint import Checkpoint

# What the training says of its sources holds for any scene, the rest only for scenes of its data set.
OF_SOURCES = ("num_source_views", "view_metric")
DATA = "data"


def trained_with(checkpoint: Checkpoint, scene: str | None, known: Collection[str]) -> dict[str, Any]:
    """The options of a model's training that are among the `known` ones.

    scene: as the user names it; for the folder of a scene, only the choice of sources is taken.
    """
    names = OF_SOURCES if scene and Path(scene).is_dir() else known
    found = {name: checkpoint.options[name] for name in names if name in checkpoint.options}
    root = found.get("data_root")
    if root and not Path(root).is_dir():
        # A model that was passed on keeps only the name of the folder.
        found["data_root"] = str(Path(DATA) / Path(root).name)
    return found


def take_training_options(
    parser: Parser, checkpoint: Checkpoint, scene: str | None, config: str | None
) -> None:
    """Makes the options that choose scenes, frames and sources default to those of --config, or of a model.

    scene: as in trained_with.
    """
    shared = parser.names_in((PLACE, FRAMES))
    if config:
        of_run = vars(parse_options("", ["--config", config]))
        parser.set_defaults(**{name: of_run[name] for name in shared})
    else:
        parser.set_defaults(**trained_with(checkpoint, scene, shared))


def open_scene(options: Namespace) -> Scene:
    """The scene --scene: a folder, or a name in --data_root; settles height and width in `options`.

    Raises ConfigError or DataError if there is none.
    """
    name = options.scene or next(iter(options.test_scenes), None)
    if name is None:
        raise ConfigError("Expected a scene, found none; name it with --scene.")
    if Path(name).is_dir():
        options.dataset, options.data_root, name = find_scene(Path(name))
    elif options.dataset == "rooms" and not name.isdigit():
        raise ConfigError(
            f"--scene: expected the folder of a scene or the seed of a room, such as 1000, found {name!r}, "
            "which is neither; correct it."
        )
    elif options.dataset != "rooms" and not (Path(options.data_root) / name).is_dir():
        raise ConfigError(
            f"--scene: expected the folder of a scene, or of one in {options.data_root}, found {name!r}, "
            "which is neither; correct it, or name another --data_root."
        )
    options.scene = name
    return load_scenes(options, [name])[0]
