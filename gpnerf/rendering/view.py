"""Renders whole views in chunks of rays, so that peak memory depends on the chunk size alone."""

from __future__ import annotations

from argparse import Namespace
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gpnerf.datasets.examples import Example
from gpnerf.datasets.frame_reader import SourceViews
from gpnerf.execution.workload import Workload
from gpnerf.geometry.cameras import Camera, pixel_grid
from gpnerf.geometry.guide_map import guide_map
from gpnerf.geometry.ray_depth import depth_spread, median_depth
from gpnerf.geometry.rays import Rays
from gpnerf.geometry.sampling import Guide
from gpnerf.methods.method import Method, RayPass
from gpnerf.rendering.chunks import Chunks, always
from gpnerf.rendering.photograph import segment_target
from gpnerf.system.devices import autocast, memory_of


@dataclass(frozen=True)
class RenderedView:
    """A rendered view, on the CPU.

    color: [3, H, W], not clipped to [0, 1]. depth: [H, W], z in metres. features: [D, h, w], the rendered
    label map (S_sem of Fig. 3b). These three are None for a method that only labels photographs. labels:
    [H, W]. confidence: [H, W], the probabilities of the labels. The last three are None for a model without
    classes. instances: [H, W], ids of this view alone, from 0 on, -1 for none; None for a model that finds
    none. surface: [H, W], the median depth of each ray, and spread: [H, W], how much the samples differ from
    it, as a share (see ray_depth.py); None for a method that only labels photographs.
    """

    color: Tensor | None = None
    depth: Tensor | None = None
    features: Tensor | None = None
    labels: Tensor | None = None
    confidence: Tensor | None = None
    instances: Tensor | None = None
    surface: Tensor | None = None
    spread: Tensor | None = None


# Size at which the largest tensor of a layer, [V, R, S, C], is fast: it fits a CPU's caches, or keeps a GPU
# busy.
FAST_BYTES = {"cpu": 10 * 2**20, "cuda": 640 * 2**20}
# A generous bound on the number of such tensors alive at a time (benchmarks/benchmark.py measures it).
ALIVE = 12


