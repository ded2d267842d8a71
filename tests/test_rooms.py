"""The embedded rooms: geometry against closed forms, layouts, walks, and the cache on disk."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from gpnerf.datasets import rooms
from gpnerf.datasets.scene import Frame
from gpnerf.geometry.cameras import pixel_grid
from gpnerf.rooms import layout
from gpnerf.rooms.cache import prepare
from gpnerf.rooms.furniture import Item
from gpnerf.rooms.layout import CLASS_NAMES, Room
from gpnerf.rooms.shots import VERSION, camera_at, names
from gpnerf.rooms.solids import Solid, ball, box, cylinder, yaw
from gpnerf.rooms.textures import Plain
from gpnerf.rooms.tracer import Picture, Tracer
from gpnerf.rooms.walk import STEP, Loop, look

HEIGHT, WIDTH, VIEWS = 24, 32, 24
SEEDS = (3, 8)
GREY = Plain((0.5, 0.5, 0.5), mottle=0.0)

make_room = functools.cache(layout.make_room)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rooms")
    prepare(folder, SEEDS, HEIGHT, WIDTH, VIEWS, workers=1)
    return folder


@pytest.fixture(scope="module")
def frames(root: Path) -> dict[int, list[Frame]]:
    """All views of the rooms by seed."""
    scenes = {seed: rooms.load(root, seed, HEIGHT, WIDTH, VIEWS) for seed in SEEDS}
    return {seed: [scene.read(i, HEIGHT, WIDTH) for i in range(VIEWS)] for seed, scene in scenes.items()}


def draw(*solids: Solid, height: int = 25, width: int = 33) -> Picture:
    """An empty room or one with a single item, seen level from (1, 2, 1.5) towards a wall at x = 6."""
    loop = Loop(np.array([1.0, 2.0]), np.array([0.5, 0.5]), 0.0, False, 1.5, 0.0)
    items = (Item("table", solids),) if solids else ()
    room = Room(np.array([6.0, 4.0, 3.0]), (GREY,) * 6, items, loop, np.array([0.0, 0.0, 1.0]))
    pose = look(np.array([[1.0, 2.0, 1.5]]), np.zeros(1), np.zeros(1))[0]
    return Tracer(room).draw(camera_at(pose, height, width))


def directions(height: int = 25, width: int = 33) -> np.ndarray:
    """Camera rays through pixel centres, z = 1: [H, W, 3]."""
    _, rays = camera_at(np.eye(4), height, width).rays(pixel_grid(height, width))
    return rays.numpy().reshape(height, width, 3)


def interior(item: Item) -> np.ndarray:
    """Points all over the inside of an item's solids: [N, 3]."""
    steps = np.linspace(-0.98, 0.98, 5)
    grid = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(-1, 3)
    clouds = [(solid, solid.center + grid * solid.half @ solid.rotation.T) for solid in item.solids]
    return np.concatenate([points[solid.contains(points)] for solid, points in clouds])


def test_depth_of_an_empty_wall_is_its_distance():
    picture = draw()
    wall = picture.instance == picture.instance[12, 16]
    assert picture.semantic[12, 16] == CLASS_NAMES.index("wall")
    assert 0.15 < wall.mean() < 0.5
    assert (picture.depth[wall] == 5000).all()


def test_floor_and_ceiling_depths_follow_from_the_eye_height():
    picture, rays = draw(), directions()
    for name, height in (("floor", 1.5), ("ceiling", -1.5)):
        seen = picture.semantic == CLASS_NAMES.index(name)
        assert seen.sum() > 50
        np.testing.assert_allclose(picture.depth[seen], 1000 * height / rays[seen][:, 1], atol=0.6)


@pytest.mark.parametrize("height", [24, 25])
def test_depth_of_a_box_is_that_of_its_front(height: int):
    picture, rays = draw(box((1.0, 1.2, 0.8), (3.5, 2.0, 1.1), GREY), height=height), directions(height)
    inside = (np.abs(rays[..., 0] * 2.0) <= 0.6) & (np.abs(rays[..., 1] * 2.0) <= 0.4)
    np.testing.assert_array_equal(picture.semantic == CLASS_NAMES.index("table"), inside)
    assert (picture.depth[inside] == 2000).all()


def test_depth_of_a_turned_box_is_least_at_its_edge():
    picture = draw(box((1.0, 1.0, 1.0), (3.0, 2.0, 1.0), GREY, yaw(np.pi / 4)))
    assert picture.depth[12].min() == picture.depth[12, 16] == round(1000 * (2.0 - np.sqrt(0.5)))


