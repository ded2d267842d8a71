"""Renders views of one scene with one model; keeps its prepared source views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from gpnerf.datasets.frame_reader import FrameReader, KeptFrames
from gpnerf.datasets.path_sources import sources_along, without_strangers
from gpnerf.datasets.policies import Candidates
from gpnerf.datasets.scene import Scene
from gpnerf.datasets.views import check_candidates, test_sources
from gpnerf.geometry.camera_path import CameraPath
from gpnerf.geometry.cameras import Camera
from gpnerf.methods.method import Method
from gpnerf.rendering.chunks import always
from gpnerf.rendering.fade import Sources, blend, fade_half, fade_weights
from gpnerf.rendering.view import Quality, RenderedView, SourceCache, render_view, suitable_chunk
from gpnerf.system.devices import autocast
from gpnerf.viewer.viewpoint import Viewpoint

# Share of the suitable number of rays that is rendered at a time, as a rendering ends only between chunks.
CHUNK_SHARE = 2


@dataclass(frozen=True)
class SourceChoice:
    """How source views are chosen: their height and width in pixels, their number, and the policy."""

    height: int
    width: int
    count: int
    policy: str


@dataclass(frozen=True, eq=False)
class Rendering:
    """A rendered view, the camera that it shows, and the numbers of its source views in the scene."""

    view: RenderedView
    camera: Camera
    sources: tuple[int, ...]


class SceneRenderer:
    """One model, in evaluation mode, and one scene. Views are rendered by one thread at a time."""

    def __init__(self, model: Method, scene: Scene, choice: SourceChoice, precision: str) -> None:
        """Raises DataError for a scene without what the model needs, ConfigError for sides too short."""
        model.check_size(choice.height, choice.width)
        model.check_depth([scene])
        check_candidates(len(scene.views), choice.count, scene.name)
        self.model, self.scene, self.choice, self.precision = model, scene, choice, precision
        reader = FrameReader(choice.height, choice.width, KeptFrames(depth=model.needs_depth))
        self.cameras = reader.cameras(scene)
        self.kept = SourceCache(model, partial(reader.sources, scene), scene.near, scene.far)
        self.quality = Quality(max(1, suitable_chunk(model, choice.count) // CHUNK_SHARE))

    def render(
        self,
        viewpoint: Viewpoint,
        pixels: int,
        wanted: Callable[[], bool] = always,
        weights: Mapping[Sources, float] | None = None,
    ) -> Rendering:
        """Renders about so many pixels; raises GivenUp if `wanted`, asked between chunks, says no.

        weights: of the sets of source views to blend, None for the best set alone.
        """
        camera = viewpoint.camera(pixels, self.model.smallest_image)
        weights = weights or {self._sources(camera): 1.0}
        with autocast(self.model.device, self.precision):
            views = [self._render_from(sources, camera, wanted) for sources in weights]
            view = blend(self.model, views, list(weights.values()))
        return Rendering(view, camera, max(weights, key=weights.__getitem__))

    def weights_along(self, path: CameraPath) -> list[dict[Sources, float]]:
        """The weights of the sets of source views of every frame, which change as rarely as they can."""
        frames = [self._candidates(path.cameras[number]) for number in range(len(path))]
        chosen = sources_along(frames, self.choice.count, self.choice.policy, self.scene.name)
        faded = (fade_weights(chosen, number, fade_half(path.fps)) for number in range(len(path)))
        return [without_strangers(*one) for one in zip(faded, frames, chosen, strict=True)]

    def _render_from(self, sources: Sources, camera: Camera, wanted: Callable[[], bool]) -> RenderedView:
        prepared, on_device = self.kept.prepared(sources), camera.to(self.model.device)
        near, far = self.scene.near, self.scene.far
        return render_view(self.model, prepared, on_device, near, far, self.quality, wanted)

    def _sources(self, camera: Camera) -> Sources:
        policy, name = self.choice.policy, self.scene.name
        return tuple(test_sources(self._candidates(camera), self.choice.count, policy, name).tolist())

    def _candidates(self, camera: Camera) -> Candidates:
        """The cameras of all photographs, as source views of a camera."""
        camera = replace(camera, intrinsics=camera.intrinsics.float())
        return Candidates(camera, self.cameras, self.scene.near, self.scene.far)
