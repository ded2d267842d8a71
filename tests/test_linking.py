"""Objects that several views number anew: planes and a screen by hand, files, and the score of a scene."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from helpers import camera_at
from test_results import scores

from gpnerf.datasets import examples
from gpnerf.datasets.probes.warp import correspondence
from gpnerf.evaluation.result_files import (
    load_scene_ids,
    load_segments,
    load_view,
    read_results,
    save_maps,
    save_scene_ids,
    save_view,
    write_results,
)
from gpnerf.evaluation.results import EvaluationResult, ViewResult, by_scene
from gpnerf.evaluation.scene_objects import recorded, with_scene_ids
from gpnerf.metrics.linking import Segments, link_segments
from gpnerf.metrics.panoptic import count_overlaps
from gpnerf.rendering.view import RenderedView

HEIGHT, WIDTH = 3, 8
# Half a metre aside, the wall z = 2 moves by two columns, and a screen at z = 1 by four.
FIRST, SECOND = camera_at(0.0, HEIGHT, WIDTH), camera_at(0.5, HEIGHT, WIDTH)
WALL = [2.0] * WIDTH


def view(camera, classes, ids, depth=WALL):
    """A view whose rows are all alike, and its camera and depth."""
    classes, ids, depth = (torch.tensor(row).expand(HEIGHT, WIDTH) for row in (classes, ids, depth))
    return Segments(classes, ids), (camera, depth)


def linked(*views):
    seen = [geometry for _, geometry in views]
    ids = link_segments(
        [segments for segments, _ in views], lambda one, other: correspondence(*seen[one], *seen[other])
    )
    return [one.tolist() for one in ids]


def test_two_walls_are_found_again_under_other_ids():
    """Columns 0 to 4 of the first view are one wall, the others the next one."""
    first = view(FIRST, [0] * 8, [0, 0, 0, 0, 0, 1, 1, 1])
    second = view(SECOND, [0] * 8, [1, 1, 1, 0, 0, 0, 0, 0])
    assert linked(first, second) == [[0, 1], [1, 0]]


def test_an_object_that_a_screen_hides_in_one_view_gets_its_id_back():
    """A picture in columns 2 and 3, hidden from the second camera by a screen of the same class."""
    depth = [2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]
    first = view(FIRST, [0, 0, 1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 2, 2, 0, 0], depth)
    middle = view(SECOND, [1, 1] + [0] * 6, [0, 0] + [1] * 6, [1.0, 1.0] + [2.0] * 6)
    last = view(FIRST, [0, 0, 1, 1, 1, 1, 0, 0], [2, 2, 1, 1, 0, 0, 2, 2], depth)
    assert linked(first, middle, last) == [[0, 1, 2], [2, 0], [2, 1, 0]]
    # Without the first view, the picture is new in the last one.
    assert linked(middle, last) == [[0, 1], [0, 2, 1]]


def test_an_object_that_comes_in_does_not_inherit_the_id_of_one_that_has_left():
    """A picture left of what the second camera sees, and another one right of what the first one sees."""
    first = view(FIRST, [1, 1] + [0] * 6, [1, 1] + [0] * 6)
    second = view(SECOND, [0] * 6 + [1, 1], [0] * 6 + [1, 1])
    assert linked(first, second) == [[0, 1], [0, 2]]


def test_another_class_at_the_same_place_is_another_object():
    first = view(FIRST, [0] * 8, [0] * 8)
    assert linked(first, view(SECOND, [1] * 8, [0] * 8)) == [[0], [1]]


def test_of_two_parts_of_an_object_the_larger_one_keeps_its_id():
    """Six columns are seen twice: IoU 2/6 and 4/6."""
    second = view(SECOND, [0] * 8, [0, 0, 1, 1, 1, 1, 1, 1])
    assert linked(view(FIRST, [0] * 8, [0] * 8), second) == [[0], [1, 0]]


def in_place(one, other):
    """Every pixel of a row of ten shows the same point in all views."""
    return torch.arange(10)[None]


@pytest.mark.parametrize(("shared", "last"), [(1, [2]), (2, [0])])
def test_a_tenth_of_an_object_is_too_little(shared, last):
    """The IoU of the last segment, ten pixels long, is 1/10 or 2/10."""
    classes = torch.zeros(1, 10, dtype=torch.int64)
    first = Segments(classes.clone(), (torch.arange(10) >= shared).long()[None])
    first.classes[0, shared:] = 1
    assert link_segments([first, Segments(classes, classes)], in_place)[1].tolist() == last


def test_all_earlier_views_vote():
    """IoUs of the last segment: 8/10 and 2/10 in the first view, 4/10 and 6/10 in the second one."""
    classes = torch.zeros(1, 10, dtype=torch.int64)
    first, second = ((torch.arange(10) >= end).long()[None] for end in (8, 4))
    views = [Segments(classes, ids) for ids in (first, second, classes)]
    assert [ids.tolist() for ids in link_segments(views, in_place)] == [[0, 1], [0, 1], [0]]
    assert [ids.tolist() for ids in link_segments(views[1:], in_place)] == [[0, 1], [1]]


def test_ids_without_a_pixel_or_a_class_are_no_objects():
    segments = Segments(torch.tensor([[2, -1, 0]]), torch.tensor([[1, 0, -1]]))
    assert [one.tolist() for one in link_segments([segments], in_place)] == [[-1, 0]]
    nothing = Segments(segments.classes, torch.full((1, 3), -1))
    assert [one.tolist() for one in link_segments([nothing], in_place)] == [[]]


# The walls of the first test. In the first view, one column of the second wall is taken for the first one.
CLASSES = torch.zeros(HEIGHT, WIDTH, dtype=torch.int64)
IDS = [[0, 0, 0, 0, 0, 0, 1, 1], [1, 1, 1, 0, 0, 0, 0, 0]]
TRUE_IDS = [[7, 7, 7, 7, 7, 9, 9, 9], [7, 7, 7, 9, 9, 9, 9, 9]]


@pytest.fixture
def hall(tmp_path):
    """Results, examples and the folder of each view of the two walls; the second frame is the first view."""
    scene = SimpleNamespace(name="hall")
    cameras = {9: SECOND, 3: FIRST}
    reader = SimpleNamespace(cameras=lambda _: cameras)
    data = SimpleNamespace(views=[examples.TestView(scene, frame, ()) for frame in cameras], reader=reader)
    results = {}
    for index, number in enumerate((1, 0)):
        ids, truth = (torch.tensor(rows[number]).expand(HEIGHT, WIDTH) for rows in (IDS, TRUE_IDS))
        surface = torch.tensor(WALL).expand(HEIGHT, WIDTH)
        save_maps(tmp_path / str(index), RenderedView(labels=CLASSES, instances=ids, surface=surface))
        table = count_overlaps((CLASSES, ids), (CLASSES, truth))
        results[index] = ViewResult("hall", str(index), scores(), view_overlaps=table)
    return results, data, lambda index: tmp_path / str(index)


def test_the_panoptic_quality_of_a_scene_by_hand(hall):
    """In columns of both views: first wall 5 + 3 true, 6 + 3 found; second wall 3 + 5 true, 2 + 5 found."""
    results, _, folder_of = hall
    assert by_scene(list(results.values()))[0].scores["pq_pooled"] is None
    found = with_scene_ids(*hall)
    assert [load_scene_ids(folder_of(index)).tolist() for index in (1, 0)] == [[0, 1], [1, 0]]
    (scene,) = by_scene(list(found.values()))
    assert scene.scores["pq_pooled"] == pytest.approx((8 / 9 + 7 / 8) / 2)
    assert scene.scores["rq_pooled"] == 1.0


@pytest.mark.parametrize("lacking", ["depth.npy", "instance_ids.png", "label_ids.png"])
@pytest.mark.parametrize("damaged", [False, True])
def test_a_view_without_depth_or_ids_leaves_its_scene_without_a_score(hall, caplog, lacking, damaged):
    _, _, folder_of = hall
    with_scene_ids(*hall)
    file = folder_of(0) / lacking
    file.write_bytes(b"half a file") if damaged else file.unlink()
    with caplog.at_level("WARNING"):
        found = with_scene_ids(*hall)
    assert all(one.overlaps is None for one in found.values())
    assert load_scene_ids(folder_of(0)) is load_scene_ids(folder_of(1)) is None
    assert caplog.messages == [
        "Warning: hall: expected rendered ids and depth of all test views, to find the objects of one view "
        f"in another, found none in {folder_of(0)}; delete these folders, so that the views are rendered "
        "again. Scene PQ is left out."
    ]


def test_views_without_ids_of_their_own_are_left_alone(hall):
    results, *others = hall
    results = {index: replace(result, view_overlaps=None) for index, result in results.items()}
    assert with_scene_ids(results, *others) == results
    assert not (others[1](0) / "scene_ids.json").exists()


def test_maps_are_read_back_exactly_and_depth_of_a_stride_at_the_size_of_the_labels(tmp_path):
    labels, ids = torch.tensor([[3, 0, 0, -1]]).expand(2, 4), torch.tensor([[300, 1, 1, -1]]).expand(2, 4)
    surface = torch.tensor([[1.0 / 3.0, 70000.0]])
    save_maps(tmp_path, RenderedView(labels=labels, instances=ids, surface=surface))
    segments, depth = load_segments(tmp_path)
    assert torch.equal(segments.classes, labels) and torch.equal(segments.ids, ids)
    assert torch.equal(depth, surface.repeat_interleave(2, 0).repeat_interleave(2, 1))


def test_a_new_record_drops_ids_of_the_old_one(tmp_path):
    table = torch.tensor([[0, 7, 0, 1, 5]])
    save_scene_ids(tmp_path, torch.tensor([4, 0]))
    save_view(tmp_path, ViewResult("hall", "0", scores(), view_overlaps=table), "key")
    assert load_scene_ids(tmp_path) is None
    assert torch.equal(load_view(tmp_path, "hall", "0").view_overlaps, table)


@pytest.mark.parametrize("text", ["[4]", "5", "[[1], 2]", "{"])
def test_damaged_ids_are_no_traceback(tmp_path, text):
    """The table names id 1, which the first two do not have."""
    table = torch.tensor([[0, 7, 0, 1, 5]])
    result = ViewResult("hall", "0", scores(), view_overlaps=table)
    save_view(tmp_path / "hall" / "0", result, "key")
    write_results(tmp_path, EvaluationResult([result], {}))
    assert read_results(tmp_path).views[0].overlaps is None
    (tmp_path / "hall" / "0" / "scene_ids.json").write_text(text)
    found = read_results(tmp_path)
    assert found is None or found.views[0].overlaps is None


def test_records_of_earlier_versions_have_no_tables_of_a_view(tmp_path):
    save_view(tmp_path, ViewResult("hall", "0", scores()), "key")
    record = json.loads((tmp_path / "scores.json").read_text())
    del record["view_overlaps"]
    (tmp_path / "scores.json").write_text(json.dumps(record))
    assert load_view(tmp_path, "hall", "0").view_overlaps is None
    # Their key is another one with --target panoptic, and the same with other targets.
    assert recorded("panoptic") and not recorded("semantic")
