"""Renders views of one scene for the viewer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gpnerf.datasets.frame_reader import FrameReader, KeptFrames
from gpnerf.datasets.scene import Scene
from gpnerf.datasets.views import check_candidates
from gpnerf.geometry.camera_path import CameraPath
from gpnerf.geometry.cameras import Camera
from gpnerf.methods.method import Method
from gpnerf.rendering.chunks import always
from gpnerf.rendering.fade import Sources
from gpnerf.rendering.scene_views import SceneViews
from gpnerf.rendering.view import Quality, RenderedView, suitable_chunk
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
        self.views = SceneViews(model, scene, reader, choice.count, choice.policy)
        self.cameras = self.views.cameras
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
        weights = weights or {self.views.best(camera): 1.0}
        view = self.views.render(camera, weights, self.precision, self.quality, wanted)
        return Rendering(view, camera, max(weights, key=weights.__getitem__))

    def weights_along(self, path: CameraPath) -> list[dict[Sources, float]]:
        """The weights of the sets of source views of every frame, which change as rarely as they can."""
        chosen = self.views.along(path)
        return [self.views.weights(path, chosen, number) for number in range(len(path))]
