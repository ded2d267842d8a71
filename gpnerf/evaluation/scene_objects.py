"""Ids of objects that hold in all test views of a scene, for a model that numbers each view anew.

As in next_view.py, views are compared by the files in their folders when all are finished. Rendered depth,
poses and predicted labels decide which segments are one object, never the truth.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

from gpnerf.datasets.examples import TestExamples
from gpnerf.datasets.options import PANOPTIC
from gpnerf.datasets.probes.warp import correspondence
from gpnerf.evaluation.next_view import by_frames
from gpnerf.evaluation.result_files import load_segments, save_scene_ids
from gpnerf.evaluation.results import ViewResult
from gpnerf.metrics.linking import link_segments
from gpnerf.metrics.panoptic import renumbered
from gpnerf.system.wording import some

log = logging.getLogger("eval")


def recorded(target: str) -> tuple[str, ...]:
    """What a record must hold besides scores for a target, so that objects can be found in other views.

    It belongs to the key of a view: records without it are of an earlier version, and are made again.
    """
    return ("view_overlaps",) if target == PANOPTIC else ()


def with_scene_ids(
    results: Mapping[int, ViewResult], examples: TestExamples, folder_of: Callable[[int], Path]
) -> dict[int, ViewResult]:
    """Adds a table with ids of the scene to every view with ids of its own; writes the ids to its folder.

    Arguments as of `with_agreements`. A warning names views without the files that are compared.
    """
    numbered = dict(results)
    own = [index for index, result in results.items() if result.view_overlaps is not None]
    for indices in by_frames(examples.views, own):
        linked = _linked(examples, indices, folder_of)
        for index, ids in zip(indices, linked or [None] * len(indices), strict=True):
            save_scene_ids(folder_of(index), ids)
            table = None if ids is None else renumbered(results[index].view_overlaps, ids)
            numbered[index] = replace(results[index], overlaps=table)
    return numbered


def _linked(
    examples: TestExamples, indices: Sequence[int], folder_of: Callable[[int], Path]
) -> list[Tensor] | None:
    """The ids in the scene of the ids in its views, None if a view lacks its files."""
    scene = examples.views[indices[0]].scene
    loaded = {folder_of(index): load_segments(folder_of(index)) for index in indices}
    if None in loaded.values():
        _warn(scene.name, [folder for folder, found in loaded.items() if found is None])
        return None
    segments, depths = zip(*loaded.values(), strict=True)
    cameras = examples.reader.cameras(scene)
    frames = [examples.views[index].target for index in indices]

    def places(view: int, other: int) -> Tensor:
        return correspondence(cameras[frames[view]], depths[view], cameras[frames[other]], depths[other])

    return link_segments(tqdm(segments, desc=f"linking objects of {scene.name}", unit="view"), places)


def _warn(scene: str, lacking: Sequence[Path]) -> None:
    log.warning(
        f"Warning: {scene}: expected rendered ids and depth of all test views, to find the objects of one "
        f"view in another, found none in {some(lacking)}; delete these folders, so that the views are "
        "rendered again. Scene PQ is left out."
    )
