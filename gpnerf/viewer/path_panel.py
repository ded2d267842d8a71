"""The part of a page that records a camera path, saves it and renders it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gpnerf.geometry.camera_path import CameraPath
from gpnerf.system.errors import GPNeRFError
from gpnerf.viewer.recorder import FILE_NAME, VIDEO_NAME, PathJob, Recorder, file_of

if TYPE_CHECKING:
    from viser import ClientHandle

    from gpnerf.viewer.page import Page, Stage

SECONDS, SHORTEST, LONGEST = 5.0, 0.5, 120.0


class PathPanel:
    """Buttons of one client: add a key, forget all, save the path, render it."""

    def __init__(self, stage: Stage, client: ClientHandle, page: Page) -> None:
        self.stage, self.client, self.page = stage, client, page
        scene = stage.renderer.scene
        self.recorder = Recorder(stage.levels[-1], math.sqrt(scene.near * scene.far))
        self.job: PathJob | None = None
        with client.gui.add_folder("Camera path"):
            self._add_buttons()

    def close(self) -> None:
        """Ends the rendering of a path, if there is one."""
        if self.job is not None:
            self.job.close()
            self.stage.worker.leave(self.job)
            self.job = None

    def _add_buttons(self) -> None:
        gui = self.client.gui
        self.state = gui.add_markdown("No keys yet.")
        self.seconds = gui.add_number("Seconds", SECONDS, min=SHORTEST, max=LONGEST)
        for label, action in (
            ("Add the camera as key", self._add),
            ("Forget all keys", self._clear),
            (f"Save {FILE_NAME}", self._save),
            ("Render the path", self._render),
        ):
            gui.add_button(label).on_click(action)

    def _add(self, event: Any) -> None:
        self.recorder.add(self.page.viewpoint(self.client.camera))
        self.state.content = f"{len(self.recorder.keys)} keys."

    def _clear(self, event: Any) -> None:
        self.recorder.clear()
        self.state.content = "No keys yet."

    def _save(self, event: Any) -> None:
        path = self._path()
        if path is not None:
            self.client.send_file_download(FILE_NAME, file_of(path), save_immediately=True)

    def _render(self, event: Any) -> None:
        path = self._path()
        if path is not None:
            weights = self.stage.renderer.weights_along(path)
            self.close()
            self.job = PathJob(path, weights, self.page.picture, self._advance, self._report)
            self.stage.worker.join(self.job)

    def _path(self) -> CameraPath | None:
        """The path; None after telling the client why there is none."""
        try:
            return self.recorder.path(self.seconds.value)
        except GPNeRFError as error:
            self._report(str(error))
            return None

    def _advance(self, share: float) -> None:
        self.state.content = f"Rendered {share:.0%} of the path."
        if share == 1.0:
            self.client.send_file_download(VIDEO_NAME, self.job.video(), save_immediately=True)
            self.close()

    def _report(self, sentence: str) -> None:
        self.client.add_notification("Camera path", sentence, color="red")
