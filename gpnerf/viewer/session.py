"""What one client looks at, and what is to be rendered for it next; knows no browser and no network."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gpnerf.rendering.fade import Sources
from gpnerf.rendering.video_pictures import COLOR
from gpnerf.viewer.renderer import Rendering
from gpnerf.viewer.viewpoint import Viewpoint

# Pixels of the frame while the camera moves, and of the first one once it rests.
COARSE, FINE = 64 * 48, 128 * 96


def levels_of(height: int, width: int) -> tuple[int, ...]:
    """The numbers of pixels of the frames of one view, one after the other; the last is that of the scene."""
    return tuple(sorted({COARSE, FINE, max(FINE, height * width)}))


@dataclass(frozen=True, eq=False)
class Task:
    """A frame to render.

    level: its place in the order of urgency; 0 is for a camera that moves. weights: see SceneRenderer.render.
    """

    viewpoint: Viewpoint
    pixels: int
    level: int
    weights: Mapping[Sources, float] | None = None


class Client(Protocol):
    """Somebody who waits for frames."""

    def task(self) -> Task | None:
        """What is to be rendered next; None: nothing."""

    def wants(self, task: Task) -> bool:
        """Whether a task that was begun still serves."""

    def finish(self, task: Task, rendering: Rendering) -> None:
        """Takes the result of a task."""

    def fail(self, task: Task, sentence: str) -> None:
        """Takes the reason why a task has no result; it is not given out again."""


class Session:
    """The camera of one client, and how it wants to see its frames.

    rendering: the last frame. mode: one of Painter.modes. hidden: numbers of the hidden classes.

    Each new camera starts with a coarse frame, and as long as the camera rests, finer ones follow. A finer
    frame is given up when the camera moves. A coarse one is finished, or else a camera that never rests would
    show nothing; the next one is of the newest camera, and those between are never rendered.
    """

    def __init__(
        self,
        levels: Sequence[int],
        show: Callable[[Rendering], None],
        report: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        """levels: see `levels_of`. show: takes each frame. report: takes a sentence about a fault. changed:
        called when there may be a new task.
        """
        self.levels, self.show, self.report, self.changed = tuple(levels), show, report, changed
        self.lock = threading.Lock()
        self.current: Task | None = None
        self.rendering: Rendering | None = None
        self.mode, self.hidden = COLOR, frozenset[int]()
        self.closed = False

    def toggle(self, number: int) -> bool:
        """Hides a class or shows it again; returns whether it is hidden now."""
        self.hidden ^= {number}
        return number in self.hidden

    def look(self, viewpoint: Viewpoint) -> None:
        """Takes a new camera; the same one again changes nothing."""
        with self.lock:
            if self.current is not None and viewpoint.same_as(self.current.viewpoint):
                return
            self.current = self._at(0, viewpoint)
        self.changed()

    def close(self) -> None:
        """Ends all work for a client that has gone."""
        self.closed = True

    def task(self) -> Task | None:
        current = self.current
        return None if self.closed or current is None or current.level == len(self.levels) else current

    def wants(self, task: Task) -> bool:
        return not self.closed and (task.level == 0 or task is self.current)

    def finish(self, task: Task, rendering: Rendering) -> None:
        if self.wants(task):
            self._go_on(task, task.level + 1)
            self.rendering = rendering
            self.show(rendering)

    def fail(self, task: Task, sentence: str) -> None:
        if not self.closed:
            self._go_on(task, len(self.levels))
            self.report(sentence)

    def _go_on(self, task: Task, level: int) -> None:
        """Goes on from a task to a level of the same view, unless the camera has moved."""
        with self.lock:
            if self.current is task:
                self.current = self._at(level, task.viewpoint)

    def _at(self, level: int, viewpoint: Viewpoint) -> Task:
        """The task of a level; behind the last one there is nothing to render."""
        return Task(viewpoint, (*self.levels, 0)[level], level)
