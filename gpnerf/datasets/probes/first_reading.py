"""Checks of a few frames when a scene is first read, so that faults show before training starts."""

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
from gpnerf.datasets.probes.misreading import misread_poses, neighbors, reading_warnings
from gpnerf.datasets.probes.placement import pose_warnings
from gpnerf.datasets.probes.plausibility import (
    black_strip,
    center_warnings,
    range_warnings,
    strip_warning,
)
from gpnerf.datasets.scene import Frame, Scene
from gpnerf.system.errors import Faults

# Pixels; frames are compared at most this wide, which is quick.
COMPARED_WIDTH = 160


def probed_index(scene: Scene) -> SceneIndex:
    """Decodes a few frames and adds warnings about them to the index.

    Raises DataError that lists all faults in these frames.
    """
    whole = _read_whole(scene)
    odd = [
        *reading_warnings(scene.name, misread_poses(_read_neighbors(scene))),
        *alpha_warnings(scene),
        *mask_warnings(scene),
        *orientation_warnings(scene),
        *label_warnings(scene, _class_counts(scene, whole)),
    ]
    strip = black_strip(scene, probed(scene))
    return replace(scene.index, warnings=(*scene.index.warnings, *odd), black_strip=strip)


def scene_warnings(scene: Scene, strip: int) -> list[str]:
    """Writes sentences about what looks odd in a scene with the options given; [] for most scenes.

    strip: width in pixels of the black strips at the sides of the stored photographs.
    """
    return [
        *scene.index.warnings,
        *pose_warnings(scene),
        *center_warnings(scene),
        *range_warnings(scene),
        *strip_warning(scene, strip),
    ]


def _read_whole(scene: Scene) -> list[Frame]:
    """Reads a few frames at their stored size; raises DataError that lists their faults."""
    frames, faults = [], Faults()
    for number in probed(scene):
        with faults.collected():
            frames.append(scene.read(number, *scene.index.sizes[number].tolist()))
    faults.raise_any()
    return frames


def _read_neighbors(scene: Scene) -> list[Frame]:
    """Reads consecutive frames at a small size; skips those that cannot be read."""
    frames = []
    for number in neighbors(len(scene.index)):
        with Faults().collected():
            frames.append(scene.read(number, *_small(*scene.index.sizes[number].tolist())))
    return frames


def _small(height: int, width: int) -> tuple[int, int]:
    """(height, width) scaled down to COMPARED_WIDTH."""
    scale = min(1.0, COMPARED_WIDTH / width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _class_counts(scene: Scene, frames: Sequence[Frame]) -> np.ndarray:
    """Counts the pixels of each class in the frames, as count_classes does."""
    classes = scene.labels.num_classes if scene.labels else 0
    labelled = [frame.semantic.numpy() for frame in frames if frame.semantic is not None]
    return sum((count_classes(one, classes) for one in labelled), np.zeros(classes + 1, np.int64))
