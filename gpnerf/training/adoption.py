"""The scene that a model takes over before it trains, where its recipe says so."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace

from gpnerf.datasets.examples import TrainingScene
from gpnerf.datasets.frame_reader import FrameReader, KeptFrames, SourceViews
from gpnerf.datasets.views import scene_sources
from gpnerf.methods.method import Method
from gpnerf.methods.settings import Settings

log = logging.getLogger("train")


def adopt_scene(
    model: Method, settings: Settings, options: Namespace, trained: Sequence[TrainingScene]
) -> Settings:
    """Lets a model take over the one scene of its training, if it does so; returns its settings then.

    A run that resumes does it too, for the shapes; the values then come from its checkpoint.
    """
    if not model.adopts_scene(settings.recipe):
        return settings
    ((scene, _, _),) = trained
    sources = _sources(model, options, trained[0])
    log.info(f"{scene.name} is represented by what its views {', '.join(sources.names)} show.")
    model.adopt_scene(sources, scene.near, scene.far)
    return replace(settings, sizes=model.sizes)


def _sources(model: Method, options: Namespace, trained: TrainingScene) -> SourceViews:
    """The views that stand for a scene, none of which is tested."""
    reader = FrameReader(options.height, options.width, KeptFrames(depth=model.needs_depth))
    scene, frames = trained.scene, list(trained.sources)
    chosen = scene_sources(
        reader.cameras(scene)[frames],
        scene.near,
        scene.far,
        options.num_source_views,
        options.view_metric,
        scene.name,
    )
    return reader.sources(scene, [frames[rank] for rank in chosen.tolist()])
