"""Renders whole views in chunks of rays, so that peak memory depends on the chunk size alone."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gpnerf.datasets.examples import Example
from gpnerf.datasets.frame_reader import SourceViews
from gpnerf.execution.workload import Workload
from gpnerf.geometry.cameras import Camera, pixel_grid
from gpnerf.geometry.rays import Rays
from gpnerf.methods.method import Labels, Method, RayPass
from gpnerf.rendering.guide import guide_map
from gpnerf.system.devices import autocast, is_out_of_memory, memory_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RenderedView:
    """A rendered view, on the CPU.

    color: [3, H, W], not clipped to [0, 1]. depth: [H, W], z in metres. features: [D, h, w], the rendered
    label map (S_sem of Fig. 3b). labels: [H, W]. confidence: [H, W], the probabilities of the labels. These
    three are None for a model without classes. instances: [H, W], ids of this view alone, from 0 on, -1 for
    none; None for a model that finds none.
    """

    color: Tensor
    depth: Tensor
    features: Tensor | None = None
    labels: Tensor | None = None
    confidence: Tensor | None = None
    instances: Tensor | None = None


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


def workload_of(model: Method, options: Namespace, views: int) -> Workload:
    """The work of rendering this number of views with the options."""
    return Workload(
        options.height,
        options.width,
        options.num_source_views,
        -(-options.height // options.stride) * -(-options.width // options.stride),
        views,
        training=False,
        chunk=options.chunk_size or suitable_chunk(model, options.num_source_views),
    )


class Chunks:
    """Chunks of pixels of one size; the last one is padded, so that compiled layers see a single shape.

    When memory runs out, the size is halved for all further chunks.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def of(self, pixels: Tensor, render: Callable[[Tensor], RayPass]) -> Iterator[tuple[Tensor, RayPass]]:
        """Yields each chunk [n, 2] of pixels [N, 2] with its rendered rays, of which the first n count."""
        start, size = 0, min(self.size, len(pixels))
        while start < len(pixels):
            chunk = pixels[start : start + size]
            filling = chunk[-1:].expand(size - len(chunk), 2)
            try:
                rays = render(torch.cat([chunk, filling]))
            except RuntimeError as error:
                if size == 1 or not is_out_of_memory(error):
                    raise
                size = self.size = size // 2
                log.warning(f"Out of memory: continuing with {size} rays at a time (--chunk_size {size}).")
                continue
            yield chunk, rays
            start += size


class Prepared(NamedTuple):
    """The result of Method.prepare for V source views, and the cameras of these views."""

    record: Any
    cameras: Camera


# Every GUIDE-th row and column has a coarse pass by default: three times as fast as at every pixel, at the
# same quality (docs/results.md). A guide is then as far from a pixel as in training (--guide_distance).
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
    model: Method, prepared: Prepared, camera: Camera, near: float, far: float, quality: Quality = BEST
) -> RenderedView:
    """Renders colour and depth of every `stride`-th pixel, and all entries of the label map.

    The chunk size is halved with a warning when memory runs out. With a stride, color and depth shrink to
    [::stride, ::stride] of the image; labels keep its size.
    """
    height, width = camera.height, camera.width
    color = torch.zeros(height, width, 3, device=model.device)
    depth = torch.zeros(height, width, device=model.device)
    pixels = pixel_grid(height, width)
    colored = (pixels % quality.stride == 0).all(dim=-1)
    of_map = (pixels % model.map_stride == 0).all(dim=-1) & model.has_classes
    entries = []
    chunks = Chunks(quality.chunk_size or suitable_chunk(model, len(prepared.cameras.intrinsics)))

    def to_render(chunk: Tensor) -> tuple[Any, Camera, Rays]:
        return *prepared, Rays.through(chunk, camera, near, far)

    def coarse_pass(chunk: Tensor) -> RayPass:
        return model.coarse_pass(*to_render(chunk))

    guides = None
    if model.guided and quality.guide > 1:
        render = partial(chunks.of, render=coarse_pass)
        guides = guide_map(height, width, quality.guide, model.device, render)
    # Copying from the device only at the end keeps it from waiting for the CPU.
    for chosen, semantics in ((pixels[colored & ~of_map], False), (pixels[of_map], True)):

        def last_pass(chunk: Tensor, semantics: bool = semantics) -> RayPass:
            guide = None if guides is None else guides.at(chunk)
            return model.render_rays(*to_render(chunk), semantics, guide=guide)[-1]

        for chunk, rays in chunks.of(chosen.to(model.device), last_pass):
            count = len(chunk)
            color[chunk[:, 1], chunk[:, 0]] = rays.color[:count]
            depth[chunk[:, 1], chunk[:, 0]] = rays.depth[:count]
            if semantics:
                entries.append(rays.semantic[:count])
    stride = quality.stride
    color, depth = color[::stride, ::stride].permute(2, 0, 1).cpu(), depth[::stride, ::stride].cpu()
    if not entries:
        return RenderedView(color, depth)
    rows, columns = (-(-side // model.map_stride) for side in (height, width))
    label_map = torch.cat(entries).T.reshape(-1, rows, columns)
    labels = model.labels(label_map, height, width).cpu()
    return RenderedView(color, depth, label_map.float().cpu(), *labels)


class SourceCache:
    """Prepared source views, kept over the frames of a video.

    A separable method keeps each view by itself, other methods keep the last set of views.
    """

    def __init__(
        self, model: Method, read: Callable[[Sequence[int]], SourceViews], near: float, far: float
    ) -> None:
        """read(indices) -> the source views of these indices; near, far: depth range of their scene."""
        self.model, self.read, self.range = model, read, (near, far)
        self.kept: dict[tuple[int, ...], Prepared] = {}

    def prepared(self, views: Sequence[int]) -> Prepared:
        """The prepared source views of these indices."""
        if not (self.model.separable and views):
            return self._of(tuple(views))
        records, cameras = zip(*(self._of((view,)) for view in views), strict=True)
        return Prepared(self.model.join(records), Camera.concatenate(cameras))

    @torch.no_grad()
    def _of(self, views: tuple[int, ...]) -> Prepared:
        if views not in self.kept:
            if not self.model.separable:
                # Sets are rarely asked for again, and each may take much memory.
                self.kept.clear()
            sources = self.read(views).to(self.model.device)
            self.kept[views] = Prepared(self.model.prepare(sources, *self.range), sources.cameras)
        return self.kept[views]


@torch.no_grad()
def render_example(model: Method, example: Example, precision: str, quality: Quality = BEST) -> RenderedView:
    """Renders the target view of an example from its source views, without using the target image."""
    example = example.to(model.device)
    with autocast(model.device, precision):
        record = model.prepare(example.sources, example.near, example.far)
        prepared = Prepared(record, example.sources.cameras)
        return render_view(model, prepared, example.target.camera, example.near, example.far, quality)


@torch.no_grad()
def segment_target(model: Method, example: Example, precision: str) -> Labels:
    """Labels from the features of the *true* target image (Fig. 8, red), on the CPU."""
    target = example.target.to(model.device)
    with autocast(model.device, precision):
        label_map = model.target_map(target.image)
        return model.labels(label_map, target.camera.height, target.camera.width).cpu()
