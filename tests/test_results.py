"""Results of views: kept whole, averaged per scene and then over scenes, and pooled."""

import pytest
import torch

from gpnerf.evaluation.result_files import load_view, rendering_seconds, save_view
from gpnerf.evaluation.results import (
    POOLED_TITLES,
    TITLES,
    ViewResult,
    by_scene,
    mean_scores,
    overall,
    with_majority_class,
)


def scores(psnr=20.0, miou=None):
    return dict.fromkeys(TITLES) | {"psnr": psnr, "miou": miou}


def matrix(*rows):
    return torch.tensor(rows)


# Hall: three views; attic: one.
VIEWS = [
    ViewResult("hall", "2", scores(20.0, 0.2), matrix((1, 1), (0, 2))),
    ViewResult("attic", "0", scores(30.0, 0.9), matrix((4, 0), (0, 0))),
    ViewResult("hall", "8", scores(22.0, 0.4), matrix((0, 0), (3, 1))),
    ViewResult("hall", "14", scores(27.0, 0.6), matrix((0, 0), (0, 4))),
]


def test_views_are_averaged_per_scene_and_scenes_overall():
    hall, attic = by_scene(VIEWS)
    assert (hall.scene, hall.views, attic.scene, attic.views) == ("hall", 3, "attic", 1)
    assert hall.scores["psnr"] == pytest.approx(23.0) and hall.scores["miou"] == pytest.approx(0.4)
    # 26.5, not the mean over views, 24.75.
    assert overall([hall, attic])["psnr"] == pytest.approx(26.5)
    assert overall([hall, attic])["miou"] == pytest.approx(0.65)


def test_pooled_scores_come_from_the_sum_of_a_scenes_matrices():
    """Hall: [[1, 1], [3, 7]]: IoU 1/5 and 7/11, 8 of 12 right, recalls 1/2 and 7/10."""
    hall = by_scene(VIEWS)[0]
    assert hall.confusion.tolist() == [[1, 1], [3, 7]]
    assert hall.scores["miou_pooled"] == pytest.approx((1 / 5 + 7 / 11) / 2)
    assert hall.scores["total_accuracy_pooled"] == pytest.approx(8 / 12)
    assert hall.scores["average_accuracy_pooled"] == pytest.approx((1 / 2 + 7 / 10) / 2)
    unlabelled = by_scene([ViewResult("hall", "0", scores())])[0]
    assert {unlabelled.scores[name] for name in POOLED_TITLES} == {None}


def test_a_missing_value_makes_its_mean_missing_and_no_other():
    mean = mean_scores([scores(20.0, 0.2), scores(30.0, None)])
    assert mean["miou"] is None and mean["psnr"] == pytest.approx(25.0)


def test_the_majority_class_of_a_scene_by_hand():
    """Hall shows class 1 in 10 of 12 pixels. View 2 has both classes, 2 of 4 pixels each; others class 1."""
    scored = {view.view: view.scores["miou_majority_class"] for view in with_majority_class(VIEWS)}
    assert scored == {"2": pytest.approx((0 + 2 / 4) / 2), "0": 1.0, "8": 1.0, "14": 1.0}
    assert with_majority_class([ViewResult("cellar", "0", scores())])[0].scores["miou_majority_class"] is None


def test_a_kept_view_is_the_same_and_only_for_what_made_it(tmp_path):
    for view in (VIEWS[0], ViewResult("hall", "2", scores(None))):
        save_view(tmp_path, view, "weights 1")
        kept = load_view(tmp_path, "hall", "2", "weights 1")
        assert kept.scores == view.scores
        assert (kept.confusion is None) == (view.confusion is None)
        if view.confusion is not None:
            assert torch.equal(kept.confusion, view.confusion)
    assert load_view(tmp_path, "hall", "2", "weights 2") is None
    assert load_view(tmp_path, "hall", "2") is not None


def test_a_kept_view_of_objects_is_the_same(tmp_path):
    overlaps = torch.tensor([[-1, -1, 0, 1, 3], [0, 7, 0, 1, 5]])
    for view in (ViewResult("hall", "2", scores(), None, overlaps), ViewResult("hall", "2", scores())):
        save_view(tmp_path, view, "x")
        kept = load_view(tmp_path, "hall", "2").overlaps
        assert kept is view.overlaps is None or torch.equal(kept, view.overlaps)


def test_scene_panoptic_quality_pools_the_segments_of_all_views():
    """Object 7 is mostly output 2 in the first view, and mostly output 1 in both views together."""
    tables = [[[0, 7, 0, 1, 4], [0, 7, 0, 2, 8]], [[0, 7, 0, 1, 11], [0, 7, 0, 2, 1]]]
    for known in ("pq", "pq_one_class"):
        views = [
            ViewResult("hall", str(number), scores() | {known: 0.5}, None, torch.tensor(table))
            for number, table in enumerate(tables)
        ]
        found = by_scene(views)[0].scores
        # Output 1 has 15 of the 24 pixels, output 2 is an error.
        assert found[f"{known}_pooled"] == pytest.approx(15 / 24 / 1.5)
        assert sum(found[f"{name}_pooled"] is not None for name in ("pq", "pq_one_class")) == 1
    assert by_scene([views[0], ViewResult("hall", "9", scores())])[0].scores["pq_pooled"] is None


def test_the_seconds_of_a_view_are_kept_and_averaged(tmp_path):
    assert rendering_seconds(tmp_path) is None
    for name, seconds in (("0", 2.0), ("1", 4.0), ("2", None)):
        save_view(tmp_path / "hall" / name, VIEWS[0], "x", seconds)
    assert rendering_seconds(tmp_path) == 3.0


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"made_by": "x"}', '{"made_by": "x", "scores": {}, "confusion": 3}']
)
def test_a_damaged_record_counts_as_none(tmp_path, text):
    (tmp_path / "scores.json").write_text(text)
    assert load_view(tmp_path, "hall", "2", "x") is None
    assert load_view(tmp_path / "nowhere", "hall", "2", "x") is None
