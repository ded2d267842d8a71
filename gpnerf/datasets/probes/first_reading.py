"""What a few frames tell when a scene is first read, so that faults and oddities show before a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gpnerf.datasets.index.scene_index import SceneIndex
from gpnerf.datasets.probes.meanings import (
    alpha_warnings,
    count_classes,
    label_warnings,
    mask_warnings,
    orientation_warnings,
    probed,
)
from gpnerf.datasets.probes.misreading import misread_poses, neighbours, reading_warnings
from gpnerf.datasets.probes.plausibility import (
    black_strip,
    center_warnings,
    outside_warning,
    range_warnings,
    strip_warning,
)
from gpnerf.datasets.scene import Frame, Scene
from gpnerf.system.errors import Faults

# Pixels.
COMPARED_WIDTH = 160


def probed_index(scene: Scene) -> SceneIndex:
    """Decodes a few frames. Returns the index with what looks odd in them.

    Raises DataError with all that is wrong in them.
    """
    whole = _read_whole(scene)
    odd = [
        *reading_warnings(scene.name, misread_poses(_read_neighbours(scene))),
        *outside_warning(scene.name, [frame.depth for frame in whole], scene.index),
        *alpha_warnings(scene),
        *mask_warnings(scene),
        *orientation_warnings(scene),
        *label_warnings(scene, _class_counts(scene, whole)),
    ]
    strip = black_strip(scene, probed(scene))
    return replace(scene.index, warnings=(*scene.index.warnings, *odd), black_strip=strip)


def scene_warnings(scene: Scene, strip: int) -> list[str]:
    """What looks odd in a scene as it is read; [] in most.

    strip: pixels at the sides of the photographs as stored that are black.
    """
    return [
        *scene.index.warnings,
        *center_warnings(scene),
        *range_warnings(scene),
        *strip_warning(scene, strip),
    ]


def _read_whole(scene: Scene) -> list[Frame]:
    """A few frames at their own size, so that a fault in all files shows before the training."""
    frames, faults = [], Faults()
    for number in probed(scene):
        with faults.collected():
            frames.append(scene.read(number, *scene.index.sizes[number].tolist()))
    faults.raise_any()
    return frames


def _read_neighbours(scene: Scene) -> list[Frame]:
    """Small ones, without those that cannot be read."""
    frames = []
    for number in neighbours(len(scene.index)):
        with Faults().collected():
            frames.append(scene.read(number, *_small(*scene.index.sizes[number].tolist())))
    return frames


def _small(height: int, width: int) -> tuple[int, int]:
    """A size at which frames are quickly compared."""
    scale = min(1.0, COMPARED_WIDTH / width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _class_counts(scene: Scene, frames: Sequence[Frame]) -> np.ndarray:
    """How often each class occurs in the frames, as count_classes."""
    classes = scene.labels.num_classes if scene.labels else 0
    labelled = [frame.semantic.numpy() for frame in frames if frame.semantic is not None]
    return sum((count_classes(one, classes) for one in labelled), np.zeros(classes + 1, np.int64))
