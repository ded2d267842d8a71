"""What one client sees and operates: the picture behind the frusta, and a panel."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from gpnerf.datasets.labels import class_colors
from gpnerf.rendering.video_pictures import COLOR, INSTANCES, LABELS
from gpnerf.viewer.path_panel import PathPanel
from gpnerf.viewer.picking import describe, pixel_at
from gpnerf.viewer.pictures import Painter
from gpnerf.viewer.renderer import Rendering, SceneRenderer
from gpnerf.viewer.session import Session, levels_of
from gpnerf.viewer.thumbnails import ClientThumbnails, Thumbnails
from gpnerf.viewer.viewpoint import PageWorld, Viewpoint
from gpnerf.viewer.worker import RenderWorker

if TYPE_CHECKING:
    from viser import CameraHandle, ClientHandle, SceneClickEvent

# Legends longer than this start folded.
LONG_LEGEND = 20
HIDDEN = (70, 70, 70)


class Stage:
    """What the pages of all clients share."""

    def __init__(self, renderer: SceneRenderer, painter: Painter, worker: RenderWorker) -> None:
        self.renderer, self.painter, self.worker = renderer, painter, worker
        scene, choice = renderer.scene, renderer.choice
        self.world = PageWorld.around(scene.poses, scene.far)
        self.thumbnails = Thumbnails(renderer, self.world)
        self.levels = levels_of(choice.height, choice.width)


class Page:
    """The page of one client."""

    def __init__(self, stage: Stage, client: ClientHandle) -> None:
        self.stage, self.client = stage, client
        self.session = Session(stage.levels, self._show, self._report, stage.worker.wake)
        self.thumbnails = ClientThumbnails(stage.thumbnails, client)
        self._add_panel()
        self.path = PathPanel(stage, client, self)
        self._add_legend()
        client.scene.on_click()(self._pick)
        client.camera.on_update(self._look)
        stage.worker.join(self.session)
        self.session.look(self.viewpoint(client.camera))

    def close(self) -> None:
        """Ends all work for the client."""
        self.session.close()
        self.path.close()
        self.stage.worker.leave(self.session)

    def viewpoint(self, camera: CameraHandle) -> Viewpoint:
        """Where the client looks from."""
        pose = self.stage.world.to_scene(camera.wxyz, camera.position)
        return Viewpoint(pose, math.degrees(camera.fov), camera.aspect)

    def picture(self, rendering: Rendering) -> np.ndarray:
        """The picture of a rendering as the client wants it, uint8 [H, W, 3]."""
        return self.stage.painter.picture(rendering.view, self.session.mode, self.session.hidden)

    def _add_panel(self) -> None:
        gui = self.client.gui
        gui.add_dropdown("Show", self.stage.painter.modes, initial_value=COLOR).on_update(self._choose)
        cameras = gui.add_checkbox("Source cameras", True)
        cameras.on_update(lambda event: self.thumbnails.show(event.target.value))
        self.status = gui.add_markdown("")
        with gui.add_folder("Pixel"):
            self.pixel = gui.add_markdown("Click into the picture.")

    def _add_legend(self) -> None:
        """Adds a button for every class, if there are any."""
        gui, names = self.client.gui, self.stage.painter.class_names
        if not names:
            return
        with gui.add_folder("Classes: click to hide", expand_by_default=len(names) <= LONG_LEGEND):
            for number, (name, color) in enumerate(zip(names, class_colors(names).tolist(), strict=True)):
                button = gui.add_button(name, color=tuple(color))
                button.on_click(partial(self._toggle, number, name, tuple(color)))

    def _choose(self, event: Any) -> None:
        self.session.mode = event.target.value
        self._paint()

    def _toggle(self, number: int, name: str, color: tuple[int, int, int], event: Any) -> None:
        """Hides a class, or shows it again."""
        hidden = self.session.toggle(number)
        event.target.label, event.target.color = (f"{name} (hidden)", HIDDEN) if hidden else (name, color)
        self._paint()

    async def _look(self, camera: CameraHandle) -> None:
        """Takes the client's camera; async, so that cameras come in order."""
        self.session.look(self.viewpoint(camera))

    def _show(self, rendering: Rendering) -> None:
        self._paint()
        eye = self.stage.world.to_page(rendering.camera.camera_to_world)[1]
        self.thumbnails.update(eye, rendering.sources)
        names = [self.stage.renderer.scene.index.names[number] for number in rendering.sources]
        size = f"{rendering.camera.width}x{rendering.camera.height} pixels"
        self.status.content = f"{size} from {', '.join(names)}" if names else size

    def _paint(self) -> None:
        rendering = self.session.rendering
        if rendering is not None:
            # JPEG would mix the colours of two classes at their border.
            form = "png" if self.session.mode in (LABELS, INSTANCES) else "jpeg"
            depth = self.stage.world.scale * rendering.view.depth.numpy()
            self.client.scene.set_background_image(self.picture(rendering), form, depth=depth)

    def _pick(self, event: SceneClickEvent) -> None:
        rendering = self.session.rendering
        if rendering is not None:
            renderer = self.stage.renderer
            pixel = pixel_at(rendering, *event.screen_pos, renderer.cameras)
            names = renderer.scene.index.names
            self.pixel.content = describe(pixel, self.stage.painter.class_names, names)

    def _report(self, sentence: str) -> None:
        self.client.add_notification("Not rendered", sentence, color="red")
