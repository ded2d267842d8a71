"""Camera paths: rigid, smooth, exact where promised, and sane for degenerate sets of cameras."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch

from gpnerf.geometry import trajectories
from gpnerf.system.errors import ConfigError

# A usual depth of what the cameras of these tests see.
DEPTH = 1.0
interpolate = partial(trajectories.interpolate, depth=DEPTH)
orbit = partial(trajectories.orbit, depth=DEPTH)


def pose(position, yaw: float = 0.0) -> torch.Tensor:
    """A level camera at a position (OpenCV axes, y down), turned about the vertical by yaw radians."""
    transform = torch.eye(4, dtype=torch.float64)
    transform[0, 0] = transform[2, 2] = math.cos(yaw)
    transform[0, 2], transform[2, 0] = math.sin(yaw), -math.sin(yaw)
    transform[:3, 3] = torch.tensor(position, dtype=torch.float64)
    return transform


def ring(count: int, radius: float) -> torch.Tensor:
    """Cameras on a level circle about the origin that look at its centre."""
    angles = [2 * math.pi * i / count for i in range(count)]
    return torch.stack([pose((-radius * math.sin(a), 0.0, -radius * math.cos(a)), yaw=a) for a in angles])


def walk() -> torch.Tensor:
    steps = [(0, 0, 0, 0.0), (1, 0, 0.2, 0.3), (1.5, 0.1, 1, 1.0), (1.4, 0, 2, 0.8), (0, 0, 3, -0.5)]
    return torch.stack([pose(step[:3], step[3]) for step in steps])


def assert_rigid(poses: torch.Tensor) -> None:
    rotations = poses[:, :3, :3].double()
    torch.testing.assert_close(
        rotations @ rotations.mT, torch.eye(3, dtype=torch.float64).expand_as(rotations), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(torch.linalg.det(rotations), torch.ones(len(poses)).double())
    assert torch.equal(poses[:, 3], torch.tensor([0.0, 0, 0, 1], dtype=poses.dtype).expand(len(poses), 4))


def angles_between(poses: torch.Tensor) -> torch.Tensor:
    relative = poses[:-1, :3, :3].double().mT @ poses[1:, :3, :3].double()
    return ((relative.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2).clamp(-1, 1).arccos()


def test_interpolate_is_rigid_and_keeps_both_ends():
    path = interpolate(walk(), 31)
    assert path.shape == (31, 4, 4) and path.dtype == torch.float64
    assert_rigid(path)
    torch.testing.assert_close(path[[0, -1]], walk()[[0, -1]], atol=1e-6, rtol=0)


def test_interpolate_passes_through_every_key():
    path = interpolate(walk(), 20001)
    for key in walk():
        assert (path - key).abs().flatten(1).max(1).values.min() < 1e-3


def test_interpolate_backwards_is_the_same_path():
    path, back = interpolate(walk(), 24), interpolate(walk().flip(0), 24)
    torch.testing.assert_close(path, back.flip(0), atol=1e-6, rtol=0)


def test_interpolate_along_a_line_is_even_although_the_keys_are_not():
    keys = torch.stack([pose((0, 0, z)) for z in (0.0, 1.0, 4.0, 5.0)])
    depths = interpolate(keys, 11)[:, 2, 3]
    torch.testing.assert_close(depths, torch.linspace(0, 5, 11, dtype=torch.float64))


def test_interpolate_turns_evenly_through_a_whole_turn():
    keys = torch.stack([pose((0, 0, 0), yaw) for yaw in (0.0, 1.2, 2.4, 3.6, 4.8, 6.0)])
    path = interpolate(keys, 61)
    turns = angles_between(path)
    torch.testing.assert_close(turns, torch.full_like(turns, 0.1), atol=6e-3, rtol=0)


def test_interpolate_spends_time_in_proportion_to_the_length_of_its_bends_too():
    keys = torch.stack(
        [pose(place) for place in ((0, 0, 0), (0.1, 0, 0.4), (2, 0, 1), (2.2, 0, 3), (0, 0, 3))]
    )
    steps = interpolate(keys, 50)[:, :3, 3].diff(dim=0).norm(dim=1)
    assert steps.max() < 1.02 * steps.min()


def test_interpolate_does_not_stop_at_keys():
    path = interpolate(walk(), 400)
    speed = path[:, :3, 3].diff(dim=0).norm(dim=1)
    assert speed.min() > 0.3 * speed.max()
    change = speed.diff().abs().max() / speed.max()
    assert change < 0.04


def test_interpolate_of_one_key_two_keys_and_repeated_keys():
    assert torch.equal(interpolate(walk()[:1], 3), walk()[:1].expand(3, 4, 4))
    assert torch.equal(interpolate(walk()[:2], 1)[0], walk()[0])
    halfway = interpolate(torch.stack([pose((0, 0, 0)), pose((2, 0, 0), 1.0)]), 3)[1]
    torch.testing.assert_close(halfway, pose((1, 0, 0), 0.5), atol=1e-6, rtol=0)
    repeated = interpolate(walk()[[0, 0, 1, 1, 1, 2]], 40)
    assert_rigid(repeated)
    torch.testing.assert_close(repeated[-1], walk()[2], atol=1e-6, rtol=0)


@pytest.mark.parametrize("path", [interpolate, orbit], ids=["interpolate", "orbit"])
def test_nothing_to_show_is_an_error(path):
    with pytest.raises(ConfigError, match="0 poses"):
        path(torch.zeros(0, 4, 4), 5)
    with pytest.raises(ConfigError, match="0 frames"):
        path(walk(), 0)


def test_orbit_of_a_ring_looks_at_its_centre_from_near_one_camera():
    path = orbit(ring(8, radius=2.0), 12, share=0.1)
    assert_rigid(path)
    centers = path[:, :3, 3]
    middle = centers.mean(0)
    assert middle.norm() == pytest.approx(2.0, abs=1e-5)
    torch.testing.assert_close((centers - middle).norm(dim=1), torch.full((12,), 0.2, dtype=torch.float64))
    torch.testing.assert_close(centers[:, 1], torch.zeros(12, dtype=torch.float64), atol=1e-6, rtol=0)
    toward = -centers / centers.norm(dim=1, keepdim=True)
    torch.testing.assert_close(path[:, :3, 2], toward, atol=1e-6, rtol=0)
    torch.testing.assert_close(
        path[:, :3, 1], torch.tensor([0.0, 1, 0], dtype=torch.float64).expand(12, 3), atol=1e-6, rtol=0
    )


def test_orbit_closes():
    centers = orbit(ring(5, radius=1.0), 10)[:, :3, 3]
    steps = (centers - centers.roll(1, 0)).norm(dim=1)
    torch.testing.assert_close(steps, steps[:1].expand(10))


@pytest.mark.parametrize(
    "poses",
    [
        torch.stack([pose((x, 0, 0)) for x in (-1.0, 0.0, 1.0)]),
        torch.stack([pose((0, 0, z)) for z in (-1.0, 0.0, 1.0)]),
        pose((3, 2, 1), yaw=0.4)[None],
        ring(6, radius=2.0) @ torch.diag(torch.tensor([-1.0, 1, -1, 1], dtype=torch.float64)),
    ],
    ids=["parallel", "one line of sight", "single", "outward"],
)
def test_orbit_of_cameras_without_a_common_target_looks_ahead(poses):
    path = orbit(poses, 9)
    assert_rigid(path)
    nearest = torch.cdist(path[:, :3, 3].mean(0)[None], poses[:, :3, 3]).argmin()
    assert (path[:, :3, 2] @ poses[nearest, :3, 2] > 0.9).all()
    assert (path[:, :3, 1] @ poses[nearest, :3, 1] > 0.9).all()


SETS = {
    "walk": walk(),
    "ring": ring(8, radius=2.0),
    "row": torch.stack([pose((x, 0, 0)) for x in (0.0, 1.0, 3.0)]),
    "turning on the spot": torch.stack([pose((0, 0, 0), yaw) for yaw in (0.0, 0.3, 0.7, 1.5)]),
    "standing still": pose((0.4, 0.2, -1), yaw=0.4).expand(4, 4, 4),
    "two": walk()[1:3],
    "one": walk()[:1],
}
WORLDS = {"turned": (1.0, 0.0), "far away": (1.0, 500.0), "hundredths": (0.01, 0.0), "hundreds": (100.0, 0.0)}


@pytest.mark.parametrize("scale, shift", WORLDS.values(), ids=WORLDS)
@pytest.mark.parametrize("poses", SETS.values(), ids=SETS)
@pytest.mark.parametrize("path", [trajectories.interpolate, trajectories.orbit])
def test_a_path_moves_turns_and_scales_with_the_world(path, poses, scale, shift):
    turn = pose((0, 0, 0), 2.0) @ pose((0, 0, 0), 0.7)[[2, 0, 1, 3]][:, [2, 0, 1, 3]]
    place = shift * torch.tensor([0.5, -0.7, 0.2], dtype=torch.float64)

    def moved(poses: torch.Tensor) -> torch.Tensor:
        result = turn @ poses
        result[:, :3, 3] = scale * result[:, :3, 3] + place
        return result

    expected, found = moved(path(poses, 7, DEPTH)), path(moved(poses), 7, scale * DEPTH)
    assert_rigid(found)
    torch.testing.assert_close(found[:, :3, :3], expected[:, :3, :3], atol=1e-9, rtol=0)
    torch.testing.assert_close(found[:, :3, 3], expected[:, :3, 3], atol=1e-9 * scale, rtol=0)
