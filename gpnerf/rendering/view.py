"""A whole view in chunks of rays: peak memory depends on the chunk size alone."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gpnerf.datasets.examples import Example, Photograph, stack_masks
from gpnerf.execution.workload import Workload
from gpnerf.geometry.cameras import Camera, pixel_grid
from gpnerf.methods.gpnerf.model import GPNeRF, RenderedRays, SourceFeatures
from gpnerf.system.devices import autocast, is_out_of_memory, memory_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RenderedView:
    """color [3, H, W], not clipped; depth [H, W] z in metres; features [D, H/2, W/2] (S_sem of Fig. 3b) and
    labels [H, W] with their probabilities [H, W], None in a model without classes. All on the CPU."""

    color: Tensor
    depth: Tensor
    features: Tensor | None = None
    labels: Tensor | None = None
    confidence: Tensor | None = None


# Of the largest tensor of a layer, [V, R, S, C]: on a CPU what its caches hold, on a GPU what keeps it busy.
FAST_BYTES = {"cpu": 10 * 2**20, "cuda": 640 * 2**20}
# Such tensors alive at a time, a generous bound; measured by scripts/benchmark.py (docs/performance.md).
ALIVE = 12


def suitable_chunk(model: GPNeRF, views: int) -> int:
    """Rays at a time for a model and V source views: as many as are fast, in half of the memory.

    Not of the free memory, of which there is more or less: other chunks are rounded otherwise.
    """
    fast, memory = FAST_BYTES.get(model.device.type, FAST_BYTES["cpu"]), memory_of(model.device)
    largest = fast if memory is None else min(fast, memory // (2 * ALIVE))
    return max(1, largest // model.bytes_per_ray(views))


def view_workload(model: GPNeRF, options: Namespace, views: int) -> Workload:
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

    def of(
        self, pixels: Tensor, render: Callable[[Tensor], RenderedRays]
    ) -> Iterator[tuple[Tensor, RenderedRays]]:
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


@torch.no_grad()
def render_view(
    model: GPNeRF,
    sources: SourceFeatures,
    camera: Camera,
    near: float,
    far: float,
    chunk_size: int | None,
    stride: int = 1,
) -> RenderedView:
    """Colour and depth of every `stride`-th pixel; semantics of the pixels (2i, 2j), which the head reads.

    chunk_size: rays at a time; None: a suitable number. Halved, and said so, where memory runs out.
    With a stride, color and depth shrink to [::stride, ::stride] of the image; labels keep its size.
    """
    height, width = camera.height, camera.width
    color = torch.zeros(height, width, 3, device=model.device)
    depth = torch.zeros(height, width, device=model.device)
    pixels = pixel_grid(height, width)
    colored = (pixels % stride == 0).all(dim=-1)
    read_by_head = (pixels % 2 == 0).all(dim=-1) & model.has_semantics
    features = []
    chunks = Chunks(chunk_size or suitable_chunk(model, len(sources.images)))
    # Nothing is copied from the device before the end, so that it never waits.
    for chosen, semantics in ((pixels[colored & ~read_by_head], False), (pixels[read_by_head], True)):

        def render(chunk: Tensor, semantics: bool = semantics) -> RenderedRays:
            origins, directions = camera.rays(chunk)
            return model.render_rays(sources, origins, directions, near, far, semantics)[-1]

        for chunk, rays in chunks.of(chosen.to(model.device), render):
            count = len(chunk)
            color[chunk[:, 1], chunk[:, 0]] = rays.color[:count]
            depth[chunk[:, 1], chunk[:, 0]] = rays.depth[:count]
            if semantics:
                features.append(rays.semantic[:count])
    color, depth = color[::stride, ::stride].permute(2, 0, 1).cpu(), depth[::stride, ::stride].cpu()
    if not features:
        return RenderedView(color, depth)
    feature_map = torch.cat(features).T.reshape(-1, (height + 1) // 2, (width + 1) // 2)
    labels, confidence = model.labels(feature_map, height, width)
    return RenderedView(color, depth, feature_map.float().cpu(), labels.cpu(), confidence.cpu())


class SourceCache:
    """Features of source photographs, computed once each and kept over the frames of a video."""

    def __init__(self, model: GPNeRF, read: Callable[[int], tuple[Photograph, Camera]]) -> None:
        """read(index) -> the photograph and camera of one source view."""
        self.model, self.read = model, read
        self.kept: dict[int, tuple[Photograph, SourceFeatures]] = {}

    @torch.no_grad()
    def features(self, views: Sequence[int]) -> SourceFeatures:
        """The features of a set of source views; instance norm makes each image independent of the others."""
        photographs, parts = zip(*(self._one(view) for view in views), strict=True)
        masks = stack_masks(photographs)
        semantics = [part.semantics for part in parts]
        cameras = [part.cameras for part in parts]
        return SourceFeatures(
            Camera.concatenate(cameras),
            torch.cat([part.images for part in parts]),
            torch.cat([part.colors for part in parts]),
            torch.cat(semantics) if self.model.has_semantics else None,
            None if masks is None else masks.to(self.model.device),
        )

    def _one(self, view: int) -> tuple[Photograph, SourceFeatures]:
        if view not in self.kept:
            photograph, camera = self.read(view)
            device = self.model.device
            images = photograph.image[None].to(device)
            features, _ = self.model.encode(images, Camera.stack([camera]).to(device))
            self.kept[view] = photograph, features
        return self.kept[view]


@torch.no_grad()
def render_example(
    model: GPNeRF, example: Example, chunk_size: int | None, precision: str, stride: int = 1
) -> RenderedView:
    """The target view of an example from its sources; the target's image is not looked at."""
    example = example.to(model.device)
    with autocast(model.device, precision):
        sources, _ = model.encode(example.source_images, example.source_cameras, masks=example.source_masks)
        return render_view(
            model, sources, example.target.camera, example.near, example.far, chunk_size, stride
        )


@torch.no_grad()
def segment_target(model: GPNeRF, example: Example, precision: str) -> tuple[Tensor, Tensor]:
    """Labels and probabilities [H, W] of the *true* target image by its own features (Fig. 8, red)."""
    example = example.to(model.device)
    target = example.target
    with autocast(model.device, precision):
        _, teacher = model.encode(example.source_images, example.source_cameras, target.image)
        labels, confidence = model.labels(teacher, target.camera.height, target.camera.width)
        return labels.cpu(), confidence.cpu()
