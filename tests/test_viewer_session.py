"""What the viewer renders next: coarse while a camera moves, finer while it rests, clients in turn."""

from __future__ import annotations

import threading

import pytest
import torch
from helpers import camera_at, prepared, tiny_example, tiny_model

from gpnerf.rendering.chunks import GivenUp
from gpnerf.rendering.view import Quality, RenderedView, render_view
from gpnerf.system.errors import DataError
from gpnerf.viewer.renderer import Rendering
from gpnerf.viewer.session import COARSE, FINE, Session, levels_of
from gpnerf.viewer.viewpoint import Viewpoint
from gpnerf.viewer.worker import RenderWorker

LEVELS = (COARSE, FINE)
# Seconds within which a thread does its work, on a machine that does many other things.
PATIENCE = 30.0


def viewpoint(x: float) -> Viewpoint:
    return Viewpoint.of(camera_at(x, 48, 64))


def blank(viewpoint: Viewpoint, pixels: int, wanted=None, weights=None) -> Rendering:
    """Stands in for the rendering of a view; the numbers of a view are tested elsewhere."""
    camera = viewpoint.camera(pixels)
    return Rendering(RenderedView(torch.zeros(3, 1, 1), torch.ones(1, 1)), camera, ())


class Watcher:
    """A client that notes where from and at which size its frames were seen, and what went wrong."""

    def __init__(self, worker: RenderWorker, levels: tuple[int, ...] = LEVELS) -> None:
        self.seen: list[tuple[float, int]] = []
        self.faults: list[str] = []
        self.session = Session(levels, self._note, self.faults.append, worker.wake)
        worker.join(self.session)

    def _note(self, rendering: Rendering) -> None:
        x = rendering.camera.camera_to_world[0, 3].item()
        self.seen.append((x, rendering.camera.height * rendering.camera.width))


def test_the_levels_end_at_the_size_of_the_scene():
    assert levels_of(96, 128) == (64 * 48, 128 * 96)
    assert levels_of(192, 256) == (64 * 48, 128 * 96, 192 * 256)
    assert levels_of(24, 32) == (64 * 48, 128 * 96)


def test_a_camera_that_rests_gets_finer_frames_until_the_last_level():
    worker = RenderWorker(blank)
    one = Watcher(worker)
    assert not worker.step()
    one.session.look(viewpoint(0.0))
    assert worker.step() and worker.step() and not worker.step()
    assert one.seen == [(0.0, COARSE), (0.0, FINE)]


def test_the_same_camera_again_renders_nothing_and_a_new_one_starts_coarse():
    worker = RenderWorker(blank)
    one = Watcher(worker)
    one.session.look(viewpoint(0.0))
    while worker.step():
        pass
    one.session.look(viewpoint(1e-7))
    assert not worker.step()
    one.session.look(viewpoint(0.5))
    assert worker.step()
    assert one.seen[-1] == (0.5, COARSE)


def test_only_the_newest_of_several_cameras_is_rendered():
    worker = RenderWorker(blank)
    one = Watcher(worker)
    for x in (0.0, 0.1, 0.2):
        one.session.look(viewpoint(x))
    worker.step()
    assert one.seen == [(pytest.approx(0.2), COARSE)]


def test_a_fine_frame_is_given_up_when_the_camera_moves_and_a_coarse_one_is_shown():
    """The camera moves during every rendering."""
    places = iter([0.1, 0.2, 0.3])

    def render(viewpoint_now, pixels, wanted, weights):
        one.session.look(viewpoint(next(places, 0.3)))
        if not wanted():
            raise GivenUp
        return blank(viewpoint_now, pixels)

    worker = RenderWorker(render)
    one = Watcher(worker)
    one.session.look(viewpoint(0.0))
    while worker.step():
        pass
    coarse = [(pytest.approx(x), COARSE) for x in (0.0, 0.1, 0.2, 0.3)]
    assert one.seen == [*coarse, (pytest.approx(0.3), FINE)]


