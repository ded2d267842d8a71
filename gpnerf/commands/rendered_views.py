"""Renders the views of a scene that an export needs; finished ones are kept on disk."""

from __future__ import annotations

import json
import logging
from argparse import Namespace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from gpnerf.commands.opening import open_scene
from gpnerf.commands.options import settle_source_views
from gpnerf.config.fields import from_options
from gpnerf.datasets.fingerprint import fingerprint
from gpnerf.datasets.frame_reader import FrameReader, KeptFrames
from gpnerf.datasets.places import claim
from gpnerf.datasets.run_scenes import describe_ranges
from gpnerf.datasets.views import FrameRule, test_sources
from gpnerf.export.map_folder import MapFolder
from gpnerf.export.view_choice import choose
from gpnerf.methods.registry import method_class
from gpnerf.rendering.photograph import check_renders
from gpnerf.rendering.scene_views import SceneViews
from gpnerf.rendering.view import Quality, RenderedView
from gpnerf.system.devices import choose_device, keep_freed_memory
from gpnerf.system.files import write_whole
from gpnerf.system.scripting import make_folder
from gpnerf.training.checkpoint import Checkpoint
from gpnerf.training.resume import check_scenes

log = logging.getLogger("export")

RECORD = "rendering.json"


class ViewRenderer:
    """The chosen views of one scene, and the folder of their maps.

    options: those of a data set (datasets/options.py), those of rendering, and ExportOptions. names, cameras:
    of the views to render, in their order.
    """

    def __init__(self, options: Namespace, checkpoint: Checkpoint, folder: Path) -> None:
        check_renders(method_class(checkpoint.settings.method), checkpoint.settings.method)
        self.options, self.checkpoint = options, checkpoint
        self.scene = open_scene(options)
        check_scenes(checkpoint, options, [options.scene])
        log.info(describe_ranges([self.scene])[0])
        self.choice = choose(self.scene, from_options(FrameRule, options), options.views)
        self._load_model()
        self.reader = FrameReader(options.height, options.width, KeptFrames(depth=self.model.needs_depth))
        choice = options.num_source_views, options.view_metric
        self.views = SceneViews(self.model, self.scene, self.reader, *choice)
        self.names = [self.scene.index.names[number] for number in self.choice.views]
        self.cameras = self.views.cameras[self.choice.views]
        self.folder = make_folder(folder / "export" / self.scene.name)
        if options.dataset != "rooms":
            claim(self.folder, self.scene.folder)
        range_, names = (self.scene.near, self.scene.far), checkpoint.class_names
        self.maps = MapFolder(self.folder / "maps", *range_, names, options.features)

    def _load_model(self) -> None:
        options = self.options
        keep_freed_memory()
        self.model = self.checkpoint.build().to(choose_device(options.device)).eval()
        self.model.check_size(options.height, options.width)
        self.model.check_depth([self.scene])
        options.method = self.checkpoint.settings.method
        settle_source_views(options, type(self.model))

    def run(self) -> MapFolder:
        """Renders the views that an equal command has not rendered; returns the folder of all."""
        self._drop_others()
        missing = [
            number
            for number, name in zip(self.choice.views, self.names, strict=True)
            if not self.maps.has(name)
        ]
        if len(missing) < len(self.names):
            log.info(f"{len(self.names) - len(missing)} of {len(self.names)} views are kept from before.")
        for number in tqdm(missing, desc=f"rendering {self.scene.name}", unit="view"):
            self.maps.save(self.scene.index.names[number], self._render(number))
        self.maps.write_scene(self.names, self.cameras)
        return self.maps

    def _render(self, number: int) -> RenderedView:
        """Renders a view from its best sources, its own photograph not among them."""
        options, scene = self.options, self.scene
        others = [other for other in self.choice.sources if other != number]
        candidates = self.reader.candidates(scene, number, others)
        chosen = test_sources(candidates, options.num_source_views, options.view_metric, scene.name)
        sources = tuple(others[rank] for rank in chosen.tolist())
        quality = Quality(options.chunk_size, guide=options.guide)
        return self.views.render(candidates.target, {sources: 1.0}, options.precision, quality)

    def _drop_others(self) -> None:
        """Deletes the views that another command has rendered."""
        record, text = self.folder / RECORD, json.dumps(self._made_by())
        if not record.is_file() or record.read_text() != text:
            self.maps.clear()
            write_whole(record, text)

    def _made_by(self) -> dict[str, Any]:
        """All that decides the maps of a view."""
        options = self.options
        return {
            "step": self.checkpoint.step,
            "weights": self.checkpoint.fingerprint(),
            "settings": self.checkpoint.settings.decides_outputs(),
            "precision": options.precision,
            "photographs": fingerprint(self.scene, range(len(self.scene.views))),
            "size": [options.height, options.width],
            "guide": options.guide,
            "source_views": [options.num_source_views, options.view_metric, self.choice.sources],
        }
