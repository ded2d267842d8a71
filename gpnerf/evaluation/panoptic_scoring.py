"""Which class the objects of a scene have, so that predicted objects can be scored by panoptic quality.

A model of objects predicts ids, not classes. An object has the class of most of its true pixels in the
training and test frames of its scene, in the prediction as in the truth, so that the quality says how well
objects are found, class by class, and not how well classes are recognised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gpnerf.datasets.instances import named_objects, object_classes
from gpnerf.datasets.labels import IGNORE, LARGEST_ID
from gpnerf.datasets.scene import Scene
from gpnerf.metrics.panoptic import count_overlaps


@dataclass(frozen=True)
class Objects:
    """The objects of a scene and their classes.

    true: int64 [65536], instance id -> class or IGNORE. predicted: int64 [K + 1], output of the head -> class
    or IGNORE, as is the last entry. classified: whether classes are known; if not, all objects have one.
    """

    true: Tensor
    predicted: Tensor
    classified: bool

    @staticmethod
    def of(
        scene: Scene, class_names: Sequence[str], frames: Iterable[int], height: int, width: int
    ) -> Objects:
        """Finds the classes of the objects of a scene in these frames.

        scene: labelled by its classes, or without labels. class_names: of the outputs. Outputs that do not
        stand for an object each (--instance_matching hungarian) have no class of their own.
        """
        slots = named_objects(class_names)
        if not slots or not scene.count("semantic"):
            one_class = torch.zeros(len(class_names) + 1, dtype=torch.int64)
            one_class[-1] = IGNORE
            return Objects(torch.zeros(LARGEST_ID + 1, dtype=torch.int64), one_class, classified=False)
        true = object_classes(scene, frames, height, width)
        ids = torch.tensor([slots[slot] for slot in range(len(class_names))])
        return Objects(true, torch.cat([true[ids], torch.tensor([IGNORE])]), classified=True)

    def overlaps(self, labels: Tensor, truth: Tensor) -> Tensor:
        """The table of overlaps of rendered objects with true ones, as `count_overlaps` makes it.

        labels: int64 [H, W], outputs of the head, other values are no object. truth: int64 [H, W], instance
        ids or IGNORE.
        """
        nothing = len(self.predicted) - 1
        slots = torch.where((labels >= 0) & (labels < nothing), labels, nothing)
        true = torch.where(truth == IGNORE, IGNORE, self.true[truth.clamp(min=0)])
        return count_overlaps((self.predicted[slots], slots), (true, truth))

    def fingerprint(self) -> str:
        """A hash of all classes."""
        content = self.true.numpy().tobytes() + self.predicted.numpy().tobytes()
        return hashlib.sha256(content).hexdigest()[:16]
