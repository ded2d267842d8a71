"""Views of one scene by one model: from the source views that suit their camera, faded where these change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from gpnerf.datasets.frame_reader import FrameReader
from gpnerf.datasets.path_sources import sources_along, without_strangers
from gpnerf.datasets.policies import Candidates
from gpnerf.datasets.scene import Scene
from gpnerf.datasets.views import test_sources
from gpnerf.geometry.camera_path import CameraPath
from gpnerf.geometry.cameras import Camera
from gpnerf.methods.method import Method
from gpnerf.rendering.chunks import always
from gpnerf.rendering.fade import Sources, blend, fade_half, fade_weights
from gpnerf.rendering.view import Quality, RenderedView, SourceCache, render_view
from gpnerf.system.devices import autocast


class SceneViews:
    """A model in evaluation mode and a scene, whose prepared source views are kept.

    cameras: of all photographs.
    """

    def __init__(self, model: Method, scene: Scene, reader: FrameReader, count: int, policy: str) -> None:
        """count: number of source views; policy: how they are chosen, of datasets/policies.py."""
        self.model, self.scene, self.count, self.policy = model, scene, count, policy
        self.cameras = reader.cameras(scene)
        self.kept = SourceCache(model, partial(reader.sources, scene), scene.near, scene.far)

    def candidates(self, camera: Camera) -> Candidates:
        """The cameras of all photographs, as source views of a camera."""
        camera = replace(camera, intrinsics=camera.intrinsics.float())
        return Candidates(camera, self.cameras, self.scene.near, self.scene.far)

    def best(self, camera: Camera) -> Sources:
        """The source views that the policy chooses for a camera."""
        chosen = test_sources(self.candidates(camera), self.count, self.policy, self.scene.name)
        return tuple(chosen.tolist())

    def along(self, path: CameraPath) -> list[Sources]:
        """The source views of every frame of a path, which change as rarely as they can."""
        frames = (self.candidates(path.cameras[number]) for number in range(len(path)))
        return sources_along(frames, self.count, self.policy, self.scene.name)

    def weights(self, path: CameraPath, chosen: Sequence[Sources], number: int) -> dict[Sources, float]:
        """The sets from which a frame is rendered -> their weights: where sets change, those around too.

        chosen: the set of every frame, from `along`.
        """
        weights = fade_weights(chosen, number, fade_half(path.fps))
        return without_strangers(weights, self.candidates(path.cameras[number]), chosen[number])

    def render(
        self,
        camera: Camera,
        weights: Mapping[Sources, float],
        precision: str,
        quality: Quality,
        wanted: Callable[[], bool] = always,
    ) -> RenderedView:
        """Renders a camera from sets of source views, blended by their weights. wanted: see render_view."""
        near, far = self.scene.near, self.scene.far
        camera = self.candidates(camera).target.to(self.model.device)
        with autocast(self.model.device, precision):
            views = [
                render_view(self.model, self.kept.prepared(sources), camera, near, far, quality, wanted)
                for sources in weights
            ]
            return blend(self.model, views, list(weights.values()))
