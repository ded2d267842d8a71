"""Check of a whole scene before training: faults of all files, and statistics of poses, depth and labels."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import fmean

import numpy as np

from gpnerf.datasets.depth_evidence import OUTSIDE_OF_MAPS, spread
from gpnerf.datasets.frame_reader import FrameReader
from gpnerf.datasets.index.scene_index import MAPS
from gpnerf.datasets.policies import Candidates
from gpnerf.datasets.probes.meanings import count_classes
from gpnerf.datasets.probes.misreading import Misreading, misread_poses, neighbors
from gpnerf.datasets.probes.placement import LEAST_SEEN
from gpnerf.datasets.probes.plausibility import black_strip
from gpnerf.datasets.probes.warp import Warp, warp
from gpnerf.datasets.ranges import CutOff, FrameDepth
from gpnerf.datasets.scene import Frame, Scene
from gpnerf.datasets.views import FrameRule, test_sources
from gpnerf.inspection.geometry import PoseReport, overlap, pose_report
from gpnerf.system.errors import Faults

# Largest number of test views whose overlap is measured, and of photographs searched for black strips.
TARGETS = 10


@dataclass
class Pixels:
    """Counts over all frames: pixels of each class [K], unlabelled pixels, and pixels of depth maps.

    known: what is known of depth in each frame that has some, against the scene's range.
    """

    classes: np.ndarray
    unlabelled: int = 0
    depths: int = 0
    known: list[FrameDepth] = field(default_factory=list)

    @property
    def valid_depths(self) -> int:
        return sum(one.known for one in self.known)

    @property
    def depths_outside(self) -> int:
        return sum(one.outside for one in self.known)


@dataclass
class SceneCheck:
    """Findings in a scene.

    overlap: mean over `measured` test views, None if it could not be measured, for the reason `no_overlap`;
    blind: names of those of which their sources see almost nothing; split: what chose the test views; warps:
    of consecutive frames; pair: two consecutive frames, for pictures; test: the test frames; black_strip:
    width in pixels of the strips at the sides of the stored photographs.
    """

    scene: Scene
    pixels: Pixels
    poses: PoseReport
    overlap: float | None = None
    measured: int = 0
    blind: list[str] = field(default_factory=list)
    no_overlap: str = ""
    split: str = ""
    misreading: Misreading | None = None
    warps: list[Warp] = field(default_factory=list)
    pair: tuple[Frame, Frame] | None = None
    test: list[int] = field(default_factory=list)
    black_strip: int = 0

    def warp_error(self) -> tuple[float, float] | None:
        """Mean (colour, depth) error of the warps that have both; None if there are none."""
        errors = [(w.error, w.depth_error) for w in self.warps if None not in (w.error, w.depth_error)]
        return (fmean(e for e, _ in errors), fmean(d for _, d in errors)) if errors else None


def check_scene(
    scene: Scene, height: int, width: int, rule: FrameRule, num_sources: int, policy: str, faults: Faults
) -> SceneCheck:
    """Reads every file of the scene; adds a fault for each that cannot be read.

    height, width: size at which frames are compared; files are always decoded completely. rule, num_sources,
    policy: choose the test views and their sources, whose overlap is measured.
    """
    pixels = _read_all(scene, height, width, faults)
    if pixels.known:
        cut = CutOff(f"{len(pixels.known)} depth maps", OUTSIDE_OF_MAPS, tuple(pixels.known))
        scene = replace(scene, range=scene.range._replace(cut=cut))
    result = SceneCheck(scene, pixels, pose_report(scene.poses))
    frames = _Readable(scene, height, width)
    in_a_row = frames.some(neighbors(len(scene.views)))
    result.misreading = misread_poses(in_a_row)
    for target, source in pairwise(in_a_row):
        if target.depth is not None:
            result.warps.append(warp(target, source))
    # Faults of photographs that cannot be read are already in `faults`.
    with Faults().collected():
        result.black_strip = black_strip(scene, spread(range(len(scene.views)), TARGETS))
    result.split = rule.describe(scene.index.splits)
    unfit = Faults()
    with unfit.collected():
        result.test, sources, _ = rule.split(len(scene.views), scene.name, scene.index.splits)
        _measure_overlap(result, frames, sources, num_sources, policy)
    result.no_overlap = "; ".join(unfit.sentences)
    if len(in_a_row) > 1:
        result.pair = in_a_row[0], in_a_row[1]
    return result


class _Readable:
    """Reads frames of a scene at one size; skips those that cannot be read."""

    def __init__(self, scene: Scene, height: int, width: int) -> None:
        self.scene, self.height, self.width = scene, height, width
        self.reader = FrameReader(height, width)

    def candidates(self, target: int, numbers: Sequence[int]) -> Candidates:
        """The frames that may be source views of a target frame."""
        return self.reader.candidates(self.scene, target, numbers)

    def some(self, numbers: Sequence[int]) -> list[Frame]:
        frames = []
        for number in numbers:
            with Faults().collected():
                frames.append(self.scene.read(number, self.height, self.width))
        return frames


def _read_all(scene: Scene, height: int, width: int, faults: Faults) -> Pixels:
    """Decodes every file once, on all cores. Files that already have a fault get no second one."""
    faulty = {_place(sentence) for sentence in faults.sentences}
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
        for number, (sentences, maps) in enumerate(pool.map(read, range(len(scene.views)))):
            faults.add(*(sentence for sentence in sentences if _place(sentence) not in faulty))
            if "semantic" in maps:
                counts = count_classes(maps["semantic"], len(pixels.classes))
                pixels.unlabelled += int(counts[0])
                pixels.classes += counts[1:]
            if "depth" in maps:
                valid = maps["depth"][maps["depth"] > 0]
                pixels.depths += maps["depth"].size
                if valid.size:
                    pixels.known.append(
                        FrameDepth.of(scene.index.names[number], valid, scene.near, scene.far)
                    )
    return pixels


def _place(sentence: str) -> str:
    """The file that a sentence is about."""
    return sentence.partition(": ")[0]


def _measure_overlap(
    result: SceneCheck, frames: _Readable, sources: list[int], num_sources: int, policy: str
) -> None:
    """Measures the shares of some test views of result.test that their sources see."""
    scene, shares = result.scene, []
    chosen = np.linspace(0, len(result.test) - 1, min(TARGETS, len(result.test))).round().astype(int)
    for target in (result.test[number] for number in chosen):
        candidates = [source for source in sources if source != target]
        choice = frames.candidates(target, candidates)
        nearest = test_sources(choice, num_sources, policy, scene.name).tolist()
        seen = frames.some([target])
        seen_from = frames.some([candidates[rank] for rank in nearest])
        if seen and seen_from:
            shares.append(overlap(seen[0], seen_from, math.sqrt(scene.near * scene.far)))
            if shares[-1] < LEAST_SEEN:
                result.blind.append(scene.index.names[target])
    result.overlap, result.measured = fmean(shares) if shares else None, len(shares)