def test_depth_of_a_sphere_matches_the_quadratic():
    radius, picture, rays = 0.6, draw(ball((1.2, 1.2, 1.2), (3.0, 2.0, 0.9), GREY)), directions()
    square, center = (rays**2).sum(-1), np.array([0.0, 0.0, 2.0])
    slope = rays @ center
    root = slope**2 - square * (center @ center - radius**2)
    inside = root > 0.0
    np.testing.assert_array_equal(picture.semantic == CLASS_NAMES.index("table"), inside)
    expected = 1000 * (slope - np.sqrt(np.maximum(root, 0.0))) / square
    np.testing.assert_allclose(picture.depth[inside], expected[inside], atol=0.6)


@pytest.mark.parametrize("taper", [0.0, -0.3, 0.3])
def test_points_on_a_frustum_lie_on_its_side_or_caps(taper: float):
    solid = cylinder((1.0, 1.0, 1.2), (3.0, 2.0, 0.6), GREY, taper)
    picture, rays = draw(solid, height=49, width=65), directions(49, 65)
    inside = picture.semantic == CLASS_NAMES.index("table")
    x, y, z = (rays[inside] * picture.depth[inside, None] / 1000.0).T
    height = 1.5 - y - solid.center[2]
    side = np.hypot(z - 2.0, x) - 0.5 * (1.0 + taper * height / 0.6)
    assert inside.sum() > 100
    assert (np.minimum(np.abs(side), np.abs(np.abs(height) - 0.6)) < 2e-3).all()


def test_a_solid_shades_the_floor_below_it():
    shelf = box((1.5, 1.5, 0.1), (3.5, 2.0, 0.5), GREY)
    below = draw(shelf).semantic == CLASS_NAMES.index("floor")
    darker = draw().color.astype(int) - draw(shelf).color.astype(int)
    assert darker[below].max() > 20
    # Pixels on the shelf's outline mix it with the floor.
    assert (darker[below] >= -2).mean() > 0.9


def test_the_same_seed_gives_the_same_pictures_and_another_seed_others(
    root: Path, frames: dict, tmp_path: Path
):
    again = rooms.load(tmp_path, SEEDS[0], HEIGHT, WIDTH, VIEWS)
    for index in (0, 13):
        frame, other = again.read(index, HEIGHT, WIDTH), frames[SEEDS[1]][index]
        for name in ("image", "depth", "semantic", "instance"):
            assert torch.equal(getattr(frame, name), getattr(frames[SEEDS[0]][index], name))
        assert (frame.image - other.image).abs().mean() > 0.05
    assert (root / f"v{VERSION}_24x32_24" / "room_0003" / "transforms.json").is_file()


def test_depth_agrees_between_neighbouring_views(frames: dict):
    """Points of view A, seen from B: in front of nothing (never nearer than B's surface), mostly on it."""
    for first, second in ((0, 1), (7, 9), (15, 14)):
        a, b = frames[SEEDS[0]][first], frames[SEEDS[0]][second]
        origins, rays = a.camera.rays(pixel_grid(HEIGHT, WIDTH))
        points = origins + rays * a.depth.reshape(-1, 1)
        pixels, depth = type(b.camera).stack([b.camera]).project(points)
        column, row = pixels[0].round().long().unbind(-1)
        seen = (column >= 0) & (column < WIDTH) & (row >= 0) & (row < HEIGHT) & (depth[0] > 0)
        difference = b.depth[row[seen], column[seen]] - depth[0][seen]
        assert seen.float().mean() > 0.5
        assert (difference.abs() < 0.05 * depth[0][seen]).float().mean() > 0.75


def test_each_instance_has_one_class_in_all_views(frames: dict):
    for views in frames.values():
        instance = torch.stack([frame.instance for frame in views])
        semantic = torch.stack([frame.semantic for frame in views])
        for number in instance.unique():
            assert len(semantic[instance == number].unique()) == 1
        walls = instance[semantic == CLASS_NAMES.index("wall")].unique()
        assert len(walls) == 4


def test_most_classes_are_seen_on_the_walk(frames: dict):
    for views in frames.values():
        assert len(torch.stack([frame.semantic for frame in views]).unique()) >= 12


