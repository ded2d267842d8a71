"""The source cameras on the page: frusta with small photographs, lit for those in use by a client."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from gpnerf.media.visualize import colors
from gpnerf.system.errors import DataError
from gpnerf.viewer.frusta import ABSENT, LIT, drawn, length_of, states
from gpnerf.viewer.renderer import SceneRenderer
from gpnerf.viewer.viewpoint import PageWorld, size_of

if TYPE_CHECKING:
    from viser import ClientHandle, SceneApi, ViserServer

log = logging.getLogger(__name__)

# Pixels of a photograph on its frustum.
THUMBNAIL = 64 * 48
COLOR, LIT_COLOR = (90, 90, 90), (255, 150, 0)
PARENT = "/cameras"


class Thumbnails:
    """The frusta of a scene. Clients see those of the server, with variants of their own above some."""

    def __init__(self, renderer: SceneRenderer, world: PageWorld) -> None:
        self.scene, self.cameras = renderer.scene, renderer.cameras
        self.poses = [world.to_page(pose) for pose in self.cameras.camera_to_world]
        self.centers = np.array([position for _, position in self.poses])
        self.length = length_of(self.centers)
        self.images: dict[int, np.ndarray | None] = {}

    def fill(self, server: ViserServer) -> None:
        """Draws all frusta that everybody sees; reads their photographs."""
        server.scene.add_frame(PARENT, show_axes=False)
        for number in drawn(len(self.centers)):
            self.draw(server.scene, number, COLOR)

    def draw(self, scene: SceneApi, number: int, color: tuple[int, int, int], visible: bool = True) -> None:
        """Draws the frustum of a view."""
        quaternion, position = self.poses[number]
        focal, (height, width) = self.cameras.intrinsics[number, 1, 1].item(), self._size
        scene.add_camera_frustum(
            name_of(number),
            fov=2.0 * math.atan(0.5 * height / focal),
            aspect=width / height,
            scale=self.length,
            thickness=0.02 * self.length,
            color=color,
            image=self._image(number),
            wxyz=quaternion,
            position=position,
            visible=visible,
        )

    @property
    def _size(self) -> tuple[int, int]:
        return self.cameras.height, self.cameras.width

    def _image(self, number: int) -> np.ndarray | None:
        """The small photograph of a view, None if it cannot be read."""
        if number not in self.images:
            height, width = self._size
            try:
                size = size_of(width / height, THUMBNAIL)
                self.images[number] = colors(self.scene.read_image(number, *size))
            except DataError as error:
                log.warning(f"Warning: {error}")
                self.images[number] = None
        return self.images[number]


class ClientThumbnails:
    """The variants of frusta that one client sees: lit, or absent."""

    def __init__(self, thumbnails: Thumbnails, client: ClientHandle) -> None:
        self.thumbnails, self.client = thumbnails, client
        self.states: dict[int, str] = {}

    def show(self, visible: bool) -> None:
        """Shows or hides all frusta."""
        self.client.scene.add_frame(PARENT, show_axes=False, visible=visible)

    def update(self, eye: np.ndarray, used: Collection[int]) -> None:
        """Draws what has changed. eye: [3], of the client on the page; used: source views in use."""
        all_of = self.thumbnails
        wanted = states(all_of.centers, eye, used, all_of.length)
        for number in self.states.keys() - wanted.keys():
            self.client.scene.remove_by_name(name_of(number))
        for number, state in wanted.items():
            if self.states.get(number) != state:
                all_of.draw(self.client.scene, number, LIT_COLOR if state == LIT else COLOR, state != ABSENT)
        self.states = wanted


def name_of(number: int) -> str:
    """The name of a frustum in viser's tree."""
    return f"{PARENT}/{number}"
