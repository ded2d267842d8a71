"""Points and meshes of rendered views, of surfaces that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from export_scenes import WIDTH, looking, rendered, wall_depth

from gpnerf.export.agreement import Rule
from gpnerf.export.cloud import CloudFusion
from gpnerf.export.map_folder import MapFolder
from gpnerf.export.mesh import MeshFusion
from gpnerf.export.views import FusedViews
from gpnerf.geometry.cameras import Camera

EYES = ((0.0, 0.0, -2.0), (0.4, 0.0, -2.0), (0.0, 0.3, -2.2))
RULE = Rule(3, 0.02)


@pytest.fixture
def write(tmp_path):
    """write(changes) -> views of a wall at z = 0; changes: number of a view -> its new fields."""

    def write(changes=None, class_names=("wall", "floor", "chair")) -> FusedViews:
        maps = MapFolder(tmp_path / "maps", 0.5, 6.0, class_names)
        cameras = Camera.stack([looking(eye, (eye[0], eye[1], 0.0)) for eye in EYES])
        for number in range(len(EYES)):
            view = rendered(cameras[number], wall_depth, len(class_names))
            maps.save(str(number), replace(view, **(changes or {}).get(number, {})))
        return FusedViews(maps, ["0", "1", "2"], cameras)

    return write


def fuse(views: FusedViews, rule: Rule = RULE):
    return CloudFusion(views, rule).run(range(len(views)))


def test_points_lie_on_the_wall_once_for_all_views(write):
    cloud = fuse(write())
    assert np.abs(cloud.positions[:, 2]).max() < 1e-3
    # Every point is seen by three views; most pixels of the second and third are part of points of the first.
    assert 1000 < len(cloud.positions) < 1.3 * 48 * 64
    assert cloud.spacing == pytest.approx(2.0 / WIDTH, rel=0.11)


def test_labels_and_confidence_are_those_of_the_views(write):
    cloud = fuse(write())
    # The middle of the wall is class 1 of the first view, x from -1/3 to 1/3, and class 0 or 1 of the second.
    left = cloud.positions[:, 0] < -0.4
    assert (cloud.look.labels[left] == 0).all() and left.sum() > 100
    assert cloud.look.confidence[left] == pytest.approx(0.75, abs=1e-4)
    assert (cloud.look.colors[:, 1] == 128).all()


def test_as_many_views_must_agree_as_the_rule_says(write):
    off = torch.full((48, 64), 2.5)
    views = write({1: {"surface": off}})
    assert len(fuse(views).positions) == 0
    two = fuse(views, Rule(2, 0.02))
    assert len(two.positions) > 1000 and np.abs(two.positions[:, 2]).max() < 1e-3
    assert len(fuse(views, Rule(3, 0.4)).positions) > 1000
    one = fuse(views, Rule(1, 0.02))
    assert (np.abs(one.positions[:, 2] - 0.5) < 1e-3).sum() > 1000


def test_a_position_is_the_mean_over_the_views_that_agree(write):
    views = write({1: {"surface": torch.full((48, 64), 2.03)}})
    cloud = fuse(views)
    assert np.abs(cloud.positions[:, 2] - 0.01).max() < 2e-3


def test_a_mesh_has_the_labels_and_colors_of_the_views(write):
    mesh = MeshFusion(write(), RULE, 0.05, 0.2, lambda numbers, doing: numbers).run()
    assert len(mesh.triangles) > 500 and np.abs(mesh.vertices[:, 2]).max() < 1e-3
    left = mesh.vertices[:, 0] < -0.4
    assert (mesh.look.labels[left] == 0).all() and left.any()
    assert (mesh.look.colors[:, 1] == 128).all()


def test_a_mesh_leaves_out_what_no_other_view_confirms(write):
    depth = torch.full((48, 64), 2.0)
    depth[:, :20] = 1.0
    views = write({0: {"surface": depth}})
    mesh = MeshFusion(views, Rule(2, 0.02), 0.05, 0.2, lambda numbers, doing: numbers).run()
    assert np.abs(mesh.vertices[:, 2]).max() < 1e-3


def test_views_that_agree_nowhere_give_an_empty_mesh(write):
    views = write({number: {"surface": torch.full((48, 64), 1.0 + number)} for number in range(3)})
    mesh = MeshFusion(views, RULE, 0.05, 0.2, lambda numbers, doing: numbers).run()
    assert len(mesh.vertices) == len(mesh.triangles) == len(mesh.look.colors) == 0


def test_without_classes_there_are_no_labels(write):
    cloud = fuse(write(class_names=()))
    assert cloud.look.labels is None and cloud.look.confidence is None and len(cloud.positions) > 1000


def test_unsure_depths_count_less(write):
    views = write({1: {"spread": torch.full((48, 64), 0.01)}, 2: {"spread": torch.ones(48, 64)}})
    assert views[0].surfaces.weight.unique().tolist() == [1.0]
    assert views[1].surfaces.weight.mean().item() == pytest.approx(0.125, rel=1e-2)
    assert views[2].surfaces.weight.max() < 1e-6
