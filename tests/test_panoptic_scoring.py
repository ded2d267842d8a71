"""The classes of objects: found in true maps, given to predicted objects, one class where none is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gpnerf.datasets import rooms
from gpnerf.datasets.instances import named_objects, object_classes, object_names, slot_names
from gpnerf.datasets.labels import IGNORE
from gpnerf.evaluation.panoptic_scoring import Objects
from gpnerf.metrics.panoptic import panoptic_quality


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    return rooms.load(tmp_path_factory.mktemp("rooms"), 3, 24, 32, 3)


def test_names_of_objects_hold_their_ids():
    assert named_objects(object_names({9, 4})) == {0: 4, 1: 9}
    assert named_objects(slot_names(3)) == {}


def test_an_object_has_the_class_of_most_of_its_pixels(room):
    found = object_classes(room, range(3), 24, 32)
    frame = room.read(0, 24, 32)
    assert torch.equal(found[frame.instance], frame.semantic)
    assert (found[300:] == IGNORE).all()
    assert (object_classes(room, [], 24, 32) == IGNORE).all()


class TwoFrames:
    """A scene whose object 5 has three pixels of class 1 and four of class 0, in two frames."""

    class labels:
        num_classes = 2

    MAPS = {"instance": [[5, 5, 5, IGNORE], [5, 5, 5, 5]], "semantic": [[1, 1, IGNORE, 1], [1, 0, 0, 0]]}

    def read_map(self, number, kind, height, width):
        return torch.tensor(self.MAPS[kind][number])


def test_unlabelled_pixels_do_not_vote():
    scene = TwoFrames()
    assert [object_classes(scene, frames, 1, 4)[5].item() for frames in ([0], [1])] == [1, 0]


def test_a_true_prediction_is_perfect_with_and_without_classes(room):
    frame = room.read(1, 24, 32)
    ids = sorted(set(frame.instance.unique().tolist()))
    labels = torch.searchsorted(torch.tensor(ids), frame.instance)
    for scene in (room, replace(room, labels=None)):
        objects = Objects.of(scene, object_names(ids), range(3), 24, 32)
        assert objects.classified == (scene is room)
        table = objects.overlaps(labels, frame.instance)
        assert panoptic_quality(table) == (1.0, 1.0, 1.0)
        assert len(table[:, 0].unique()) == (len(frame.semantic.unique()) if scene is room else 1)


def test_outputs_without_an_object_of_their_own_have_one_class(room):
    objects = Objects.of(room, slot_names(2), range(3), 24, 32)
    assert not objects.classified
    # The last pixel is no output of the head; the true id 9 is missed, and -1 is void.
    table = objects.overlaps(torch.tensor([[0, 1, 1, 2]]), torch.tensor([[7, 7, IGNORE, 9]]))
    assert table.tolist() == [
        [IGNORE, IGNORE, 0, 1, 1],
        [0, 7, 0, 0, 1],
        [0, 7, 0, 1, 1],
        [0, 9, IGNORE, IGNORE, 1],
    ]


def test_other_classes_change_the_fingerprint(room):
    one, same, other = (
        Objects.of(room, object_names(ids), frames, 24, 32).fingerprint()
        for ids, frames in (((1, 2), [0]), ((1, 2), [0]), ((1, 2), []))
    )
    assert one == same != other
