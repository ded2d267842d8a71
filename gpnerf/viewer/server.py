"""Serves the page: one rendering thread, and a page for every client that comes."""

from __future__ import annotations

import logging
import math
import socket
import threading
from typing import TYPE_CHECKING, Any

from gpnerf.geometry.trajectories import mean_up, most_central
from gpnerf.system.errors import ConfigError
from gpnerf.viewer.page import Page, Stage
from gpnerf.viewer.viewpoint import Viewpoint

if TYPE_CHECKING:
    from viser import ClientHandle

log = logging.getLogger(__name__)


def viser_module() -> Any:
    """The package viser; raises ConfigError if it is not installed."""
    try:
        import viser
    except ImportError as error:
        raise ConfigError(
            "The viewer needs the package viser, which is not installed; install this project with its "
            'extra: `pip install -e ".[viewer]"`.'
        ) from error
    return viser


def check_free(host: str, port: int) -> None:
    """Raises ConfigError if no server can listen there; viser itself would take another port."""
    try:
        with socket.create_server((host, port)):
            pass
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"Expected a free port {port} on {host}, found: {reason}; choose another --port (0: any free "
            "one) or --host, or stop the program that has it."
        ) from error


class Viewer:
    """The server with its clients."""

    def __init__(self, stage: Stage, start: Viewpoint, host: str, port: int) -> None:
        """start: where clients look from at first. Raises ConfigError if the port is taken."""
        viser = viser_module()
        check_free(host, port)
        # It would log every connection.
        logging.getLogger("websockets").setLevel(logging.WARNING)
        self.stage, self.pages, self.lock = stage, {}, threading.Lock()
        self.server = viser.ViserServer(host, port, label=stage.renderer.scene.name, verbose=False)
        # Sharing would send the page over a server of others.
        self.server.gui.configure_theme(show_share_button=False, show_logo=False)
        self._place(start)
        stage.worker.start()
        threading.Thread(target=stage.thumbnails.fill, args=(self.server,), daemon=True).start()
        self.server.on_client_disconnect(self._leave)
        self.server.on_client_connect(self._come)

    @property
    def address(self) -> str:
        """What a browser opens."""
        return f"http://{self.server.get_host()}:{self.server.get_port()}"

    def stop(self) -> None:
        """Ends the server and the rendering thread."""
        for page in tuple(self.pages.values()):
            page.close()
        self.stage.worker.stop()
        self.server.stop()

    def _place(self, start: Viewpoint) -> None:
        """Places the first camera of every client, upright."""
        poses, world = self.stage.renderer.scene.poses, self.stage.world
        up = mean_up(poses, most_central(poses)).numpy()
        self.server.scene.set_up_direction(up)
        scene, axis = self.stage.renderer.scene, start.camera_to_world[:3, 2].numpy()
        position = world.to_page(start.camera_to_world)[1]
        camera = self.server.initial_camera
        camera.position, camera.up, camera.fov = position, up, math.radians(start.fov)
        camera.look_at = position + world.scale * math.sqrt(scene.near * scene.far) * axis

    def _come(self, client: ClientHandle) -> None:
        page = Page(self.stage, client)
        with self.lock:
            gone = client.client_id not in self.server.get_clients()
            if not gone:
                self.pages[client.client_id] = page
        if gone:
            page.close()

    def _leave(self, client: ClientHandle) -> None:
        with self.lock:
            page = self.pages.pop(client.client_id, None)
        if page is not None:
            page.close()
            log.info(f"Client {client.client_id} has left; nothing is rendered for it any more.")
