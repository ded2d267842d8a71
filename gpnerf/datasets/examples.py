"""Examples: a target frame and its source views, for one training step or one test view."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from gpnerf.datasets.frame_reader import FrameReader, KeptFrames, SourceViews
from gpnerf.datasets.probes.placement import REMEDY, blind_warnings, is_blind
from gpnerf.datasets.scene import Frame, Scene
from gpnerf.datasets.variation import Variation
from gpnerf.datasets.views import check_candidates, released_sources, test_sources, training_sources
from gpnerf.system.errors import GPNeRFError


@dataclass(frozen=True)
class Example:
    """A target and its source views in one scene.

    near, far: z-depths in metres. unit: length of the canonical unit in metres, None for the usual one.
    """

    target: Frame
    sources: SourceViews
    near: float
    far: float
    unit: float | None = None

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Example:
        return replace(
            self,
            target=self.target.to(device, non_blocking),
            sources=self.sources.to(device, non_blocking),
        )


class TrainingScene(NamedTuple):
    """A scene, the frames that may be targets, and the frames that may be sources."""

    scene: Scene
    targets: Sequence[int]
    sources: Sequence[int]


class TestView(NamedTuple):
    """A frame to render, and the frames that may be its sources."""

    scene: Scene
    target: int
    sources: Sequence[int]


class TrainingExamples(Dataset):
    """Random examples of a training run; number `step` depends only on `seed` and `step`, to resume exactly.

    A scene and one of its targets are drawn uniformly, the sources by `views.training_sources`. A target is
    never its own source. Raises DataError where a scene has fewer than `num_source_views` sources.

    vary: what is drawn anew for each example, of variation.KINDS. shortest_side: the shortest side in pixels
    that the method can render. with_depth: sources come with their depth maps.
    """

    def __init__(
        self,
        scenes: Sequence[TrainingScene],
        height: int,
        width: int,
        num_source_views: int,
        policy: str,
        seed: int,
        length: int,
        vary: Sequence[str] = (),
        shortest_side: int = 1,
        with_depth: bool = False,
    ) -> None:
        self.scenes = [TrainingScene(*scene) for scene in scenes]
        self.num_source_views, self.policy = num_source_views, policy
        self.seed, self.length = seed, length
        self.reader = FrameReader(height, width, KeptFrames(depth=with_depth))
        self.whole = KeptFrames(depth=with_depth)
        self.variation = Variation(vary, seed, max(height, width), shortest_side)
        for scene, targets, sources in self.scenes:
            # A target that may itself be a source leaves one candidate fewer.
            fewest = len(sources) - bool(set(sources) & set(targets))
            check_candidates(fewest, num_source_views, scene.name)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, step: int) -> Example:
        example = _example(*self._drawn(step))
        target, sources = example.target, example.sources
        image, images = self.variation.photographs(step, target.image, sources.images)
        depths = self.variation.depths(step, example.near, example.far)
        return Example(replace(target, image=image), replace(sources, images=images), *depths)

    def choice(self, step: int) -> tuple[Scene, int, list[int]]:
        """Draws the scene, the target and the sources of example `step`.

        Reads no pixels, except those of the target if sizes vary.
        """
        return self._drawn(step)[1:]

    def _drawn(self, step: int) -> tuple[FrameReader, Scene, int, list[int]]:
        """The reader of example `step`, and its choice."""
        if not 0 <= step < self.length:
            raise IndexError(f"step {step} of {self.length}")
        generator = torch.Generator().manual_seed(_mix(self.seed, step))
        scene, targets, sources = self.scenes[_draw(generator, len(self.scenes))]
        target = targets[_draw(generator, len(targets))]
        candidates = _without(sources, target)
        reader = self.variation.reader(step, self.reader, self.whole, scene, target)
        count = self.variation.count(step, self.num_source_views, len(candidates))
        candidates = self.variation.candidates(step, candidates, count)
        choice = reader.candidates(scene, target, candidates)
        chosen = training_sources(generator, choice, count, self.policy, scene.name)
        return reader, scene, target, [candidates[rank] for rank in chosen.tolist()]


class FaultsAsItems(Dataset):
    """Examples, or the error of an example that cannot be read.

    The error is returned, as one that a worker raises would reach the user inside the worker's traceback.
    """

    def __init__(self, examples: TrainingExamples | TestExamples) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Example | GPNeRFError:
        try:
            return self.examples[index]
        except GPNeRFError as error:
            return error


class TestExamples(Dataset):
    """Examples of the test views in the given order, each with its best sources; nothing is random.

    released: the sources are drawn as in the released code, by the number of the view in its scene.
    with_depth: sources come with their depth maps.
    """

    # Keeps pytest from collecting this class as a test.
    __test__ = False

    def __init__(
        self,
        views: Sequence[TestView],
        height: int,
        width: int,
        num_source_views: int,
        policy: str,
        released: bool = False,
        with_depth: bool = False,
    ) -> None:
        self.views = [TestView(*view) for view in views]
        self.num_source_views, self.policy, self.released = num_source_views, policy, released
        self.reader = FrameReader(height, width, KeptFrames(depth=with_depth))
        for scene, target, sources in self.views:
            check_candidates(len(_without(sources, target)), num_source_views, scene.name)

    def __len__(self) -> int:
        return len(self.views)

    def sources(self, index: int) -> list[int]:
        """Chooses the sources of example `index`: frames, best first (released: in the order drawn)."""
        scene, target, sources = self.views[index]
        candidates = _without(sources, target)
        if self.released:
            number = sum(view.scene is scene for view in self.views[:index])
            poses = scene.poses[target], scene.poses[candidates]
            chosen = released_sources(number, *poses, self.num_source_views, scene.name)
        else:
            choice = self.reader.candidates(scene, target, candidates)
            chosen = test_sources(choice, self.num_source_views, self.policy, scene.name)
        return [candidates[rank] for rank in chosen.tolist()]

    def warnings(self) -> list[str]:
        """Writes a sentence for every scene with views of which their sources see almost nothing."""
        names: dict[str, list[str]] = {}
        totals = Counter(view.scene.name for view in self.views)
        for index, (scene, target, _) in enumerate(self.views):
            if is_blind(self.reader.candidates(scene, target, self.sources(index))):
                names.setdefault(scene.name, []).append(scene.index.names[target])
        return [one for name in names for one in blind_warnings(name, names[name], totals[name], REMEDY)]

    def __getitem__(self, index: int) -> Example:
        scene, target, _ = self.views[index]
        return _example(self.reader, scene, target, self.sources(index))


def _without(sources: Sequence[int], target: int) -> list[int]:
    return [source for source in sources if source != target]


def _mix(seed: int, step: int) -> int:
    """Derives a seed for one step; neighbouring steps and seeds get unrelated ones."""
    return int(np.random.SeedSequence((seed, step)).generate_state(1, np.uint64)[0])


def _draw(generator: torch.Generator, count: int) -> int:
    return int(torch.randint(count, (1,), generator=generator))


def _example(reader: FrameReader, scene: Scene, target: int, sources: list[int]) -> Example:
    return Example(reader.frame(scene, target), reader.sources(scene, sources), scene.near, scene.far)
