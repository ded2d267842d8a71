"""The depth range of a scene: given or stated numbers, or else the first source that shows its depth.

It is measured in frames that are not tested, found when a scene is loaded for a run, and kept on disk.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpnerf.config.types import PUBLISHED, parse_frames
from gpnerf.datasets import range_cache
from gpnerf.datasets.depth_evidence import Evidence, depth_of_maps, depth_of_matches, depth_of_points
from gpnerf.datasets.index.scene_index import SceneIndex
from gpnerf.datasets.ranges import CutOff, DepthRange, FrameDepth, range_of
from gpnerf.datasets.scene import Scene
from gpnerf.datasets.views import FrameRule
from gpnerf.system.errors import DataError, Faults

# In the order of trust. The last one is slow, and only asked where a range is lacking.
QUICK = (depth_of_maps, depth_of_points)
SLOW = (depth_of_matches,)


def frames_to_measure(index: SceneIndex, rule: FrameRule | None) -> list[int]:
    """Chooses the frames that `rule` does not test, or None, the scene itself as it states its split.

    --test_limit and --held_out do not matter, so that a preview of an evaluation has the range of the
    training. A rule that tests all frames leaves those beyond its limit, or else all.
    """
    frames, limit = range(len(index)), rule.test_limit if rule else None
    chosen = frames[parse_frames(rule.test_frames)] if rule else []
    stated = (rule or FrameRule()).stated(index.splits)
    tested = stated[0] if stated else chosen
    untested = (sorted({*frames} - {*some}) for some in (tested, tested[:limit]))
    return next(filter(None, untested), list(frames))


def find_range(scene: Scene, stated: DepthRange, rule: FrameRule | None, faults: Faults) -> DepthRange:
    """Completes a stated range from what the scene shows, and tells what the range leaves out of that.

    Files that cannot be read are added to `faults`. Raises DataError where nothing gives the range.
    """
    frames = frames_to_measure(scene.index, rule)
    kept = range_cache.recall(scene, stated, frames)
    if kept:
        return kept
    own = Faults()
    try:
        found = _completed(scene, stated, frames, own)
    finally:
        faults.add(*own.sentences)
    if not own.sentences:
        range_cache.keep(scene, stated, frames, found)
    return found


def _completed(scene: Scene, stated: DepthRange, frames: Sequence[int], faults: Faults) -> DepthRange:
    reasons = []
    for measure in QUICK if stated.complete else (*QUICK, *SLOW):
        shown = measure(scene, frames, faults)
        if shown.depths:
            return _joined(scene, stated, shown)
        reasons.append(shown.source)
    if not stated.complete:
        raise _refusal(scene, stated, reasons)
    return _checked(scene, stated)


def _joined(scene: Scene, stated: DepthRange, shown: Evidence) -> DepthRange:
    """The stated range, completed by what is shown."""
    near, far = range_of(np.concatenate(list(shown.depths.values())))
    near, far = near if stated.near is None else stated.near, far if stated.far is None else stated.far
    known = stated.near is not None or stated.far is not None
    source = " and ".join([stated.source] * known + [shown.source] * (not stated.complete))
    found = _checked(scene, DepthRange(near, far, source))
    names = scene.index.names
    looked_at = tuple(FrameDepth.of(names[frame], one, near, far) for frame, one in shown.depths.items())
    return found._replace(cut=CutOff(shown.source, shown.outside, looked_at))


def _checked(scene: Scene, found: DepthRange) -> DepthRange:
    if not found.near < found.far:
        raise DataError(
            f"{scene.folder}: expected 0 < near < far, found near {found.near:g} and far {found.far:g} "
            f"({found.source}); correct the file, or give --depth_range NEAR,FAR."
        )
    return found


def _refusal(scene: Scene, stated: DepthRange, reasons: Sequence[str]) -> DataError:
    lacking = [side for side in ("near", "far") if getattr(stated, side) is None]
    text, sides = scene.index.stated_in, " and ".join(lacking)
    *others, last = [f"no {sides} in its {text}"] * bool(text) + list(filter(None, reasons))
    remedy = f"write {sides} into the file" if text else f"--depth_range {PUBLISHED}"
    return DataError(
        f"{scene.folder}: expected something that gives the depth range of the scene, found "
        f"{', '.join(others)}, and {last}; give --depth_range NEAR,FAR in the units of the poses, "
        f"or {remedy}."
    )
