"""Matches and triangulation: geometry worked out by hand, wrong matches, and which cameras are paired."""

import numpy as np
import pytest

from gpnerf.datasets.matches import Pinhole, find_features, mutual_matches, pairs_to_match, triangulate

INTRINSICS = np.array([[100.0, 0.0, 50.0], [0.0, 100.0, 40.0], [0.0, 0.0, 1.0]])


def camera(x=0.0, z=0.0, turn=0.0):
    """At (x, 0, z), turned by degrees about the vertical: 0 looks along z, 90 along x."""
    pose, angle = np.eye(4), np.radians(turn)
    pose[:3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    pose[:3, 3] = x, 0.0, z
    return Pinhole(INTRINSICS, pose)


def test_a_point_by_hand():
    """(0, 0, 4) is straight ahead of the first camera; from x = 1 it lies 100 * 1 / 4 pixels to the left."""
    found = triangulate(camera(), camera(x=1.0), np.array([[50.0, 40.0]]), np.array([[25.0, 40.0]]))
    assert found.depths[0] == pytest.approx([4.0, 4.0])
    assert found.errors[0] == pytest.approx(0.0, abs=1e-9)
    assert found.parallax[0] == pytest.approx(np.degrees(np.arctan(1 / 4)))
    assert found.usable.tolist() == [True]


def test_depths_are_along_the_axis_of_each_camera():
    """The second camera stands at (3, 0, 3) and looks along -x: the point (1, 0, 3) is 2 before it."""
    first, second = camera(), camera(x=3.0, z=3.0, turn=-90.0)
    point = np.array([[1.0, 0.0, 3.0]])
    seen = first.project(point), second.project(point)
    assert seen[0] == pytest.approx(np.array([[50.0 + 100.0 / 3.0, 40.0]]))
    assert seen[1] == pytest.approx(np.array([[50.0, 40.0]]))
    assert triangulate(first, second, *seen).depths[0] == pytest.approx([3.0, 2.0])


@pytest.mark.parametrize(
    ("rows", "agrees"), [((40.0, 40.0), True), ((38.0, 41.0), True), ((36.0, 41.0), False)]
)
def test_rays_that_pass_each_other_do_not_agree(rows, agrees):
    """The epipolar lines are the rows; the point lies halfway between the two rays."""
    found = triangulate(camera(), camera(x=1.0), np.array([[50.0, rows[0]]]), np.array([[25.0, rows[1]]]))
    assert found.errors[0] == pytest.approx(abs(rows[0] - rows[1]) / 2, rel=0.05)
    assert found.agree.tolist() == [agrees]


def test_a_point_behind_the_cameras_does_not_agree():
    """The nearer camera to the right sees it farther to the right: the rays meet at z = -4."""
    found = triangulate(camera(), camera(x=1.0), np.array([[50.0, 40.0]]), np.array([[75.0, 40.0]]))
    assert found.depths[0] == pytest.approx([-4.0, -4.0])
    assert found.agree.tolist() == [False]


def test_without_parallax_nothing_is_usable():
    """Parallel rays never meet; a thousandth of a unit of baseline is 0.014 degrees at a depth of 4."""
    same = np.array([[50.0, 40.0]])
    assert not triangulate(camera(), camera(turn=10.0), same, np.array([[32.4, 40.0]])).usable.any()
    assert not triangulate(camera(), camera(x=1.0), same, same).usable.any()
    close = triangulate(camera(), camera(x=1e-3), same, np.array([[50.0 - 0.025, 40.0]]))
    assert close.agree.tolist() == [True] and close.usable.tolist() == [False]


def test_a_match_is_mutual_and_clearly_the_nearest():
    one = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 0.4], [50.0, 50.0]])
    other = np.array([[0.0, 1.0], [10.0, 0.2], [30.0, 50.0], [70.0, 50.0]])
    # (10, 0) and (10, 0.4) are equally near to (10, 0.2), and (50, 50) lies between two.
    assert mutual_matches(one, other).tolist() == [[0, 0]]
    assert mutual_matches(one[:0], other).shape == (0, 2)


def test_pairs_look_the_same_way_from_different_places():
    """Cameras at x = 0, 0.01, 1, 2, and one at 1 that looks back; 2 % of the extent is 0.04."""
    cameras = [camera(0.0), camera(0.01), camera(1.0), camera(2.0), camera(1.0, turn=180.0)]
    assert pairs_to_match(np.stack([one.pose for one in cameras])) == [(0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    turning = [camera(turn=10.0 * number) for number in range(5)]
    assert pairs_to_match(np.stack([one.pose for one in turning])) == []


def test_features_lie_where_the_mask_allows_them():
    random = np.random.default_rng(0)
    image = np.kron(random.integers(0, 255, (12, 16, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    mask = np.zeros((96, 128), bool)
    mask[:, :64] = True
    everywhere, left = find_features(image, None), find_features(image, mask)
    assert everywhere.pixels[:, 0].max() > 64 > left.pixels[:, 0].max()
    assert len(everywhere.pixels) > len(left.pixels) > 10
    assert len(find_features(np.zeros((6, 8, 3), np.uint8), None).pixels) == 0
