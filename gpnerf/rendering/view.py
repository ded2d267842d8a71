"""A whole view in chunks of rays: peak memory depends on the chunk size alone."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gpnerf.datasets.examples import Example, SourceViews
from gpnerf.execution.workload import Workload
from gpnerf.geometry.cameras import Camera, pixel_grid
from gpnerf.geometry.rays import Rays
from gpnerf.methods.method import Method, RayPass
from gpnerf.system.devices import autocast, is_out_of_memory, memory_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RenderedView:
    """color [3, H, W], not clipped; depth [H, W] z in metres; features [D, h, w], the rendered label map
    (S_sem of Fig. 3b), and labels [H, W] with their probabilities [H, W], None without classes. All on the
    CPU."""

    color: Tensor
    depth: Tensor
    features: Tensor | None = None
    labels: Tensor | None = None
    confidence: Tensor | None = None


# Of the largest tensor of a layer, [V, R, S, C]: on a CPU what its caches hold, on a GPU what keeps it busy.
FAST_BYTES = {"cpu": 10 * 2**20, "cuda": 640 * 2**20}
# Such tensors alive at a time, a generous bound; measured by scripts/benchmark.py (docs/performance.md).
ALIVE = 12


def suitable_chunk(model: Method, views: int) -> int:
    """Rays at a time for a model and V source views: as many as are fast, in half of the memory.

    Not of the free memory, of which there is more or less: other chunks are rounded otherwise.
    """
    fast, memory = FAST_BYTES.get(model.device.type, FAST_BYTES["cpu"]), memory_of(model.device)
    largest = fast if memory is None else min(fast, memory // (2 * ALIVE))
    return max(1, largest // model.bytes_per_ray(views))


def workload_of(model: Method, options: Namespace, views: int) -> Workload:
    """What it takes to render so many views by the options."""
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
    """Pixels in chunks of one size, the last one filled up, so that compiled layers see one shape.

    The size is halved, for all chunks to come, where memory does not suffice.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def of(self, pixels: Tensor, render: Callable[[Tensor], RayPass]) -> Iterator[tuple[Tensor, RayPass]]:
        """Pixels [N, 2] -> each chunk of them [n, 2] with what `render` makes of it, filled up: n or more."""
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
                log.warning(f"Out of memory: going on with {size} rays at a time (--chunk_size {size}).")
                continue
            yield chunk, rays
            start += size


class Prepared(NamedTuple):
    """What a method made of V source views, and their cameras."""

    record: Any
    cameras: Camera


@torch.no_grad()
def render_view(
    model: Method,
    prepared: Prepared,
    camera: Camera,
    near: float,
    far: float,
    chunk_size: int | None,
    stride: int = 1,
) -> RenderedView:
    """Colour and depth of every `stride`-th pixel; semantics of those that are entries of the label map.

    chunk_size: rays at a time; None: a suitable number. Halved, and said so, where memory runs out.
    With a stride, color and depth shrink to [::stride, ::stride] of the image; labels keep its size.
    """
    height, width = camera.height, camera.width
    color = torch.zeros(height, width, 3, device=model.device)
    depth = torch.zeros(height, width, device=model.device)
    pixels = pixel_grid(height, width)
    colored = (pixels % stride == 0).all(dim=-1)
    of_map = (pixels % model.map_stride == 0).all(dim=-1) & model.has_classes
    entries = []
    chunks = Chunks(chunk_size or suitable_chunk(model, len(prepared.cameras.intrinsics)))
    # Nothing is copied from the device before the end, so that it never waits.
    for chosen, semantics in ((pixels[colored & ~of_map], False), (pixels[of_map], True)):

        def render(chunk: Tensor, semantics: bool = semantics) -> RayPass:
            rays = Rays.through(chunk, camera, near, far)
            return model.render_rays(prepared.record, prepared.cameras, rays, semantics)[-1]

        for chunk, rays in chunks.of(chosen.to(model.device), render):
            count = len(chunk)
            color[chunk[:, 1], chunk[:, 0]] = rays.color[:count]
            depth[chunk[:, 1], chunk[:, 0]] = rays.depth[:count]
            if semantics:
                entries.append(rays.semantic[:count])
    color, depth = color[::stride, ::stride].permute(2, 0, 1).cpu(), depth[::stride, ::stride].cpu()
    if not entries:
        return RenderedView(color, depth)
    rows, columns = (-(-side // model.map_stride) for side in (height, width))
    label_map = torch.cat(entries).T.reshape(-1, rows, columns)
    labels, confidence = model.labels(label_map, height, width)
    return RenderedView(color, depth, label_map.float().cpu(), labels.cpu(), confidence.cpu())


class SourceCache:
    """Source views prepared once and kept over the frames of a video: one by one where a method can."""

    def __init__(
        self, model: Method, read: Callable[[Sequence[int]], SourceViews], near: float, far: float
    ) -> None:
        """read(indices) -> these source views; near, far: depth range of their scene."""
        self.model, self.read, self.range = model, read, (near, far)
        self.kept: dict[tuple[int, ...], Prepared] = {}

    def prepared(self, views: Sequence[int]) -> Prepared:
        """A set of source views."""
        if not (self.model.separable and views):
            return self._of(tuple(views))
        records, cameras = zip(*(self._of((view,)) for view in views), strict=True)
        return Prepared(self.model.join(records), Camera.concatenate(cameras))

    @torch.no_grad()
    def _of(self, views: tuple[int, ...]) -> Prepared:
        if views not in self.kept:
            sources = self.read(views).to(self.model.device)
            self.kept[views] = Prepared(self.model.prepare(sources, *self.range), sources.cameras)
        return self.kept[views]


@torch.no_grad()
def render_example(
    model: Method, example: Example, chunk_size: int | None, precision: str, stride: int = 1
) -> RenderedView:
    """The target view of an example from its sources; the target's image is not looked at."""
    example = example.to(model.device)
    with autocast(model.device, precision):
        record = model.prepare(example.sources, example.near, example.far)
        prepared = Prepared(record, example.sources.cameras)
        return render_view(
            model, prepared, example.target.camera, example.near, example.far, chunk_size, stride
        )


@torch.no_grad()
def segment_target(model: Method, example: Example, precision: str) -> tuple[Tensor, Tensor] | None:
    """Labels and probabilities [H, W] of the *true* target image by its own features (Fig. 8, red); None by a
    method that does not look at it."""
    target = example.target.to(model.device)
    with autocast(model.device, precision):
        label_map = model.target_map(target.image)
        if label_map is None:
            return None
        labels, confidence = model.labels(label_map, target.camera.height, target.camera.width)
        return labels.cpu(), confidence.cpu()