def suitable_chunk(model: Method, views: int) -> int:
    """Rays at a time for a model and V source views: as many as are fast and fit in memory.

    They may take half of the device's total memory. The free memory does not count, because it varies, and
    chunks of another size round differently.
    """
    fast, memory = FAST_BYTES.get(model.device.type, FAST_BYTES["cpu"]), memory_of(model.device)
    largest = fast if memory is None else min(fast, memory // (2 * ALIVE))
    return max(1, largest // model.bytes_per_ray(views))


def workload_of(
    model: Method, options: Namespace, views: int, size: tuple[int, int] | None = None
) -> Workload:
    """The work of rendering this number of views with the options.

    size: height and width of the views, None for those of the source views.
    """
    height, width = size or (options.height, options.width)
    return Workload(
        options.height,
        options.width,
        options.num_source_views,
        -(-height // options.stride) * -(-width // options.stride),
        views,
        training=False,
        chunk=options.chunk_size or suitable_chunk(model, options.num_source_views),
    )


class Prepared(NamedTuple):
    """The result of Method.prepare for V source views, and the cameras of these views."""

    record: Any
    cameras: Camera


# Every GUIDE-th row and column has a coarse pass by default: three times as fast as at every pixel, at the
# same quality (docs/trials.md). A guide is then as far from a pixel as in training (--guide_distance).
GUIDE = 8


class Quality(NamedTuple):
    """How much a rendering may cost.

    chunk_size: rays at a time; None chooses a suitable number. stride: every stride-th row and column is
    rendered. guide: a guided model renders its coarse pass on every guide-th row and column.
    """

    chunk_size: int | None = None
    stride: int = 1
    guide: int = GUIDE

    @staticmethod
    def of(options: Namespace) -> Quality:
        return Quality(options.chunk_size, options.stride, options.guide)


BEST = Quality(guide=1)


@torch.no_grad()
def render_view(
    model: Method,
    prepared: Prepared,
    camera: Camera,
    near: float,
    far: float,
    quality: Quality = BEST,
    wanted: Callable[[], bool] = always,
) -> RenderedView:
    """Renders colour and depth of every `stride`-th pixel, and all entries of the label map.

    The chunk size is halved with a warning when memory runs out. With a stride, color and depth shrink to
    [::stride, ::stride] of the image; labels keep its size. wanted: asked before each chunk of rays; raises
    GivenUp if it says no.
    """
    height, width = camera.height, camera.width
    values = torch.zeros(height, width, PIXEL_VALUES, device=model.device)
    pixels = pixel_grid(height, width)
    colored = (pixels % quality.stride == 0).all(dim=-1)
    of_map = (pixels % model.map_stride == 0).all(dim=-1) & model.has_classes
    entries = []
    size = quality.chunk_size or suitable_chunk(model, len(prepared.cameras.intrinsics))
    chunks = Chunks(size, wanted)

    def to_render(chunk: Tensor) -> tuple[Any, Camera, Rays]:
        return *prepared, Rays.through(chunk, camera, near, far)

    def coarse_pass(chunk: Tensor) -> RayPass:
        return model.coarse_pass(*to_render(chunk))

    def guide(some: Tensor) -> Guide:
        found = [(rays.depths, rays.weights[: len(chunk)]) for chunk, rays in chunks.of(some, coarse_pass)]
        return Guide(found[0][0], torch.cat([weights for _, weights in found]))

    guides = None
    if model.guided and quality.guide > 1:
        guides = guide_map(height, width, quality.guide, model.device, guide)
    # Copying from the device only at the end keeps it from waiting for the CPU.
    for chosen, semantics in ((pixels[colored & ~of_map], False), (pixels[of_map], True)):

        def last_pass(chunk: Tensor, semantics: bool = semantics) -> RayPass:
            guide = None if guides is None else guides.at(chunk)
            return model.render_rays(*to_render(chunk), semantics, guide=guide)[-1]

        for chunk, rays in chunks.of(chosen.to(model.device), last_pass):
            count = len(chunk)
            values[chunk[:, 1], chunk[:, 0]] = _pixel_values(rays)[:count]
            if semantics:
                entries.append(rays.semantic[:count])
    values = values[:: quality.stride, :: quality.stride].permute(2, 0, 1).contiguous().cpu()
    view = RenderedView(values[:3], values[3], surface=values[4], spread=values[5])
    if not entries:
        return view
    rows, columns = (-(-side // model.map_stride) for side in (height, width))
    label_map = torch.cat(entries).T.reshape(-1, rows, columns)
    classes, confidence, instances = model.labels(label_map, height, width).cpu()
    features = label_map.float().cpu()
    return replace(view, features=features, labels=classes, confidence=confidence, instances=instances)


# Colour, depth, median depth and spread.
PIXEL_VALUES = 6


def _pixel_values(rays: RayPass) -> Tensor:
    """What an image holds of R rays: [R, PIXEL_VALUES]."""
    weights = rays.weights.float()
    surface = median_depth(rays.depths, weights)
    spread = depth_spread(rays.depths, weights, surface)
    return torch.cat([rays.color, torch.stack([rays.depth, surface, spread], dim=-1)], dim=-1)


# As many sets take turns in a fade between source views, or rarely more.
SETS_KEPT = 3
# Single views that are kept: those of several sets, and not all of a scene with hundreds of photographs.
VIEWS_KEPT = 64


class SourceCache:
    """Prepared source views, kept over the frames of a video: those used last.

    A separable method keeps each view by itself, other methods keep whole sets of views.
    """

    def __init__(
        self, model: Method, read: Callable[[Sequence[int]], SourceViews], near: float, far: float
    ) -> None:
        """read(indices) -> the source views of these indices; near, far: depth range of their scene."""
        self.model, self.read, self.range = model, read, (near, far)
        self.most = VIEWS_KEPT if model.separable else SETS_KEPT
        self.kept: OrderedDict[tuple[int, ...], Prepared] = OrderedDict()

    def prepared(self, views: Sequence[int]) -> Prepared:
        """The prepared source views of these indices."""
        if not (self.model.separable and views):
            return self._of(tuple(views))
        records, cameras = zip(*(self._of((view,)) for view in views), strict=True)
        return Prepared(self.model.join(records), Camera.concatenate(cameras))

    @torch.no_grad()
    def _of(self, views: tuple[int, ...]) -> Prepared:
        if views not in self.kept:
            if len(self.kept) == self.most:
                # Before another one is made, as each may take much memory.
                self.kept.popitem(last=False)
            sources = self.read(views).to(self.model.device)
            self.kept[views] = Prepared(self.model.prepare(sources, *self.range), sources.cameras)
        self.kept.move_to_end(views)
        return self.kept[views]


@torch.no_grad()
def render_example(model: Method, example: Example, precision: str, quality: Quality = BEST) -> RenderedView:
    """Renders the target view of an example from its source views, without using the target image.

    A method that renders nothing labels the target image.
    """
    if not model.renders:
        return RenderedView(None, None, None, *segment_target(model, example, precision))
    example = example.to(model.device)
    with autocast(model.device, precision):
        record = model.prepare(example.sources, example.near, example.far)
        prepared = Prepared(record, example.sources.cameras)
        return render_view(model, prepared, example.target.camera, example.near, example.far, quality)
