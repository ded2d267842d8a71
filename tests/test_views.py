"""Frame rules and source-view choice."""

import math
from dataclasses import replace

import pytest
import torch

from gpnerf.datasets import views
from gpnerf.datasets.policies import POLICIES, Candidates, Policy, rank_views
from gpnerf.datasets.views import FrameRule, parse_frames, training_sources
from gpnerf.geometry.cameras import Camera
from gpnerf.system.errors import ConfigError, DataError

GOLDEN_METRICS = {"dist": "distance", "vector": "angle", "matrix": "rotation"}


def row_of_cameras(count: int) -> torch.Tensor:
    """Cameras 1 m apart along x."""
    poses = torch.eye(4).repeat(count, 1, 1)
    poses[:, 0, 3] = torch.arange(count)
    return poses


def candidates(target: torch.Tensor, poses: torch.Tensor) -> Candidates:
    """Cameras of a right angle of view, at these poses."""
    camera = Camera.from_focal(8.0, 8.0, 7.5, 5.5, torch.eye(4), 12, 16)
    batch = Camera(camera.intrinsics.expand(len(poses), 3, 3), poses, 12, 16)
    return Candidates(replace(camera, camera_to_world=target), batch, 0.5, 5.0)


def nearest_others(poses: torch.Tensor, target: int, count: int, metric: str, center=None) -> list[int]:
    others = torch.tensor([index for index in range(len(poses)) if index != target])
    return others[rank_views(poses[target], poses[others], metric, center)][:count].tolist()


@pytest.mark.parametrize("name", GOLDEN_METRICS)
@pytest.mark.parametrize("count", [5, 10, 50])
def test_ranking_matches_the_reference(golden, name, count):
    arrays = golden("view_selection")
    poses = torch.from_numpy(arrays["in/poses"])
    for target, expected in zip(arrays["in/targets"], arrays[f"out/{name}_n{count}"], strict=True):
        assert nearest_others(poses, int(target), count, GOLDEN_METRICS[name]) == expected.tolist()


@pytest.mark.parametrize("name", GOLDEN_METRICS)
def test_ranking_for_a_pose_outside_the_set_matches_the_reference(golden, name):
    arrays = golden("view_selection")
    poses, target = torch.from_numpy(arrays["in/poses"]), torch.from_numpy(arrays["in/external_target"])
    nearest = rank_views(target, poses, GOLDEN_METRICS[name])[:10]
    assert nearest.tolist() == arrays[f"out/{name}_external_n10"].tolist()


def test_angles_about_another_centre_match_the_reference(golden):
    arrays = golden("view_selection")
    poses, center = torch.from_numpy(arrays["in/poses"]), torch.from_numpy(arrays["in/scene_center"])
    for target, expected in zip(arrays["in/targets"], arrays["out/vector_center_n10"], strict=True):
        assert nearest_others(poses, int(target), 10, "angle", center) == expected.tolist()


def test_an_unknown_metric_is_refused():
    with pytest.raises(ConfigError, match="distance, angle, rotation.*'nearest'"):
        rank_views(torch.eye(4), row_of_cameras(2), "nearest")


def test_frames_of_the_scannet_protocol():
    rule = FrameRule(test_frames="2:700:20", test_limit=10, source_frames="0:700:5")
    split = rule.split(1200, "scene0160_00")
    assert split.test == [2, 22, 42, 62, 82, 102, 122, 142, 162, 182]
    assert split.sources == split.train == list(range(0, 700, 5))


def test_test_frames_are_held_out_unless_the_rule_says_otherwise():
    rule = FrameRule(test_frames="::4", source_frames=":6", train_frames="2:")
    assert rule.split(8, "attic") == ([0, 4], [1, 2, 3, 5], [2, 3, 5, 6, 7])
    leaky = FrameRule(test_frames="::4", source_frames=":6", train_frames="2:", held_out=False)
    assert leaky.split(8, "attic") == ([0, 4], [0, 1, 2, 3, 4, 5], [2, 3, 4, 5, 6, 7])


@pytest.mark.parametrize("rule", [FrameRule(":"), FrameRule("5:"), FrameRule(train_frames="::8")])
def test_a_rule_that_leaves_nothing_to_test_render_from_or_train_on_is_refused(rule):
    with pytest.raises(DataError, match="attic.*choose a rule"):
        rule.split(5, "attic")


@pytest.mark.parametrize("text", ["", "5", "::0", "-1:", "a:b", "1:2:3:4"])
def test_frames_that_are_no_range_are_refused(text):
    with pytest.raises(ConfigError, match="START:STOP:STEP"):
        parse_frames(text)


def test_test_sources_are_the_nearest_in_order():
    poses = row_of_cameras(10)
    target = torch.eye(4)
    target[0, 3] = 6.2
    assert views.test_sources(candidates(target, poses), 3, "distance", "row").tolist() == [6, 7, 5]


def test_training_sources_are_distinct_and_repeat_with_the_seed():
    poses, target = row_of_cameras(100), torch.eye(4)

    def draw(seed: int) -> list[int]:
        generator = torch.Generator().manual_seed(seed)
        return training_sources(generator, candidates(target, poses), 10, "distance", "row").tolist()

    assert draw(3) == draw(3)
    assert len({tuple(draw(seed)) for seed in range(20)}) > 10
    for seed in range(20):
        assert len(set(draw(seed))) == 10


