"""The scene and the model that the viewer's options name."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Collection
from pathlib import Path
from typing import Any

from gpnerf.datasets.discover import find_scene
from gpnerf.datasets.run_scenes import load_scenes
from gpnerf.datasets.scene import Scene
from gpnerf.geometry.trajectories import most_central
from gpnerf.rendering.video_pictures import Look
from gpnerf.system.devices import choose_device, keep_freed_memory
from gpnerf.system.errors import ConfigError
from gpnerf.training.checkpoint import Checkpoint
from gpnerf.training.resume import check_scenes
from gpnerf.viewer.page import Stage
from gpnerf.viewer.pictures import Painter
from gpnerf.viewer.renderer import SceneRenderer, SourceChoice
from gpnerf.viewer.session import COARSE
from gpnerf.viewer.viewpoint import Viewpoint
from gpnerf.viewer.worker import RenderWorker

# What the training says of its sources holds for any scene, the rest only for scenes of its data set.
OF_SOURCES = ("num_source_views", "view_metric")
DATA = "data"


def trained_with(checkpoint: Checkpoint, scene: str | None, known: Collection[str]) -> dict[str, Any]:
    """The options of a model's training that are also options of the viewer.

    scene: as the user names it; for the folder of a scene, only the choice of sources is taken.
    """
    names = OF_SOURCES if scene and Path(scene).is_dir() else known
    found = {name: checkpoint.options[name] for name in names if name in checkpoint.options}
    root = found.get("data_root")
    if root and not Path(root).is_dir():
        # A model that was passed on keeps only the name of the folder.
        found["data_root"] = str(Path(DATA) / Path(root).name)
    return found


def open_scene(options: Namespace) -> Scene:
    """The scene --scene: a folder, or a name in --data_root; settles height and width in `options`.

    Raises ConfigError or DataError if there is none.
    """
    name = options.scene or next(iter(options.test_scenes), None)
    if name is None:
        raise ConfigError("Expected a scene to look around in, found none; name it with --scene.")
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


def open_stage(options: Namespace, checkpoint: Checkpoint) -> tuple[Stage, Viewpoint]:
    """All that the pages share, and where they first look from.

    Renders one coarse frame, of which the colours are taken: what cannot be rendered is refused here.
    """
    scene = open_scene(options)
    check_scenes(checkpoint, options, [options.scene])
    model = checkpoint.build().to(choose_device(options.device)).eval()
    keep_freed_memory()
    count = model.source_views if options.num_source_views is None else options.num_source_views
    choice = SourceChoice(options.height, options.width, count, options.view_metric)
    renderer = SceneRenderer(model, scene, choice, options.precision)
    start = _start(renderer)
    view = renderer.render(start, COARSE).view
    painter = Painter(checkpoint.class_names, Look.fit(view), view.instances is not None)
    return Stage(renderer, painter, RenderWorker(renderer.render)), start


def _start(renderer: SceneRenderer) -> Viewpoint:
    """The view of the most central camera."""
    poses = renderer.scene.poses
    number = (poses == most_central(poses)).flatten(1).all(dim=1).nonzero()[0].item()
    return Viewpoint.of(renderer.cameras[number])