def test_clients_take_turns_and_coarse_frames_come_first():
    order = []

    def render(viewpoint, pixels, wanted, weights):
        order.append((viewpoint.camera_to_world[0, 3].item(), pixels))
        return blank(viewpoint, pixels)

    worker = RenderWorker(render)
    for x in (1.0, 2.0):
        Watcher(worker).session.look(viewpoint(x))
    while worker.step():
        pass
    assert order == [(1.0, COARSE), (2.0, COARSE), (1.0, FINE), (2.0, FINE)]


def test_a_fine_frame_of_one_client_waits_while_the_camera_of_another_moves():
    def render(viewpoint_now, pixels, wanted, weights):
        if pixels == FINE and not other.seen:
            other.session.look(viewpoint(7.0))
        if not wanted():
            raise GivenUp
        return blank(viewpoint_now, pixels)

    worker = RenderWorker(render)
    one, other = Watcher(worker), Watcher(worker)
    one.session.look(viewpoint(0.0))
    worker.step()
    worker.step()
    assert one.seen == [(0.0, COARSE)], "the fine frame was given up"
    worker.step()
    assert other.seen == [(7.0, COARSE)]
    while worker.step():
        pass
    assert one.seen[-1] == (0.0, FINE) and other.seen[-1] == (7.0, FINE)


def test_a_client_that_leaves_half_way_ends_its_frame_and_disturbs_nobody():
    def render(viewpoint, pixels, wanted, weights):
        if viewpoint.camera_to_world[0, 3] == 0.0:
            one.session.close()
            worker.leave(one.session)
        if not wanted():
            raise GivenUp
        return blank(viewpoint, pixels)

    worker = RenderWorker(render)
    one, other = Watcher(worker), Watcher(worker)
    one.session.look(viewpoint(0.0))
    other.session.look(viewpoint(5.0))
    while worker.step():
        pass
    assert one.seen == [] and other.seen == [(5.0, COARSE), (5.0, FINE)]


def test_a_fault_is_told_once_and_others_go_on(caplog):
    def render(viewpoint, pixels, wanted, weights):
        if viewpoint.camera_to_world[0, 3] == 0.0:
            raise DataError("images/2.png: cannot be read.")
        if viewpoint.camera_to_world[0, 3] == 1.0:
            raise ZeroDivisionError
        return blank(viewpoint, pixels)

    worker = RenderWorker(render)
    watchers = [Watcher(worker) for _ in range(3)]
    for x, one in enumerate(watchers):
        one.session.look(viewpoint(float(x)))
    while worker.step():
        pass
    assert watchers[0].faults == ["images/2.png: cannot be read."]
    assert watchers[1].faults == ["This frame could not be rendered (ZeroDivisionError); the log says why."]
    assert "ZeroDivisionError" in caplog.text
    assert watchers[2].seen == [(2.0, COARSE), (2.0, FINE)] and not watchers[2].faults


def test_the_thread_renders_what_clients_look_at_and_stops():
    worker = RenderWorker(blank)
    finished = threading.Event()
    session = Session((COARSE,), lambda rendering: finished.set(), pytest.fail, worker.wake)
    worker.start()
    worker.join(session)
    session.look(viewpoint(0.0))
    assert finished.wait(PATIENCE)
    worker.stop()
    assert not worker.thread.is_alive()


def test_a_class_is_hidden_and_shown_again():
    session = Watcher(RenderWorker(blank)).session
    assert session.toggle(2) and session.toggle(0) and session.hidden == {0, 2}
    assert not session.toggle(2) and session.hidden == {0}


def test_a_view_is_given_up_between_two_chunks():
    model, example = tiny_model().eval(), tiny_example()
    ready = prepared(model, example)
    answers = iter([True, True, False])
    with pytest.raises(GivenUp):
        render_view(model, ready, example.target.camera, 0.5, 5.0, Quality(50), lambda: next(answers))
    assert next(answers, None) is None, "nothing was asked after the refusal"