def test_training_pools_have_the_published_sizes():
    """Of cameras in a row, the farthest of 10 drawn among 10 f tells f nearly always: count them."""
    poses, target = row_of_cameras(100), torch.eye(4)
    generator = torch.Generator().manual_seed(0)
    farthest = torch.stack(
        [
            training_sources(generator, candidates(target, poses), 10, "distance", "row").max()
            for _ in range(2000)
        ]
    )
    assert farthest.max() < 50
    # f = 1 always draws 0..9; a larger pool does so with a chance below 1e-5.
    assert (farthest == 9).float().mean().item() == pytest.approx(0.30, abs=0.03)
    # Camera 40..49 needs f = 5, and then is among the ten with probability 0.917.
    assert (farthest >= 40).float().mean().item() == pytest.approx(0.05 * 0.917, abs=0.015)


def test_a_pool_is_capped_by_the_candidates():
    generator = torch.Generator().manual_seed(0)
    chosen = training_sources(generator, candidates(torch.eye(4), row_of_cameras(4)), 4, "distance", "row")
    assert sorted(chosen.tolist()) == [0, 1, 2, 3]


def test_too_few_candidates_name_the_scene_and_the_option():
    with pytest.raises(DataError, match=r"attic: expected at least 10 .*found 4; add frames, or lower"):
        views.test_sources(candidates(torch.eye(4), row_of_cameras(4)), 10, "distance", "attic")


def looking(x: float, degrees: float) -> torch.Tensor:
    """A camera at (x, 0, 0), turned to the right about the vertical."""
    angle = math.radians(degrees)
    pose = torch.eye(4)
    pose[0, 0] = pose[2, 2] = math.cos(angle)
    pose[0, 2], pose[2, 0] = math.sin(angle), -math.sin(angle)
    pose[0, 3] = x
    return pose


def test_overlap_prefers_views_that_see_to_near_ones_that_look_away():
    poses = torch.stack([looking(0.1, 180.0), looking(0.6, 0.0), looking(0.1, 90.0), looking(-0.7, 0.0)])
    choice = candidates(torch.eye(4), poses)
    assert views.test_sources(choice, 2, "overlap", "row").tolist() == [1, 3]
    assert views.test_sources(choice, 2, "distance", "row").tolist() == [0, 2]


def test_overlap_takes_the_other_half_before_more_of_the_same():
    """Two cameras on the left see the left half, as one does; the one on the right is taken second."""
    poses = torch.stack([looking(0.0, -45.0), looking(0.01, -45.0), looking(0.0, 44.0)])
    assert views.test_sources(candidates(torch.eye(4), poses), 2, "overlap", "row").tolist() in (
        [0, 2],
        [1, 2],
        [2, 0],
        [2, 1],
    )


def test_the_views_that_stand_for_a_scene_start_with_the_one_that_sees_most_of_it():
    poses = torch.stack([looking(x, 0.0) for x in (-1.0, -0.5, 0.0, 0.4, 1.5)] + [looking(-3.0, 180.0)])
    cameras = candidates(torch.eye(4), poses).cameras
    assert views.scene_sources(cameras, 0.5, 5.0, 3, "distance", "row").tolist() == [2, 3, 1]
    with pytest.raises(DataError, match="row: expected at least 3 source views besides the target, found 2"):
        views.scene_sources(cameras[[0, 1, 2]], 0.5, 5.0, 3, "distance", "row")


def test_overlap_finds_something_where_nothing_is_seen():
    poses = torch.stack([looking(0.0, 180.0), looking(1.0, 180.0)])
    assert sorted(views.test_sources(candidates(torch.eye(4), poses), 2, "overlap", "row").tolist()) == [0, 1]


def test_overlap_does_not_depend_on_the_world():
    generator = torch.Generator().manual_seed(0)
    poses = torch.stack(
        [
            looking(float(x), float(a))
            for x, a in torch.randn(40, 2, generator=generator) * torch.tensor([1.0, 40.0])
        ]
    )
    expected = views.test_sources(candidates(torch.eye(4), poses), 8, "overlap", "row")
    turn = looking(3.0, 37.0)
    assert torch.equal(views.test_sources(candidates(turn, turn @ poses), 8, "overlap", "row"), expected)


def test_equal_views_stay_in_their_order():
    poses = torch.stack([looking(0.3, 0.0), looking(0.0, 180.0)] * 3)
    assert views.test_sources(candidates(torch.eye(4), poses), 6, "overlap", "row").tolist()[:3] == [0, 2, 4]
    assert views.test_sources(candidates(torch.eye(4), poses), 6, "distance", "row").tolist() == [
        1,
        3,
        5,
        0,
        2,
        4,
    ]


def test_training_pools_of_overlap_see_both_halves():
    """Half of the ten look to the left and half to the right; two at random do both in 5 cases of 9."""
    poses = torch.stack([looking(0.02 * number, 44.0 * (-1) ** number) for number in range(10)])
    generator = torch.Generator().manual_seed(0)

    def both_sides(policy: str) -> float:
        drawn = [
            training_sources(generator, candidates(torch.eye(4), poses), 2, policy, "row") % 2
            for _ in range(300)
        ]
        return torch.stack(drawn).sum(dim=1).eq(1).float().mean().item()

    assert both_sides("overlap") > 0.97 and both_sides("distance") < 0.85


def test_a_policy_is_one_function(monkeypatch):
    monkeypatch.setitem(
        POLICIES, "last", Policy(lambda candidates, count: torch.arange(len(candidates)).flip(0))
    )
    choice = candidates(torch.eye(4), row_of_cameras(9))
    assert views.test_sources(choice, 2, "last", "row").tolist() == [8, 7]
    drawn = training_sources(torch.Generator().manual_seed(0), choice, 1, "last", "row")
    assert 4 <= int(drawn) <= 8
