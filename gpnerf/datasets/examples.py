"""Examples: a target frame and its source views, for one training step or one test view."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from gpnerf.datasets.pixels.masks import stack_masks
from gpnerf.datasets.scene import Frame, Scene
from gpnerf.datasets.views import check_candidates, released_sources, test_sources, training_sources
from gpnerf.geometry.cameras import Camera
from gpnerf.system.errors import GPNeRFError

CACHE_BYTES = 1 << 30
# Kind of map, its name in messages, and what needs it.
OPTIONAL_MAPS = (
    ("depth", "depth maps", "the depth-guided loss is"),
    ("semantic", "semantic labels", "the semantic losses and metrics are"),
)


@dataclass(frozen=True)
class SourceViews:
    """V photographs to render from.

    images: [V, 3, H, W] in [0, 1]; cameras: a batch of V; masks: bool [V, H, W], True where a pixel counts,
    None where all count; names: [V], or () if they have none.
    """

    images: Tensor
    cameras: Camera
    masks: Tensor | None = None
    names: tuple[str, ...] = ()

    @staticmethod
    def none(height: int, width: int) -> SourceViews:
        """Makes an empty set of height x width pixels, for methods that use no source views."""
        cameras = Camera(torch.zeros(0, 3, 3), torch.zeros(0, 4, 4), height, width)
        return SourceViews(torch.zeros(0, 3, height, width), cameras)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> SourceViews:
        masks = self.masks
        return replace(
            self,
            images=self.images.to(device, non_blocking=non_blocking),
            cameras=self.cameras.to(device, non_blocking),
            masks=masks if masks is None else masks.to(device, non_blocking=non_blocking),
        )


@dataclass(frozen=True)
class Example:
    """A target and its source views in one scene; near, far: z-depths in metres."""

    target: Frame
    sources: SourceViews
    near: float
    far: float

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


class Photograph(NamedTuple):
    """An image [3, H, W] in [0, 1] and its mask bool [H, W], None where all pixels count."""

    image: Tensor
    mask: Tensor | None


class FrameReader:
    """Reads frames at one size; keeps the latest in memory, so that a small data set is decoded once.

    Images are kept with 8 bits. Every worker of a DataLoader keeps up to `capacity` bytes of its own.
    """

    def __init__(self, height: int, width: int, capacity: int = CACHE_BYTES) -> None:
        self.height, self.width, self.capacity = height, width, capacity
        self.kept: OrderedDict[tuple[int, int, bool], tuple[Scene, Frame | Photograph]] = OrderedDict()
        self.bytes = 0

    def frame(self, scene: Scene, index: int) -> Frame:
        """Reads a view with all its maps."""
        frame = self._recall(scene, index, maps=True)
        return replace(frame, image=_to_float(frame.image))

    def photograph(self, scene: Scene, index: int) -> Photograph:
        """Reads a photograph and its mask, without maps."""
        kept = self._recall(scene, index, maps=False)
        return kept._replace(image=_to_float(kept.image))

    def sources(self, scene: Scene, indices: Sequence[int]) -> SourceViews:
        """Reads the photographs of some views as source views."""
        if not indices:
            return SourceViews.none(self.height, self.width)
        photographs = [self.photograph(scene, index) for index in indices]
        views = [scene.views[index] for index in indices]
        return SourceViews(
            torch.stack([one.image for one in photographs]),
            Camera.stack([view.camera.resized(self.height, self.width) for view in views]),
            stack_masks([one.mask for one in photographs], self.height, self.width),
            tuple(view.name for view in views),
        )

    def _recall(self, scene: Scene, index: int, maps: bool) -> Frame | Photograph:
        # The entry holds the scene too: as long as it exists, no other scene can get the same id.
        key = (id(scene), index, maps)
        if key in self.kept:
            self.kept.move_to_end(key)
            return self.kept[key][1]
        if maps:
            frame = scene.read(index, self.height, self.width)
            entry = replace(frame, image=_to_bytes(frame.image))
        else:
            image = _to_bytes(scene.read_image(index, self.height, self.width))
            entry = Photograph(image, scene.read_mask(index, self.height, self.width))
        self.kept[key] = scene, entry
        self.bytes += _size(entry)
        while self.bytes > self.capacity:
            self.bytes -= _size(self.kept.popitem(last=False)[1][1])
        return entry


def _to_bytes(image: Tensor) -> Tensor:
    return (image * 255.0).round().to(torch.uint8)


def _to_float(image: Tensor) -> Tensor:
    return image.float() / 255.0


def _size(entry: Frame | Photograph) -> int:
    kept = entry if isinstance(entry, Photograph) else vars(entry).values()
    return sum(pixels.nbytes for pixels in kept if isinstance(pixels, Tensor))


class TrainingExamples(Dataset):
    """Random examples of a training run; number `step` depends only on `seed` and `step`, to resume exactly.

    A scene and one of its targets are drawn uniformly, the sources by `views.training_sources`. A target is
    never its own source. Raises DataError where a scene has fewer than `num_source_views` sources.
    """

    def __init__(
        self,
        scenes: Sequence[TrainingScene],
        height: int,
        width: int,
        num_source_views: int,
        metric: str,
        seed: int,
        length: int,
    ) -> None:
        self.scenes = [TrainingScene(*scene) for scene in scenes]
        self.num_source_views, self.metric = num_source_views, metric
        self.seed, self.length = seed, length
        self.reader = FrameReader(height, width)
        for scene, targets, sources in self.scenes:
            # A target that may itself be a source leaves one candidate fewer.
            fewest = len(sources) - bool(set(sources) & set(targets))
            check_candidates(fewest, num_source_views, scene.name)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, step: int) -> Example:
        if not 0 <= step < self.length:
            raise IndexError(f"step {step} of {self.length}")
        generator = torch.Generator().manual_seed(_mix(self.seed, step))
        scene, targets, sources = self.scenes[_draw(generator, len(self.scenes))]
        target = targets[_draw(generator, len(targets))]
        candidates = _without(sources, target)
        chosen = training_sources(
            generator,
            scene.poses[target],
            scene.poses[candidates],
            self.num_source_views,
            self.metric,
            scene.name,
        )
        return _example(self.reader, scene, target, [candidates[rank] for rank in chosen.tolist()])


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
    """Examples of the test views in the given order, each with its nearest sources; nothing is random.

    released: the sources are drawn as in the released code, by the number of the view in its scene.
    """

    # Keeps pytest from collecting this class as a test.
    __test__ = False

    def __init__(
        self,
        views: Sequence[TestView],
        height: int,
        width: int,
        num_source_views: int,
        metric: str,
        released: bool = False,
    ) -> None:
        self.views = [TestView(*view) for view in views]
        self.num_source_views, self.metric, self.released = num_source_views, metric, released
        self.reader = FrameReader(height, width)
        for scene, target, sources in self.views:
            check_candidates(len(_without(sources, target)), num_source_views, scene.name)

    def __len__(self) -> int:
        return len(self.views)

    def sources(self, index: int) -> list[int]:
        """Chooses the sources of example `index`: frames, nearest first (released: in the order drawn)."""
        scene, target, sources = self.views[index]
        candidates = _without(sources, target)
        poses = scene.poses[target], scene.poses[candidates]
        if self.released:
            number = sum(view.scene is scene for view in self.views[:index])
            chosen = released_sources(number, *poses, self.num_source_views, scene.name)
        else:
            chosen = test_sources(*poses, self.num_source_views, self.metric, scene.name)
        return [candidates[rank] for rank in chosen.tolist()]

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


def describe_missing(scenes: Sequence[Scene]) -> list[str]:
    """Writes a sentence for each scene and kind of map that it lacks: what is switched off."""
    sentences = []
    for scene in scenes:
        for kind, maps, off in OPTIONAL_MAPS:
            if not scene.has(kind):
                found, extent = _extent(scene.count(kind), len(scene.views), maps)
                sentences.append(f"{scene.name} has {found}: {off} {extent}.")
    return sentences


def _extent(found: int, views: int, maps: str) -> tuple[str, str]:
    """Words for how many views have the maps, and for where their use is switched off."""
    if found:
        return f"{maps} in {found} of {views} frames only", "switched off in the others"
    return f"no {maps}", "switched off"
