"""Exports a scene from its options: maps of its views, labelled points, Gaussians, or a mesh."""

from __future__ import annotations

import logging
import math
from argparse import Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path

from tqdm import tqdm

from gpnerf.commands.rendered_views import ViewRenderer
from gpnerf.datasets.instances import are_objects
from gpnerf.export.agreement import Rule
from gpnerf.export.cloud import Cloud, CloudFusion
from gpnerf.export.formats import write_cloud, write_mesh, write_objects
from gpnerf.export.glb import write_glb
from gpnerf.export.map_folder import MapFolder
from gpnerf.export.mesh import Mesh, MeshFusion
from gpnerf.export.options import MAPS, MESH, PLY, SPLAT
from gpnerf.export.splat import write_splats
from gpnerf.export.views import FusedViews
from gpnerf.system.errors import ConfigError, DataError
from gpnerf.training.checkpoint import Checkpoint

log = logging.getLogger("export")

# Defaults of --voxel and --truncation, as shares of the middle of the depth range.
VOXEL, TRUNCATION = 0.01, 0.12


class SceneExport:
    """One scene, one format."""

    def __init__(self, options: Namespace, checkpoint: Checkpoint, folder: Path) -> None:
        """folder: of the run or of the model; files go to export/SCENE in it."""
        _check(options, checkpoint)
        self.options = options
        self.renderer = ViewRenderer(options, checkpoint, folder)
        if not checkpoint.class_names:
            log.info("The model has no classes: labels are left out.")

    def run(self) -> list[Path]:
        """Renders the missing views and writes the files of the format; returns their paths."""
        maps = self.renderer.run()
        writers = {MAPS: self._maps, PLY: self._cloud, SPLAT: self._splats, MESH: self._mesh}
        return writers[self.options.format](maps)

    @property
    def _rule(self) -> Rule:
        return Rule(self.options.agree, self.options.tolerance)

    def _views(self, maps: MapFolder) -> FusedViews:
        return FusedViews(maps, self.renderer.names, self.renderer.cameras)

    def _maps(self, maps: MapFolder) -> list[Path]:
        return [maps.folder]

    def _cloud(self, maps: MapFolder) -> list[Path]:
        cloud, path = self._points(maps), self.renderer.folder / "cloud.ply"
        write_cloud(path, cloud, maps)
        objects = self.options.per_object
        return [path, *(write_objects(self.renderer.folder / "objects", cloud, maps) if objects else ())]

    def _splats(self, maps: MapFolder) -> list[Path]:
        path = self.renderer.folder / "splats.ply"
        write_splats(path, self._points(maps))
        return [path]

    def _points(self, maps: MapFolder) -> Cloud:
        views = self._views(maps)
        cloud = CloudFusion(views, self._rule).run(progress(range(len(views)), "fusing"))
        return self._not_empty(cloud, len(cloud.positions))

    def _mesh(self, maps: MapFolder) -> list[Path]:
        scene, options = self.renderer.scene, self.options
        middle = math.sqrt(scene.near * scene.far)
        voxel, truncation = options.voxel or VOXEL * middle, options.truncation or TRUNCATION * middle
        mesh = MeshFusion(self._views(maps), self._rule, voxel, truncation, progress).run()
        self._not_empty(mesh, len(mesh.triangles))
        path, glb = (self.renderer.folder / f"mesh.{end}" for end in ("ply", "glb"))
        write_mesh(path, mesh, maps)
        try:
            write_glb(glb, mesh)
        except ConfigError as error:
            log.warning(f"Warning: {error}")
            return [path]
        return [path, glb]

    def _not_empty(self, fused: Cloud | Mesh, count: int) -> Cloud | Mesh:
        if not count:
            views, options = len(self.renderer.names), self.options
            raise DataError(
                f"{self.renderer.scene.name}: expected surfaces on which {options.agree} views agree to "
                f"{options.tolerance:.0%} of their depth, found none among {views} views; lower --agree, "
                "raise --tolerance, or render more views with --views all."
            )
        return fused


def progress(numbers: Sequence[int], doing: str) -> Iterable[int]:
    """Shows how many of the numbers are done, and the time left."""
    return tqdm(numbers, desc=doing)


def _check(options: Namespace, checkpoint: Checkpoint) -> None:
    """Raises ConfigError if the model has no features or objects, but they are wanted."""
    if options.features and not checkpoint.class_names:
        raise ConfigError(
            "Expected a model with classes for --features yes, found one without; leave the option out."
        )
    objects = are_objects(checkpoint.class_names)
    if options.per_object and not (objects and options.format == PLY):
        found = f"--format {options.format}" if objects else "a model without objects"
        raise ConfigError(
            "Expected --format ply and a model of --target instance for a file per object, found "
            f"{found}; leave --per_object out."
        )
