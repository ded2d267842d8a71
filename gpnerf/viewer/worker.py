"""The one thread that renders for all clients, in turn."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial

from gpnerf.rendering.chunks import GivenUp
from gpnerf.rendering.fade import Sources
from gpnerf.system.errors import GPNeRFError
from gpnerf.viewer.renderer import Rendering
from gpnerf.viewer.session import Client, Task
from gpnerf.viewer.viewpoint import Viewpoint

log = logging.getLogger(__name__)

Render = Callable[[Viewpoint, int, Callable[[], bool], Mapping[Sources, float] | None], Rendering]


class RenderWorker:
    """Renders the most urgent task of all clients; among equal ones, clients take turns.

    A finer frame is given up as soon as a camera moves, of whichever client, and begun again later.
    """

    def __init__(self, render: Render) -> None:
        """render(viewpoint, pixels, wanted, weights): see SceneRenderer.render."""
        self.render = render
        self.clients: list[Client] = []
        self.lock = threading.Lock()
        self.changed, self.stopped = threading.Event(), False
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self.thread.start()

    def stop(self) -> None:
        """Ends the thread after the chunk that it renders."""
        self.stopped = True
        self.wake()
        self.thread.join()

    def wake(self) -> None:
        """Says that a client may have a new task."""
        self.changed.set()

    def join(self, client: Client) -> None:
        """Renders for a client from now on."""
        with self.lock:
            self.clients.append(client)
        self.wake()

    def leave(self, client: Client) -> None:
        """Forgets a client, if it is known; a rendering for it ends once it does not want it any more."""
        with self.lock:
            if client in self.clients:
                self.clients.remove(client)

    def step(self) -> bool:
        """Does the most urgent task; returns whether there was one."""
        waiting = self._waiting()
        if not waiting:
            return False
        client, task = min(waiting, key=lambda one: one[1].level)
        with self.lock:
            # The others come before it next time.
            self.clients.sort(key=lambda one: one is client)
        self._do(client, task)
        return True

    def _run(self) -> None:
        while not self.stopped:
            self.changed.wait()
            self.changed.clear()
            while not self.stopped and self.step():
                pass

    def _waiting(self) -> list[tuple[Client, Task]]:
        """The clients that have a task, with it, those that have waited longest first."""
        with self.lock:
            clients = tuple(self.clients)
        return [(client, task) for client in clients if (task := client.task())]

    def _do(self, client: Client, task: Task) -> None:
        try:
            wanted = partial(self._goes_on, client, task)
            rendering = self.render(task.viewpoint, task.pixels, wanted, task.weights)
            client.finish(task, rendering)
        except GivenUp:
            pass
        except GPNeRFError as error:
            client.fail(task, str(error))
        except Exception as error:  # What fails for one client must not end the frames of the others.
            log.exception("A frame could not be rendered.")
            client.fail(task, f"This frame could not be rendered ({type(error).__name__}); the log says why.")

    def _goes_on(self, client: Client, task: Task) -> bool:
        return not self.stopped and client.wants(task) and not (task.level and self._somebody_moves())

    def _somebody_moves(self) -> bool:
        return any(task.level == 0 for _, task in self._waiting())
