"""What the viewer makes of a rendering: cameras of the page, pictures of modes, pixels, frusta, paths."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import torch
from conftest import SceneWriter
from helpers import camera_at, load_folder, tiny_model

from gpnerf.datasets.labels import class_colors
from gpnerf.datasets.path_file import read_camera_path
from gpnerf.geometry.cameras import Camera
from gpnerf.media.visualize import UNKNOWN_DEPTH
from gpnerf.rendering.video_pictures import Look
from gpnerf.rendering.view import RenderedView
from gpnerf.system.errors import ConfigError, DataError
from gpnerf.viewer.frusta import ABSENT, CLEAR, LIT, MOST, drawn, length_of, states
from gpnerf.viewer.picking import Pixel, describe, pixel_at
from gpnerf.viewer.pictures import Painter, modes_of
from gpnerf.viewer.recorder import PathJob, Recorder, file_of
from gpnerf.viewer.renderer import Rendering, SceneRenderer, SourceChoice
from gpnerf.viewer.viewpoint import FAR_ON_PAGE, PageWorld, Viewpoint, size_of

NAMES = ("wall", "floor", "chair")


def view(height: int = 4, width: int = 6) -> RenderedView:
    """Left to right classes 0, 1, 2; depth 2; probability 0.75."""
    labels = (torch.arange(width) * 3 // width).expand(height, width)
    features = torch.rand(5, height // 2, width // 2, generator=torch.Generator().manual_seed(0))
    depth, confidence = torch.full((height, width), 2.0), torch.full((height, width), 0.75)
    return RenderedView(torch.full((3, height, width), 0.5), depth, features, labels, confidence)


def rendering(sources: tuple[int, ...] = (0, 1, 2)) -> Rendering:
    """Of a camera at the origin that looks along z, 90 degrees wide."""
    return Rendering(view(), Camera.from_focal(3.0, 3.0, 2.5, 1.5, torch.eye(4), 4, 6), sources)


def test_a_size_keeps_the_number_of_pixels_in_any_shape():
    assert size_of(4 / 3, 64 * 48) == (48, 64) and size_of(4 / 3, 128 * 96) == (96, 128)
    assert size_of(16.0, 64 * 48) == (14, 222)
    assert size_of(16.0, 64 * 48, shortest=17) == (17, 222)


def test_the_camera_of_a_viewpoint_shows_the_same_at_any_size():
    """90 degrees high: the focal length is half the height."""
    at = Viewpoint(torch.eye(4, dtype=torch.float64), 90.0, 4 / 3)
    for pixels, height, width in ((64 * 48, 48, 64), (128 * 96, 96, 128)):
        camera = at.camera(pixels)
        assert (camera.height, camera.width) == (height, width)
        wanted = [[height / 2, 0, (width - 1) / 2], [0, height / 2, (height - 1) / 2], [0, 0, 1]]
        torch.testing.assert_close(camera.intrinsics, torch.tensor(wanted))


def test_the_viewpoint_of_a_camera_has_its_field_of_view():
    at = Viewpoint.of(camera_at(0.3, 48, 64))
    assert at.aspect == 64 / 48 and at.fov == pytest.approx(math.degrees(2 * math.atan(24 / 64)))
    assert at.camera_to_world[0, 3] == pytest.approx(0.3)


def test_the_page_is_centred_and_scaled_and_poses_come_back():
    poses = torch.eye(4, dtype=torch.float64).repeat(2, 1, 1)
    poses[:, :3, 3] = torch.tensor([[1e6, 0.0, 2.0], [1e6, 4.0, 2.0]])
    # A quarter turn about z.
    poses[1, :2, :2] = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    world = PageWorld.around(poses, far=50.0)
    quaternion, position = world.to_page(poses[1])
    np.testing.assert_allclose(position, [0.0, 2.0 * FAR_ON_PAGE / 50.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(np.abs(quaternion), [math.sqrt(0.5), 0, 0, math.sqrt(0.5)], atol=1e-12)
    torch.testing.assert_close(world.to_scene(quaternion, position), poses[1])


def test_a_model_offers_the_modes_of_what_it_renders():
    assert modes_of(()) == ("color", "depth")
    assert modes_of(NAMES) == ("color", "depth", "labels", "features", "confidence")
    assert modes_of(("object 3", "object 7"))[2] == "instances"
    assert modes_of(NAMES, panoptic=True)[2:4] == ("labels", "instances")


def test_every_mode_has_a_picture_of_the_size_of_the_view():
    painter = Painter(NAMES, Look.fit(view()))
    pictures = {mode: painter.picture(view(), mode) for mode in modes_of(NAMES)}
    assert {picture.shape for picture in pictures.values()} == {(4, 6, 3)}
    assert (pictures["color"] == 128).all()
    np.testing.assert_array_equal(pictures["labels"][0, ::2], class_colors(NAMES))
    # An entry of the feature map covers two rows and two columns.
    np.testing.assert_array_equal(pictures["features"][::2, ::2], pictures["features"][1::2, 1::2])
    assert len(np.unique(pictures["confidence"].reshape(-1, 3), axis=0)) == 1


def test_instances_of_a_panoptic_model_have_colours_of_their_own():
    """Two objects, above and below, in three columns of classes."""
    found = replace(view(), instances=torch.tensor([0, 0, 1, 1])[:, None].expand(4, 6))
    painter = Painter(NAMES, Look.fit(found), panoptic=True)
    picture = painter.picture(found, "instances")
    assert "instances" in painter.modes and (picture == picture[:, :1]).all()
    assert (picture[0, 0] != picture[3, 0]).any()


@pytest.mark.parametrize("mode", ["color", "depth", "labels", "confidence"])
def test_hidden_classes_are_grey_in_every_mode_and_the_others_stay(mode):
    painter = Painter(NAMES, Look.fit(view()))
    whole, part = painter.picture(view(), mode), painter.picture(view(), mode, {1})
    assert (part[:, 2:4] == UNKNOWN_DEPTH).all()
    np.testing.assert_array_equal(part[:, :2], whole[:, :2])
    np.testing.assert_array_equal(part[:, 4:], whole[:, 4:])


def test_a_model_without_classes_has_nothing_to_hide():
    plain = RenderedView(view().color, view().depth)
    painter = Painter((), Look.fit(plain))
    assert (painter.picture(plain, "color", {0}) == 128).all()


def test_a_pixel_tells_its_class_and_the_sources_that_see_its_point():
    """The pixel at row 1, column 4 lies at (1.0, -1/3, 2): a camera 9 m to its right sees past it."""
    places = torch.eye(4).repeat(3, 1, 1)
    places[1, 0, 3], places[2, 0, 3] = 0.5, 9.0
    cameras = Camera(rendering().camera.intrinsics.repeat(3, 1, 1), places, 4, 6)
    pixel = pixel_at(rendering(), 4.5 / 6, 1.5 / 4, cameras)
    assert (pixel.column, pixel.row, pixel.depth, pixel.label) == (4, 1, 2.0, 2)
    assert pixel.probability == 0.75 and pixel.sources == (0, 1)
    said = describe(pixel, NAMES, ("a", "b", "c"))
    assert said == "**chair**, probability 0.75  \ndepth 2  \nfrom a, b"


def test_the_edges_of_the_window_are_pixels_too():
    cameras = Camera(torch.eye(3)[None], torch.eye(4)[None], 4, 6)
    for place, (column, row) in (((1.0, 1.0), (5, 3)), ((0.0, 0.0), (0, 0))):
        pixel = pixel_at(rendering(sources=()), *place, cameras)
        assert (pixel.column, pixel.row, pixel.sources) == (column, row, ())


def test_a_pixel_without_class_or_source_says_so():
    assert describe(Pixel(0, 0, 1.25, -1, 0.5, ()), NAMES, ()) == (
        "**unlabelled**, probability 0.50  \ndepth 1.25  \nseen by no source view"
    )
    assert describe(Pixel(0, 0, 1.25, None, None, (1,)), (), ("a", "b")) == "depth 1.25  \nfrom b"


def test_frusta_in_use_are_lit_and_those_before_the_eye_are_absent():
    centers = np.array([[0.0, 0, 0], [1.0, 0, 0], [2.0, 0, 0], [3.0, 0, 0]])
    eye = np.array([0.0, 0.0, 0.9 * CLEAR * 0.1])
    assert states(centers, eye, (0, 2), length=0.1) == {0: ABSENT, 2: LIT}


def test_a_frustum_is_shorter_than_the_way_to_its_neighbour_and_large_scenes_draw_some():
    centers = np.array([[0.0, 0, 0], [0.1, 0, 0], [0.1, 0, 0], [0.2, 0, 0]])
    assert 0 < length_of(centers) < 0.1
    assert length_of(np.zeros((3, 3))) == length_of(np.zeros((1, 3))) > 0
    assert list(drawn(5)) == [0, 1, 2, 3, 4]
    assert MOST / 2 < len(drawn(10 * MOST + 1)) <= MOST


def key(x: float) -> Viewpoint:
    return Viewpoint.of(camera_at(x, 24, 32))


def test_a_path_goes_through_its_keys_and_a_file_holds_it(tmp_path: Path):
    recorder = Recorder(24 * 32, depth=2.0)
    for x in (0.0, 0.0, 0.5, 1.0):
        recorder.add(key(x))
    assert len(recorder.keys) == 3, "the camera had not moved"
    path = recorder.path(seconds=1.0)
    places = path.cameras.camera_to_world[:, 0, 3]
    assert len(path) == 24 and (path.cameras.height, path.cameras.width) == (24, 32)
    assert places[0] == pytest.approx(0.0) and places[-1] == pytest.approx(1.0)
    assert (places.diff() > 0).all()
    file = tmp_path / "camera_path.json"
    file.write_bytes(file_of(path))
    assert json.loads(file.read_text())["fps"] == 24.0
    found = read_camera_path(file)
    torch.testing.assert_close(found.cameras.camera_to_world, path.cameras.camera_to_world)
    torch.testing.assert_close(found.cameras.intrinsics, path.cameras.intrinsics)


def test_a_path_needs_two_keys():
    recorder = Recorder(24 * 32, depth=2.0)
    recorder.add(key(0.0))
    with pytest.raises(ConfigError, match="at least two keys, found 1; move the camera and add another"):
        recorder.path(1.0)
    recorder.clear()
    assert recorder.keys == []


@pytest.fixture
def renderer(scene_writer: Callable[..., SceneWriter]) -> SceneRenderer:
    scene = load_folder(scene_writer(frames=4).write())
    return SceneRenderer(tiny_model().eval(), scene, SourceChoice(24, 32, 2, "distance"), "float32")


def test_a_rendering_has_the_nearest_sources_and_the_asked_size(renderer):
    found = renderer.render(Viewpoint.of(renderer.cameras[3]), 24 * 32)
    assert found.sources == (3, 2)
    assert found.view.depth.shape == (24, 32) and found.view.labels.shape == (24, 32)


def test_the_frames_of_a_path_become_a_video(renderer, tmp_path: Path):
    recorder = Recorder(24 * 32, depth=2.0)
    for x in (0.0, 0.3):
        recorder.add(key(x))
    path, shares, painter = recorder.path(0.1), [], Painter(NAMES, Look.fit(view()))
    weights = renderer.weights_along(path)
    job = PathJob(path, weights, lambda one: painter.picture(one.view, "labels"), shares.append, pytest.fail)
    while task := job.task():
        job.finish(task, renderer.render(task.viewpoint, task.pixels, weights=task.weights))
    assert shares == [0.5, 1.0]
    (tmp_path / "path.mp4").write_bytes(job.video())
    assert imageio.imread(tmp_path / "path.mp4").shape == (2, 24, 32, 3)


def test_a_path_keeps_its_sources_and_fades_where_they_change(renderer):
    """The camera goes from photograph 0 to photograph 3, each with one neighbour."""
    recorder = Recorder(24 * 32, depth=2.0)
    for number in (0, 3):
        recorder.add(Viewpoint.of(renderer.cameras[number]))
    weights = renderer.weights_along(recorder.path(1.0))
    assert weights[0] == {(0, 1): 1.0} and weights[-1] == {(2, 3): 1.0}
    mixed = next(one for one in weights if len(one) == 2)
    at = Viewpoint.of(renderer.cameras[1])
    found = renderer.render(at, 24 * 32, weights=mixed)
    parts = [renderer.render(at, 24 * 32, weights={sources: 1.0}).view.color for sources in mixed]
    expected = sum(weight * part for weight, part in zip(mixed.values(), parts, strict=True))
    torch.testing.assert_close(found.view.color, expected)
    assert found.sources == max(mixed, key=mixed.get)


def test_a_path_that_is_given_up_takes_no_more_frames(renderer):
    path = Recorder(24 * 32, depth=2.0)
    path.keys = [key(0.0), key(0.3)]
    job = PathJob(path.path(0.1), [{}, {}], pytest.fail, pytest.fail, pytest.fail)
    task = job.task()
    job.close()
    job.finish(task, rendering())
    job.fail(task, "too late")
    assert job.frames == [] and job.task() is None


def test_a_scene_with_too_few_photographs_is_refused(scene_writer):
    scene = load_folder(scene_writer(frames=2).write())
    with pytest.raises(DataError, match="expected at least 4 source views .* found 2; add frames"):
        SceneRenderer(tiny_model().eval(), scene, SourceChoice(24, 32, 4, "distance"), "float32")