@pytest.mark.parametrize("seed", range(6))
def test_rooms_hold_most_classes_and_nothing_interpenetrates(seed: int):
    room = make_room(seed)
    assert len(room.classes) >= 13
    inside = [item for item in room.items if item.name != "rug"]
    points = [interior(item) for item in inside]
    for index, item in enumerate(inside):
        assert (item.bounds[0] > -1e-6).all()
        assert (item.bounds[1] < room.size + 1e-6).all()
        others = np.concatenate(points[:index] + points[index + 1 :])
        assert not any(solid.contains(others, margin=-0.004).any() for solid in item.solids), item.name


@pytest.mark.parametrize("seed", range(6))
def test_the_camera_keeps_clear_of_everything(seed: int):
    room = make_room(seed)
    eyes = room.loop.poses(60)[:, :3, 3]
    assert (np.minimum(eyes, room.size - eyes)[:, :2] > 0.5).all()
    for item in room.items:
        low, high = item.bounds
        assert not any(solid.contains(eyes, margin=0.1).any() for solid in item.solids)
        if low[2] < 1.9 and item.name != "rug":
            outside = np.maximum(np.maximum(low[:2] - eyes[:, :2], eyes[:, :2] - high[:2]), 0.0)
            assert np.hypot(*outside.T).min() > 0.35


@pytest.mark.parametrize("seed", range(6))
def test_consecutive_views_move_and_turn_moderately(seed: int):
    poses = make_room(seed).loop.poses(30)
    np.testing.assert_array_equal(poses[:6], make_room(seed).loop.poses(6))
    moved = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=-1)
    turned = np.degrees(np.arccos((poses[1:, :3, 2] * poses[:-1, :3, 2]).sum(-1)))
    assert 0.25 < moved.min() < moved.max() < 0.45
    assert moved.mean() == pytest.approx(STEP, abs=0.02)
    assert 8.0 < turned.min() < turned.max() < 20.0
    assert 1.35 < poses[:, 2, 3].min() < poses[:, 2, 3].max() < 1.75
    assert (poses[:, 2, 2] < 0.0).all()


def test_partial_rooms_are_made_again_and_whole_ones_left_alone(tmp_path: Path):
    prepare(tmp_path, [1, 2], 6, 8, 2, workers=1)
    folder = tmp_path / f"v{VERSION}_6x8_2"
    broken, whole = folder / "room_0001", folder / "room_0002" / "transforms.json"
    (broken / "depth" / "0001.png").unlink()
    before = whole.stat().st_mtime_ns
    prepare(tmp_path, [1, 2], 6, 8, 2, workers=1)
    assert (broken / "depth" / "0001.png").is_file()
    assert whole.stat().st_mtime_ns == before
    assert sorted(path.name for path in folder.iterdir()) == ["room_0001", "room_0002"]


def test_an_interrupted_room_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupt(self: Tracer, camera: object) -> Picture:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Tracer, "draw", interrupt)
        rooms.load(tmp_path, 1, 6, 8, 2)
    assert not list((tmp_path / f"v{VERSION}_6x8_2").iterdir())
    assert len(rooms.load(tmp_path, 1, 6, 8, 2).views) == 2


@pytest.mark.slow
def test_workers_make_the_same_rooms(tmp_path: Path):
    prepare(tmp_path / "two", [1, 2], 6, 8, 1, workers=2)
    prepare(tmp_path / "one", [1, 2], 6, 8, 1, workers=1)
    for path in (tmp_path / "one").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def test_the_file_follows_the_nerfstudio_convention(root: Path, frames: dict):
    scene = rooms.load(root, SEEDS[0], HEIGHT, WIDTH, VIEWS)
    values = json.loads((scene.views[0].image.parents[1] / "transforms.json").read_text())
    assert (values["cx"], values["cy"], values["w"], values["h"]) == (16.0, 12.0, 32, 24)
    expected = camera_at(make_room(SEEDS[0]).loop.poses(VIEWS)[4], HEIGHT, WIDTH)
    torch.testing.assert_close(scene.views[4].camera.camera_to_world, expected.camera_to_world.double())
    torch.testing.assert_close(scene.views[4].camera.intrinsics, expected.intrinsics)
    assert scene.name == names([SEEDS[0]])[0] == "room_0003"
    assert scene.labels.names == CLASS_NAMES
    depth = torch.stack([frame.depth for frame in frames[SEEDS[0]]])
    assert ((depth > scene.near) & (depth < scene.far)).float().mean() > 0.98
    assert scene.far / 2 < depth.max() < scene.far
