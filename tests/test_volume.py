"""A volume of signed distances gives back the surfaces that its views see."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from export_scenes import looking, sphere_depth, surfaces, wall_depth

from gpnerf.export.volume import Volume
from gpnerf.system.errors import ConfigError

AROUND = [
    (3.0, 0.0, 0.1),
    (-3.0, 0.1, 0.0),
    (0.1, 0.2, 3.0),
    (0.0, 0.1, -3.0),
    (0.2, 3.0, 0.3),
    (0.2, -3.0, 0.3),
]


def fused(views, voxel: float = 0.05, truncation: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    volume = Volume(voxel, truncation)
    volume.make_blocks(views)
    for view in views:
        volume.add(view)
    return volume.surface()


def normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    return np.cross(b - a, c - a)


def test_the_surface_of_a_wall_is_the_wall():
    vertices, triangles = fused([surfaces(looking((0.0, 0.0, -2.0), (0.3, 0.1, 0.0)), wall_depth)])
    assert len(triangles) > 1000
    assert np.abs(vertices[:, 2]).max() < 1e-4
    assert vertices[:, 0].min() < -0.6 and vertices[:, 0].max() > 1.3
    assert (normals(vertices, triangles)[:, 2] < 0).all(), "anticlockwise from the camera, at z = -2"


def test_the_surface_of_a_sphere_is_the_sphere_all_around():
    vertices, triangles = fused([surfaces(looking(eye), sphere_depth) for eye in AROUND])
    radii = np.linalg.norm(vertices, axis=1)
    assert np.median(np.abs(radii - 1.0)) < 0.003
    assert np.abs(radii - 1.0).mean() < 0.01
    area = 0.5 * np.linalg.norm(normals(vertices, triangles), axis=1).sum()
    assert area == pytest.approx(4.0 * np.pi, rel=0.03)
    outward = (normals(vertices, triangles) * vertices[triangles[:, 0]]).sum(axis=1) > 0
    assert outward.mean() > 0.99


def test_depths_that_count_more_pull_the_surface_to_them():
    near, far = (surfaces(looking((0.0, 0.0, eye)), wall_depth) for eye in (-2.0, -2.0))
    far = type(far)(far.camera, far.depth + 0.1, 3.0 * far.weight)
    vertices, _ = fused([near, far])
    assert np.abs(vertices[:, 2] - 0.075).max() < 1e-3


def test_what_is_seen_through_is_no_surface():
    ghost = surfaces(looking((0.0, 0.0, -2.0)), wall_depth)
    ghost = type(ghost)(ghost.camera, ghost.depth - 0.15, ghost.weight)
    behind = [surfaces(looking((0.1 * number, 0.0, -2.0)), wall_depth) for number in range(9)]
    vertices, _ = fused([ghost, *behind])
    middle = vertices[(np.abs(vertices[:, :2]) < 0.5).all(axis=1)]
    assert len(middle) and np.abs(middle[:, 2]).max() < 0.03


def test_views_without_a_surface_give_an_empty_mesh():
    vertices, triangles = fused([surfaces(looking((3.0, 0.0, 0.0), (9.0, 0.0, 0.0)), sphere_depth)])
    assert vertices.shape == (0, 3) and triangles.shape == (0, 3)


def test_a_box_with_too_many_voxels_is_refused_with_a_size_that_works():
    view = surfaces(looking((0.0, 0.0, -2.0)), wall_depth)
    with pytest.raises(
        ConfigError, match=r"at most 134217728 voxels .* set --voxel to ([\d.e-]+)"
    ) as refused:
        Volume(0.001, 0.2).make_blocks([view])
    enough = float(str(refused.value).split("set --voxel to ")[1].split()[0])
    assert 0.001 < enough < 0.01


def test_the_edge_of_a_surface_is_not_joined_to_what_lies_behind():
    view = surfaces(looking((0.0, 0.0, -2.0)), wall_depth)
    depth = torch.where(torch.arange(view.depth.shape[1]) < 32, view.depth, view.depth + 1.0)
    vertices, _ = fused([type(view)(view.camera, depth, view.weight)])
    assert not ((vertices[:, 2] > 0.1) & (vertices[:, 2] < 0.9)).any()
