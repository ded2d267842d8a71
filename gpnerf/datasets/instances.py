"""Instances of one scene as classes of the head: raw instance ids -> slots."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from gpnerf.datasets.examples import TestView, TrainingScene
from gpnerf.datasets.labels import IGNORE, LARGEST_ID, LabelSpace
from gpnerf.datasets.scene import Scene
from gpnerf.system.errors import DataError

log = logging.getLogger(__name__)

OBJECT = "object"
SLOT = "slot"
# How instances get slots: by ids that are the same in all views of a scene, or by matching in every view.
MATCHINGS = FIXED, HUNGARIAN = ("fixed", "hungarian")


def instance_ids(scene: Scene, frames: Iterable[int], height: int, width: int) -> set[int]:
    """Collects the ids in the instance maps of these frames, resized to height x width."""
    found: set[int] = set()
    for frame in frames:
        ids = scene.read_map(frame, "instance", height, width)
        if ids is not None:
            found |= set(np.unique(ids.numpy()).tolist())
    return found - {IGNORE}


def known_objects(
    trained: TrainingScene, tested: Sequence[TestView], height: int, width: int
) -> tuple[str, ...]:
    """Names a class for every object of the training frames; logs how many occur in test frames only.

    Raises DataError if there are none.
    """
    known = instance_ids(trained.scene, trained.targets, height, width)
    seen: set[int] = set()
    for view in tested:
        seen |= instance_ids(view.scene, [view.target], height, width)
    if seen - known:
        log.info(
            f"{trained.scene.name}: {len(seen - known)} of {len(seen)} objects of the test frames occur in "
            "no training frame; the model has no output for them, and they count as missed."
        )
    if not known:
        raise DataError(
            f"{trained.scene.name}: expected instances in the training frames for --target instance, found "
            "none in their maps; correct the maps, or train on classes."
        )
    return object_names(known)


def most_instances(
    scenes: Sequence[TrainingScene], height: int, width: int, frames: int | None = None
) -> int:
    """The largest number of instances in a training frame; in `frames` of each scene, in all if None."""
    return max(
        len(instance_ids(scene, [frame], height, width))
        for scene, targets, _ in scenes
        for frame in targets[:: max(1, len(targets) // frames) if frames else 1]
    )


def object_names(ids: Iterable[int]) -> tuple[str, ...]:
    """Names a class for each instance id, in the order of the ids; each gets a slot of the head."""
    return tuple(f"{OBJECT} {number}" for number in sorted(ids))


def slot_names(count: int) -> tuple[str, ...]:
    """Names slots without fixed ids, to which objects are matched in every view."""
    return tuple(f"{SLOT} {number}" for number in range(count))


def are_slots(class_names: Sequence[str]) -> bool:
    """Whether these are slots without fixed ids."""
    return bool(class_names) and class_names[0].partition(" ")[0] == SLOT


def are_objects(class_names: Sequence[str]) -> bool:
    """Whether these are objects, with fixed ids or without, and no classes."""
    return are_slots(class_names) or bool(named_objects(class_names))


def named_objects(class_names: Sequence[str]) -> dict[int, int]:
    """Slot -> instance id of the slots that `object_names` named; empty for those of `slot_names`."""
    matches = [re.fullmatch(rf"{OBJECT} (\d+)", name) for name in class_names]
    return {slot: int(match[1]) for slot, match in enumerate(matches) if match}


def object_classes(scene: Scene, frames: Iterable[int], height: int, width: int) -> Tensor:
    """The class of every instance id, int64 [65536]: that of most of its pixels in these frames.

    IGNORE for ids without a labelled pixel. scene: labelled by its classes.
    """
    num_classes = scene.labels.num_classes
    counts = torch.zeros((LARGEST_ID + 1) * num_classes, dtype=torch.int64)
    for frame in frames:
        maps = [scene.read_map(frame, kind, height, width) for kind in ("instance", "semantic")]
        if None not in maps:
            ids, classes = maps
            known = (ids != IGNORE) & (classes != IGNORE)
            counts += torch.bincount(ids[known] * num_classes + classes[known], minlength=len(counts))
    most, best = counts.view(-1, num_classes).max(dim=1)
    return torch.where(most > 0, best, IGNORE)


def check_segments(scenes: Sequence[Scene]) -> None:
    """Raises DataError if a scene lacks the maps of classes or those of instances."""
    for scene in scenes:
        if not (scene.count("semantic") and scene.count("instance")):
            lacking = "instance maps" if scene.count("semantic") else "labels"
            raise DataError(
                f"{scene.folder}: expected labels and instance maps for --target panoptic, found no "
                f"{lacking}; add them, leave the scene out, or train on classes."
            )


def with_objects(scene: Scene, class_names: Sequence[str]) -> Scene:
    """Makes a scene whose labels are its instance maps, in the slots that `object_names` named.

    Ids without a slot, which occur in test frames only, are unlabelled. Raises DataError for a scene
    without instance maps.
    """
    if not scene.count("instance"):
        raise DataError(
            f"{scene.folder}: expected instance maps for --target instance, found none; add them, or "
            "train on classes."
        )
    classes = dict.fromkeys(range(LARGEST_ID + 1), IGNORE)
    classes |= {number: slot for slot, number in named_objects(class_names).items()}
    return replace(scene, labels=LabelSpace.mapped(tuple(class_names), classes), labelled_by="instance")
