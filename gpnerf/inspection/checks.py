"""Everything that can be said of a scene before training: what is wrong, and what is odd."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np

from gpnerf.datasets.depth_range import spread
from gpnerf.datasets.index.scene_index import MAPS
from gpnerf.datasets.scene import Frame, Scene
from gpnerf.datasets.views import FrameRule, test_sources
from gpnerf.inspection.geometry import (
    Misreading,
    PoseReport,
    Warp,
    misread_poses,
    overlap,
    pose_report,
    warp,
)
from gpnerf.inspection.meanings import (
    alpha_warnings,
    count_classes,
    label_warnings,
    mask_warnings,
    orientation_warnings,
)
from gpnerf.inspection.plausibility import (
    OUTSIDE_RANGE,
    black_strip,
    center_warnings,
    range_warnings,
    strip_warning,
    unit_of,
)
from gpnerf.system.errors import Faults

# Frames in a row that show whether poses are misread.
NEIGHBOURS = 6
# Test views whose overlap with their sources is measured.
TARGETS = 10
# Below these a person should look: the part of a test view that its sources see, and valid depth.
LEAST_OVERLAP = 0.7
LEAST_DEPTH = 0.3
# A step between two frames is a jump if it is so many times the usual one and such a part of far.
JUMP_RATIO, JUMP_SHARE = 10.0, 0.05
# Median colour difference and relative depth difference of neighbours that fit together.
WARP_FITS = (0.15, 0.08)


@dataclass
class Pixels:
    """Of all frames: pixels per class [K], unlabelled pixels, and depth readings."""

    classes: np.ndarray
    unlabelled: int = 0
    depths: int = 0
    valid_depths: int = 0
    depths_outside: int = 0


@dataclass
class SceneCheck:
    """What was found in a scene.

    overlap: mean over test views, or None for the reason no_overlap; split: what chose them; warps: of
    neighbouring frames.
    """

    scene: Scene
    pixels: Pixels
    poses: PoseReport
    overlap: float | None = None
    no_overlap: str = ""
    split: str = ""
    misreading: Misreading | None = None
    warps: list[Warp] = field(default_factory=list)
    # Neighbours, for pictures.
    pair: tuple[Frame, Frame] | None = None
    test: list[int] = field(default_factory=list)
    # Pixels at the sides of the photographs as stored.
    black_strip: int = 0

    def warp_error(self) -> tuple[float, float] | None:
        """Mean colour and depth error over the neighbours that could be compared."""
        errors = [(w.error, w.depth_error) for w in self.warps if None not in (w.error, w.depth_error)]
        return (fmean(e for e, _ in errors), fmean(d for _, d in errors)) if errors else None

    def warnings(self) -> list[str]:
        """Sentences about what is odd and perhaps wrong."""
        return [sentence for check in WARNINGS for sentence in check(self)]


def check_scene(
    scene: Scene, height: int, width: int, rule: FrameRule, num_sources: int, metric: str, faults: Faults
) -> SceneCheck:
    """Reads every file of the scene; what cannot be read goes to `faults`.

    height, width: at which frames are compared; files are decoded whole. rule, num_sources, metric: choose
    the test views and their sources, whose overlap is measured.
    """
    result = SceneCheck(scene, _read_all(scene, height, width, faults), pose_report(scene.poses))
    frames = _Readable(scene, height, width)
    neighbours = frames.some(range(len(scene.views))[len(scene.views) // 2 :][:NEIGHBOURS])
    result.misreading = misread_poses(neighbours)
    for target, source in zip(neighbours, neighbours[1:], strict=False):
        if target.depth is not None:
            result.warps.append(warp(target, source))
    with Faults().collected():
        result.black_strip = black_strip(scene, spread(range(len(scene.views)), TARGETS))
    result.split = rule.describe(scene.index.splits)
    unfit = Faults()
    with unfit.collected():
        result.test, sources, _ = rule.split(len(scene.views), scene.name, scene.index.splits)
        _measure_overlap(result, frames, sources, num_sources, metric)
    result.no_overlap = "; ".join(unfit.sentences)
    if len(neighbours) > 1:
        result.pair = neighbours[0], neighbours[1]
    return result


class _Readable:
    """Frames of a scene at one size, without those that cannot be read."""

    def __init__(self, scene: Scene, height: int, width: int) -> None:
        self.scene, self.height, self.width = scene, height, width

    def some(self, numbers: Sequence[int]) -> list[Frame]:
        frames = []
        for number in numbers:
            with Faults().collected():
                frames.append(self.scene.read(number, self.height, self.width))
        return frames


def _read_all(scene: Scene, height: int, width: int, faults: Faults) -> Pixels:
    """Decodes every file once, on all cores; of files that have a fault already no second one is told."""
    told = {_place(sentence) for sentence in faults.sentences}
    pixels = Pixels(np.zeros(scene.labels.num_classes if scene.labels else 0, np.int64))

    def read(number: int) -> tuple[list[str], dict[str, np.ndarray]]:
        own, maps = Faults(), {}
        with own.collected():
            scene.read_image(number, height, width)
            scene.read_mask(number, height, width)
        for kind in MAPS:
            with own.collected():
                found = scene.read_map(number, kind, height, width)
                if found is not None:
                    maps[kind] = found.numpy()
        return own.sentences, maps

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for sentences, maps in pool.map(read, range(len(scene.views))):
            faults.add(*(sentence for sentence in sentences if _place(sentence) not in told))
            if "semantic" in maps:
                counts = count_classes(maps["semantic"], len(pixels.classes))
                pixels.unlabelled += int(counts[0])
                pixels.classes += counts[1:]
            if "depth" in maps:
                valid = maps["depth"][maps["depth"] > 0]
                pixels.depths += maps["depth"].size
                pixels.valid_depths += valid.size
                pixels.depths_outside += int(((valid < scene.near) | (valid > scene.far)).sum())
    return pixels


def _place(sentence: str) -> str:
    """The file that a sentence is about."""
    return sentence.partition(": ")[0]


def _measure_overlap(
    result: SceneCheck, frames: _Readable, sources: list[int], num_sources: int, metric: str
) -> None:
    """The mean part of a test view that its sources see."""
    scene, shares = result.scene, []
    chosen = np.linspace(0, len(result.test) - 1, min(TARGETS, len(result.test))).round().astype(int)
    for target in (result.test[number] for number in chosen):
        candidates = [source for source in sources if source != target]
        nearest = test_sources(
            scene.poses[target], scene.poses[candidates], num_sources, metric, scene.name
        ).tolist()
        seen = frames.some([target])
        seen_from = frames.some([candidates[rank] for rank in nearest])
        if seen and seen_from:
            shares.append(overlap(seen[0], seen_from, math.sqrt(scene.near * scene.far)))
    result.overlap = fmean(shares) if shares else None


def _scene_warning(check: SceneCheck) -> list[str]:
    scene = check.scene
    return [
        *scene.index.warnings,
        *center_warnings(scene),
        *range_warnings(scene),
        *strip_warning(scene, check.black_strip),
    ]


def _reading_warning(check: SceneCheck) -> list[str]:
    return reading_warnings(check.scene.name, check.misreading)


def reading_warnings(name: str, found: Misreading | None) -> list[str]:
    """A sentence if the poses of the scene `name` seem to be meant otherwise."""
    if found is None or found.reading is None:
        return []
    return [
        f"{name}: the poses look {found.reading}: neighbouring frames differ by {found.error:.3f} in colour "
        f"and {found.depth_error:.1%} in depth as the poses are read, and by {found.other_error:.3f} and "
        f"{found.other_depth_error:.1%} if they are meant so; convert the matrices."
    ]


def _warp_warning(check: SceneCheck) -> list[str]:
    errors = check.warp_error()
    if errors is None or _reading_warning(check):
        return []
    color, depth = errors
    if color < WARP_FITS[0] and depth < WARP_FITS[1]:
        return []
    return [
        f"{check.scene.name}: neighbouring frames do not fit together (median differences of {color:.3f} in "
        f"colour and {depth:.1%} in depth, expected below {WARP_FITS[0]} and {WARP_FITS[1]:.0%}); check "
        "the axes and the scale of the poses, the unit of depth, and the intrinsics."
    ]


def _jump_warning(check: SceneCheck) -> list[str]:
    poses, unit = check.poses, unit_of(check.scene)
    if poses.largest_jump < max(JUMP_SHARE * check.scene.far, JUMP_RATIO * poses.median_step):
        return []
    names = [check.scene.index.names[number] for number in poses.largest_jump_at]
    return [
        f"{check.scene.name}: the camera jumps by {poses.largest_jump:.2f}{unit} between the frames "
        f"{names[0]} and {names[1]} (usual step: {poses.median_step:.3f}{unit}); look at the map of the path."
    ]


def _still_warning(check: SceneCheck) -> list[str]:
    if max(check.poses.extent) > 0:
        return []
    return [f"{check.scene.name}: the camera never moves, so that nothing tells near from far."]


def _overlap_warning(check: SceneCheck) -> list[str]:
    """Not where the range cannot be right, by which overlap is measured unless there are depth maps."""
    scene = check.scene
    if check.overlap is None or check.overlap >= LEAST_OVERLAP:
        return []
    assumed = not scene.index.count("depth")
    if assumed and range_warnings(scene):
        return []
    doubt = f"if the range {scene.near:.3g} to {scene.far:.3g} is right, " if assumed else ""
    return [
        f"{scene.name}: the sources see only {check.overlap:.0%} of a test view on average (expected at "
        f"least {LEAST_OVERLAP:.0%}); {doubt}raise --num_source_views or allow more --source_frames."
    ]


def _depth_warning(check: SceneCheck) -> list[str]:
    pixels, scene = check.pixels, check.scene
    if not pixels.depths:
        return []
    sentences = []
    if pixels.valid_depths < LEAST_DEPTH * pixels.depths:
        share = pixels.valid_depths / pixels.depths
        sentences.append(f"{scene.name}: only {share:.0%} of the depth readings are valid.")
    outside = pixels.depths_outside / max(1, pixels.valid_depths)
    if outside > OUTSIDE_RANGE:
        sentences.append(
            f"{scene.name}: {outside:.0%} of the valid depth lies outside near {scene.near:.4g} m and far "
            f"{scene.far:.4g} m; widen the range, or check the unit of depth."
        )
    return sentences


def _alpha_warning(check: SceneCheck) -> list[str]:
    return alpha_warnings(check.scene)


def _mask_warning(check: SceneCheck) -> list[str]:
    return mask_warnings(check.scene)


def _orientation_warning(check: SceneCheck) -> list[str]:
    return orientation_warnings(check.scene)


def _label_warning(check: SceneCheck) -> list[str]:
    return label_warnings(check.scene, np.array([check.pixels.unlabelled, *check.pixels.classes]))


WARNINGS: tuple[Callable[[SceneCheck], list[str]], ...] = (
    _scene_warning,
    _reading_warning,
    _warp_warning,
    _jump_warning,
    _still_warning,
    _overlap_warning,
    _depth_warning,
    _alpha_warning,
    _mask_warning,
    _orientation_warning,
    _label_warning,
)
