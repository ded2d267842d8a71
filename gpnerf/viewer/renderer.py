"""Renders views of one scene with one model; keeps its prepared source views."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from gpnerf.datasets.frame_reader import FrameReader, KeptFrames
from gpnerf.datasets.policies import Candidates
from gpnerf.datasets.scene import Scene
from gpnerf.datasets.views import check_candidates, test_sources
from gpnerf.geometry.cameras import Camera
from gpnerf.methods.method import Method
from gpnerf.rendering.chunks import always
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

    def render(self, viewpoint: Viewpoint, pixels: int, wanted: Callable[[], bool] = always) -> Rendering:
        """Renders about so many pixels; raises GivenUp if `wanted`, asked between chunks, says no."""
        camera = viewpoint.camera(pixels, self.model.smallest_image)
        sources = self._sources(camera)
        device, near, far = self.model.device, self.scene.near, self.scene.far
        with autocast(device, self.precision):
            prepared = self.kept.prepared(sources)
            view = render_view(self.model, prepared, camera.to(device), near, far, self.quality, wanted)
        return Rendering(view, camera, tuple(sources))

    def _sources(self, camera: Camera) -> list[int]:
        candidates = Candidates(camera, self.cameras, self.scene.near, self.scene.far)
        return test_sources(candidates, self.choice.count, self.choice.policy, self.scene.name).tolist()
