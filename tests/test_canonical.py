"""Canonical coordinates: moving, turning or scaling the world changes no pixel."""

import math
from dataclasses import replace

import pytest
import torch
from helpers import TINY, prepared, tiny_example, tiny_model, tiny_settings

from gpnerf.datasets.examples import Example
from gpnerf.geometry.cameras import Camera
from gpnerf.geometry.canonical import FAR, canonical
from gpnerf.geometry.rays import Rays
from gpnerf.methods.settings import Settings
from gpnerf.rendering.view import render_view
from gpnerf.training.schedule import step_generator

SHIFT = torch.tensor([300.0, -400.0, 50.0], dtype=torch.float64)


def turned(degrees: float, axis: int) -> torch.Tensor:
    """A rotation [3, 3] about an axis of the world."""
    angle = math.radians(degrees)
    one, other = [index for index in range(3) if index != axis]
    matrix = torch.eye(3, dtype=torch.float64)
    matrix[one, one] = matrix[other, other] = math.cos(angle)
    matrix[one, other], matrix[other, one] = -math.sin(angle), math.sin(angle)
    return matrix


def moved(example: Example, rotation: torch.Tensor, shift: torch.Tensor, scale: float) -> Example:
    """The same scene in another world, in which the unit is 1 / scale of what it was."""

    def move(camera: Camera) -> Camera:
        pose = camera.camera_to_world.double().clone()
        pose[..., :3, :3] = rotation @ pose[..., :3, :3]
        pose[..., :3, 3] = scale * (pose[..., :3, 3] @ rotation.T) + shift
        return replace(camera, camera_to_world=pose)

    target = replace(example.target, camera=move(example.target.camera), depth=example.target.depth * scale)
    sources = replace(example.sources, cameras=move(example.sources.cameras))
    return Example(target, sources, example.near * scale, example.far * scale)


def crooked_example() -> Example:
    """An example whose pixels do not fall exactly on the borders of its source images."""
    example = tiny_example()
    poses = example.sources.cameras.camera_to_world.double().clone()
    poses[:, :3, :3] = turned(3.0, 0) @ turned(-2.0, 2) @ poses[:, :3, :3]
    poses[:, 1, 3] += 0.0317
    cameras = replace(example.sources.cameras, camera_to_world=poses)
    return replace(example, sources=replace(example.sources, cameras=cameras))


WORLDS = {
    "half a turn": (turned(180.0, 1), 0.0 * SHIFT, 1.0),
    "37 degrees": (turned(37.0, 0), 0.0 * SHIFT, 1.0),
    "far away": (torch.eye(3).double(), SHIFT, 1.0),
    "in hundredths": (torch.eye(3).double(), 0.0 * SHIFT, 100.0),
    "in hundreds": (torch.eye(3).double(), 0.0 * SHIFT, 0.01),
    "all of it": (turned(123.0, 2) @ turned(37.0, 0), 3.28 * SHIFT, 3.28),
}


def view_of(model, example):
    camera = example.target.camera
    return render_view(model, prepared(model, example), camera, example.near, example.far)


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_a_view_is_the_same_in_every_world(world):
    model, example = tiny_model(coordinates="camera", frequencies=10).eval(), crooked_example()
    expected, found = view_of(model, example), view_of(model, moved(example, *world))
    torch.testing.assert_close(found.color, expected.color, atol=1e-3, rtol=0)
    torch.testing.assert_close(found.depth / world[2], expected.depth, atol=1e-3, rtol=0)
    torch.testing.assert_close(found.features, expected.features, atol=1e-3, rtol=1e-3)
    assert (found.labels == expected.labels).float().mean() > 0.999


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_the_losses_are_the_same_in_every_world(world):
    model, example = tiny_model(coordinates="camera"), crooked_example()
    expected, _ = model.losses(example, 30, step_generator(0, 0))
    found, _ = model.losses(moved(example, *world), 30, step_generator(0, 0))
    assert set(found) == {"photometric", "semantic", "distill", "depth_guided"}
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


def test_world_coordinates_depend_on_the_world():
    model, example = tiny_model(coordinates="world").eval(), tiny_example()
    other = view_of(model, moved(example, *WORLDS["half a turn"]))
    assert (other.color - view_of(model, example).color).abs().max() > 1e-2


def test_canonical_cameras_and_rays_by_hand():
    """A target at (0, 0, 4) that looks along -z of the world, and a source 2 to its right."""
    pose = torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0]))
    pose[2, 3] = 4.0
    source = pose.clone()
    source[0, 3] = -2.0
    rays = Rays(torch.tensor([[0.0, 0.0, 4.0]]), torch.tensor([[0.5, 0.0, -1.0]]), 1.0, 10.0, pose)
    cameras, inside = canonical(Camera(torch.eye(3)[None], source[None], 8, 8), rays)
    expected = torch.eye(4)
    expected[0, 3] = 2.0 * FAR / 10.0
    assert torch.equal(cameras.camera_to_world[0], expected)
    assert torch.equal(inside.origins, torch.zeros(1, 3))
    assert torch.equal(inside.directions, torch.tensor([[-0.5, 0.0, 1.0]]))
    assert (inside.near, inside.far) == (0.5, FAR)


def test_a_checkpoint_that_does_not_say_is_in_the_world():
    record = tiny_settings(coordinates="camera").record()
    assert Settings.from_record(record).function.coordinates == "camera"
    del record["function"]["coordinates"]
    assert Settings.from_record(record).function.coordinates == "world"
    assert Settings.of("gpnerf", **TINY).function.coordinates == "camera"
