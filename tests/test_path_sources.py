"""Source views along a path: kept as long as they see nearly as much as the best ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers import camera_at

from gpnerf.datasets.overlap import coverage, rank_by_overlap
from gpnerf.datasets.path_sources import sources_along, without_strangers
from gpnerf.datasets.policies import Candidates
from gpnerf.geometry.cameras import Camera

NEAR, FAR = 1.0, 4.0
# Photographs in a row, half a metre apart.
ROW = Camera.stack([camera_at(x, 24, 32) for x in np.arange(0.0, 5.0, 0.5)])


def frames(places: list[float]) -> list[Candidates]:
    return [Candidates(camera_at(x, 24, 32), ROW, NEAR, FAR) for x in places]


def there_and_back() -> list[float]:
    """A camera that sways about the place where photograph 1 gives way to photograph 4."""
    middle = 0.5 * (1 + 4) / 2
    return [middle + 0.02 * math.sin(2.5 * step) for step in range(20)]


def changes(chosen: list[tuple[int, ...]]) -> int:
    return sum(first != second for first, second in zip(chosen, chosen[1:], strict=False))


def test_chosen_anew_a_swaying_camera_changes_its_sources_and_kept_it_does_not():
    path = frames(there_and_back())
    assert changes(sources_along(path, 3, "overlap", "row", kept_until=math.inf)) > 5
    assert changes(sources_along(path, 3, "overlap", "row")) == 0


@pytest.mark.parametrize("policy", ["overlap", "distance"])
def test_kept_sources_never_see_much_less_than_the_chosen_ones(policy):
    path = frames(np.linspace(0.0, 4.5, 60).tolist())
    anew = sources_along(path, 3, policy, "row", kept_until=math.inf)
    kept = sources_along(path, 3, policy, "row")
    assert 0 < changes(kept) <= changes(anew)
    for frame, some, best in zip(path, kept, anew, strict=True):
        seen = [coverage(frame.target, ROW[list(one)], NEAR, FAR) for one in (some, best)]
        assert seen[0] >= 0.98 * seen[1]


def test_a_set_that_shows_much_less_of_a_frame_has_no_part_in_its_fade():
    """Photographs 0 and 1 surround the frame; 1 and 2 see nearly as much, 8 and 9 are four metres away."""
    (frame,) = frames([0.3])
    own, near, far = (0, 1), (1, 2), (8, 9)
    assert without_strangers({own: 0.5, near: 0.25, far: 0.25}, frame, own) == {own: 2 / 3, near: 1 / 3}
    assert without_strangers({far: 1.0}, frame, far) == {far: 1.0}


def test_sources_are_sets_so_that_their_order_is_no_change():
    chosen = sources_along(frames([1.0, 2.0]), 4, "distance", "row")
    assert all(list(one) == sorted(one) for one in chosen)


def test_a_model_without_sources_has_none():
    assert sources_along(frames([1.0, 2.0]), 0, "overlap", "row") == [(), ()]


def test_coverage_of_all_cameras_is_the_most_and_none_have_none():
    target = camera_at(1.2, 24, 32)
    assert coverage(target, ROW[[]], NEAR, FAR) == 0
    order = rank_by_overlap(target, ROW, NEAR, FAR, len(ROW.intrinsics))
    seen = [coverage(target, ROW[order[:count]], NEAR, FAR) for count in range(1, len(order) + 1)]
    # What each view adds falls, as the choice is greedy.
    gains = np.diff(seen)
    assert (gains >= 0).all() and (np.diff(gains) <= 1e-6).all()


def test_coverage_by_hand_of_a_camera_that_is_the_target():
    """Every point has the score 1 in the target's own photograph."""
    target = camera_at(0.0, 24, 32)
    points = 4 * 6 * 6
    assert coverage(target, Camera.stack([target]), NEAR, FAR) == pytest.approx(points * math.log(2))
    assert coverage(target, Camera.stack([target] * 3), NEAR, FAR) == pytest.approx(points * math.log(4))
    assert torch.equal(rank_by_overlap(target, ROW, NEAR, FAR, 1), torch.tensor([0]))
