"""Maps between lists of classes, so that a model can be scored on labels of another list than its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gpnerf.datasets.labels import IGNORE, LabelSpace
from gpnerf.datasets.scene import Scene

# Names of one thing in the lists of the rooms, of ScanNet and of Replica; equal names need no entry.
SAME = ({"rug", "floor mat"}, {"plant", "indoor plant"}, {"bookshelf", "shelf"})
# The class of what a model sees and the data have no name for.
OTHER = "other class"


@dataclass(frozen=True)
class ClassMap:
    """The classes that a model and data share, in the order of the data, and how both get there.

    names: the shared classes, followed by OTHER if the model knows more. predicted: int64 [K + 1], class of
    the model -> position in `names`; true: likewise for the data, IGNORE for classes that the model cannot
    say. The last entry of both maps IGNORE to itself.
    """

    names: tuple[str, ...]
    predicted: Tensor
    true: Tensor

    @staticmethod
    def between(model: Sequence[str], data: Sequence[str]) -> ClassMap:
        """Maps a model's classes to those of data: by equal names, else by SAME."""
        found = [_counterpart(name, data) for name in model]
        shared = [name for name in data if name in found]
        names = (*shared, OTHER) if None in found else tuple(shared)
        predicted = [len(shared) if name is None else shared.index(name) for name in found]
        true = [shared.index(name) if name in shared else IGNORE for name in data]
        return ClassMap(names, torch.tensor([*predicted, IGNORE]), torch.tensor([*true, IGNORE]))

    @property
    def shared(self) -> tuple[str, ...]:
        return tuple(name for name in self.names if name != OTHER)

    def relabelled(self, scene: Scene) -> Scene:
        """The scene with its labels in the shared classes."""
        if scene.labels is None:
            return scene
        classes = scene.labels.table
        table = np.where(classes >= 0, self.true.numpy()[classes.clip(IGNORE)], classes).astype(np.int16)
        return replace(scene, labels=LabelSpace(self.names, table, scene.labels.listed))


def _counterpart(name: str, others: Iterable[str]) -> str | None:
    """The other name of the same thing; an equal one comes first."""
    plain = {other: plain_name(other) for other in others}
    own = plain_name(name)
    same = next((names for names in SAME if own in names), set())
    return next((other for wanted in ({own}, same) for other in plain if plain[other] in wanted), None)


def plain_name(name: str) -> str:
    """The name in small letters, its words separated by spaces."""
    return name.lower().replace("-", " ").replace("_", " ")
