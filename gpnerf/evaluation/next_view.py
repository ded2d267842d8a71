"""How far the rendered labels of a test view agree with those of the next test view of its scene.

Views are rendered one by one, by several processes and perhaps days apart, so that they are compared when all
are finished, by the labels in their folders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from pathlib import Path

from torch import Tensor

from gpnerf.datasets.examples import TestExamples, TestView
from gpnerf.datasets.probes.warp import correspondence
from gpnerf.evaluation.result_files import load_labels, save_agreement
from gpnerf.evaluation.results import ViewResult
from gpnerf.geometry.cameras import Camera
from gpnerf.metrics.consistency import Agreement, label_agreement


def with_agreements(
    results: Mapping[int, ViewResult], examples: TestExamples, folder_of: Callable[[int], Path]
) -> dict[int, ViewResult]:
    """Adds the agreement with the next view to every finished view, and writes it to its folder.

    results: of finished views, by their index in the examples. folder_of(index): the folder of a view.
    """
    following = dict(_pairs(examples.views, sorted(results)))
    compared = {}
    for index, result in results.items():
        agreement = None
        if index in following:
            agreement = _agreement(examples, (index, following[index]), folder_of)
        save_agreement(folder_of(index), agreement)
        compared[index] = replace(result, agreement=agreement)
    return compared


def _pairs(views: Sequence[TestView], finished: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of finished views that follow each other in a scene, in the order of its frames."""
    return [pair for scene in by_frames(views, finished) for pair in pairwise(scene)]


def by_frames(views: Sequence[TestView], finished: Iterable[int]) -> list[list[int]]:
    """The finished views of each scene, in the order of its frames."""
    ordered = sorted(finished, key=lambda index: (views[index].scene.name, views[index].target))
    return [list(group) for _, group in groupby(ordered, key=lambda index: views[index].scene.name)]


def _agreement(
    examples: TestExamples, pair: tuple[int, int], folder_of: Callable[[int], Path]
) -> Agreement | None:
    """The agreement of two views; None without rendered labels or true depth in both."""
    labels = [load_labels(folder_of(index)) for index in pair]
    geometry = [_geometry(examples, index) for index in pair]
    depths = [depth for _, depth in geometry]
    if any(one is None for one in (*labels, *depths)):
        return None
    return label_agreement(*labels, correspondence(*geometry[0], *geometry[1]))


def _geometry(examples: TestExamples, index: int) -> tuple[Camera, Tensor | None]:
    """The camera of a test view and its true depth [H, W], None if it has none."""
    reader, (scene, target, _) = examples.reader, examples.views[index]
    depth = scene.read_map(target, "depth", reader.height, reader.width)
    return reader.cameras(scene)[target], depth
