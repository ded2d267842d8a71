"""The viewer in a real browser: frames arrive, follow the camera, and clients do not disturb each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import imageio.v3 as imageio
import numpy as np
import pytest
import torch
from browser import WEBGL, Tab, browser, find_browser
from helpers import tiny_model

from gpnerf.datasets import rooms
from gpnerf.datasets.path_file import read_camera_path
from gpnerf.rendering.video_pictures import Look
from gpnerf.viewer.page import Page, Stage
from gpnerf.viewer.pictures import Painter
from gpnerf.viewer.recorder import FILE_NAME, VIDEO_NAME
from gpnerf.viewer.renderer import SceneRenderer, SourceChoice
from gpnerf.viewer.server import Viewer
from gpnerf.viewer.session import COARSE
from gpnerf.viewer.viewpoint import Viewpoint
from gpnerf.viewer.worker import RenderWorker

pytest.importorskip("viser", reason='no viser: pip install -e ".[viewer]"')
PROGRAM = find_browser()
pytestmark = pytest.mark.skipif(
    PROGRAM is None,
    reason="no browser: expected chromium or google-chrome on the PATH, or its path in GPNERF_BROWSER",
)

WIDTH, HEIGHT = 800, 600
# Seconds within which something must happen, on a machine that does many other things.
PATIENCE = 120.0
NAMES = ("wall", "floor", "chair")
# A place of the picture that no panel covers.
MIDDLE = (250, 350)
TEXT = "document.body.innerText"
BUTTON = """(() => {
  const node = [...document.querySelectorAll("button")].find((one) => one.innerText.startsWith("%s"));
  node.scrollIntoView();
  return node.getBoundingClientRect().toJSON();
})()"""


@pytest.fixture(scope="module")
def viewer(rooms_planned_once: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    scene = rooms.load(tmp_path_factory.mktemp("rooms"), 1000, 24, 32, 5)
    renderer = SceneRenderer(tiny_model().eval(), scene, SourceChoice(24, 32, 2, "overlap"), "float32")
    start = Viewpoint.of(renderer.cameras[0])
    painter = Painter(NAMES, Look.fit(renderer.render(start, COARSE).view))
    viewer = Viewer(Stage(renderer, painter, RenderWorker(renderer.render)), start, "127.0.0.1", 0)
    yield viewer
    viewer.stop()


@pytest.fixture
def tab(viewer: Viewer, tmp_path: Path) -> Iterator[Tab]:
    until(lambda: not viewer.pages, "clients of other tests are gone")
    with browser(PROGRAM, tmp_path / "profile", *WEBGL) as tab:
        tab.open(viewer.address, WIDTH, HEIGHT)
        yield tab


def until(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"it did not come to pass that {what}"
        time.sleep(0.1)


def shown(tab: Tab) -> np.ndarray:
    """What the window shows left of the panel, uint8 [H, W, 3]."""
    picture = cv2.imdecode(np.frombuffer(tab.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    return picture[HEIGHT // 3 :, : WIDTH // 2]


def has_frame(tab: Tab) -> bool:
    """Whether a frame with its sources was announced and is drawn; an empty page is white."""
    return " pixels from " in tab.value(TEXT) and shown(tab).mean() < 250


def press(tab: Tab, name: str) -> None:
    """Clicks the button whose text starts like this."""
    box = tab.value(BUTTON % name)
    tab.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def page_of(viewer: Viewer) -> Page:
    """The page of the client that came last."""
    return viewer.pages[max(viewer.pages)]


def at_rest(viewer: Viewer) -> bool:
    """Whether all frames of all clients are finished."""
    pages = list(viewer.pages.values())
    return bool(pages) and all(page.session.rendering and not page.session.task() for page in pages)


def faults(tab: Tab) -> list[str]:
    """Errors of scripts, and addresses elsewhere that the page asked for."""
    thrown = [event["exceptionDetails"]["text"] for event in tab.seen("Runtime.exceptionThrown")]
    logged = [
        event["entry"]["text"] for event in tab.seen("Log.entryAdded") if event["entry"]["level"] == "error"
    ]
    urls = [event["request"]["url"] for event in tab.seen("Network.requestWillBeSent")]
    known = ("data:", "blob:", "http://127.0.0.1:")
    return thrown + logged + [url for url in urls if not url.startswith(known)]


def test_a_frame_arrives_and_changes_when_the_camera_moves(viewer, tab):
    until(lambda: has_frame(tab), "a frame is shown")
    until(lambda: at_rest(viewer), "the camera rests")
    page, before = page_of(viewer), shown(tab)
    old = page.session.rendering.camera.camera_to_world
    tab.drag(MIDDLE, (MIDDLE[0] + 120, MIDDLE[1] + 40))
    until(
        lambda: at_rest(viewer) and not torch.equal(page.session.current.viewpoint.camera_to_world, old),
        "it moved",
    )
    until(lambda: not np.array_equal(shown(tab), before), "another picture is shown")
    assert not torch.allclose(page.session.rendering.camera.camera_to_world, old, atol=1e-3)
    assert faults(tab) == []


def test_a_click_tells_what_a_pixel_is(viewer, tab):
    until(lambda: has_frame(tab) and at_rest(viewer), "a frame is shown")
    tab.click(*MIDDLE)
    until(lambda: "probability" in tab.value(TEXT) and "depth" in tab.value(TEXT), "the pixel is described")
    assert faults(tab) == []


def test_a_class_of_the_legend_is_hidden(viewer, tab):
    until(lambda: has_frame(tab) and at_rest(viewer), "a frame is shown")
    page, before = page_of(viewer), shown(tab)
    for name in NAMES:
        press(tab, name)
        until(lambda name=name: f"{name} (hidden)" in tab.value(TEXT), f"{name} is hidden")
    assert page.session.hidden == {0, 1, 2}
    until(lambda: not np.array_equal(shown(tab), before), "the picture lacks them")


def test_a_recorded_path_is_saved_and_rendered(viewer, tab, tmp_path):
    tab.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    until(lambda: has_frame(tab) and at_rest(viewer), "a frame is shown")
    page = page_of(viewer)
    press(tab, "Save camera_path")
    until(lambda: "found 0; move the camera" in tab.value(TEXT), "it says that there are no keys")
    press(tab, "Add the camera")
    until(lambda: len(page.path.recorder.keys) == 1, "there is a key")
    start = page.session.current.viewpoint
    tab.drag(MIDDLE, (MIDDLE[0] + 100, MIDDLE[1]))
    until(lambda: at_rest(viewer) and not page.session.current.viewpoint.same_as(start), "the camera moved")
    press(tab, "Add the camera")
    until(lambda: len(page.path.recorder.keys) == 2, "there are two keys")
    page.path.seconds.value = 0.5
    press(tab, "Save camera_path")
    until((tmp_path / FILE_NAME).is_file, "the path is saved")
    path = read_camera_path(tmp_path / FILE_NAME)
    torch.testing.assert_close(path.cameras.camera_to_world[0], start.camera_to_world)
    press(tab, "Render the path")
    until((tmp_path / VIDEO_NAME).is_file, "the video is saved")
    assert len(imageio.imread(tmp_path / VIDEO_NAME)) == len(path) == 12
    assert page.path.job is None and faults(tab) == []


def test_two_clients_have_their_own_cameras_and_one_may_vanish(viewer, tab, tmp_path):
    until(lambda: has_frame(tab) and at_rest(viewer), "the first client has a frame")
    first = page_of(viewer)
    mine = first.session.current.viewpoint
    with browser(PROGRAM, tmp_path / "second", *WEBGL) as second:
        second.open(viewer.address, WIDTH, HEIGHT)
        until(lambda: has_frame(second), "the second client has a frame")
        other = page_of(viewer)
        assert other is not first
        start = other.session.current.viewpoint
        second.drag(MIDDLE, (MIDDLE[0] + 150, MIDDLE[1]))
        until(lambda: not other.session.current.viewpoint.same_as(start), "the second camera moved")
        assert first.session.current.viewpoint.same_as(mine)
        # It vanishes while its frames are rendered.
    until(lambda: list(viewer.pages.values()) == [first], "the second client is gone")
    assert other.session.closed and other.session.task() is None
    tab.drag(MIDDLE, (MIDDLE[0] + 100, MIDDLE[1]))
    until(lambda: at_rest(viewer) and not first.session.current.viewpoint.same_as(mine), "the first goes on")
    assert faults(tab) == []
