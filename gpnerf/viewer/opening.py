"""The scene and the model that the viewer's options name."""

from __future__ import annotations

from argparse import Namespace

from gpnerf.commands.opening import open_scene
from gpnerf.geometry.trajectories import most_central
from gpnerf.rendering.video_pictures import Look
from gpnerf.system.devices import choose_device, keep_freed_memory
from gpnerf.training.checkpoint import Checkpoint
from gpnerf.training.resume import check_scenes
from gpnerf.viewer.page import Stage
from gpnerf.viewer.pictures import Painter
from gpnerf.viewer.renderer import SceneRenderer, SourceChoice
from gpnerf.viewer.session import COARSE
from gpnerf.viewer.viewpoint import Viewpoint
from gpnerf.viewer.worker import RenderWorker


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
