"""A whole view in chunks of rays: peak memory depends on the chunk size alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gpnerf.cameras import Camera, pixel_grid
from gpnerf.datasets.examples import Example
from gpnerf.devices import autocast
from gpnerf.models.gpnerf import GPNeRF, SourceFeatures


@dataclass(frozen=True)
class RenderedView:
    """color [3, H, W], not clipped; depth [H, W] z in metres; features [D, H/2, W/2] (S_sem of Fig. 3b) and
    labels [H, W], None in a model without classes. All on the CPU."""

    color: Tensor
    depth: Tensor
    features: Tensor | None = None
    labels: Tensor | None = None


@torch.no_grad()
def render_view(
    model: GPNeRF, sources: SourceFeatures, camera: Camera, near: float, far: float, chunk_size: int
) -> RenderedView:
    """Renders every pixel's colour and depth; semantics only at the pixels (2i, 2j) that the head reads."""
    height, width = camera.height, camera.width
    color, depth = torch.zeros(height, width, 3), torch.zeros(height, width)
    rows, columns = (height + 1) // 2, (width + 1) // 2
    features = None
    pixels = pixel_grid(height, width)
    read_by_head = ((pixels % 2) == 0).all(dim=-1) & model.has_semantics
    for chosen, semantics in ((pixels[~read_by_head], False), (pixels[read_by_head], True)):
        rendered_features = []
        for chunk in chosen.split(chunk_size):
            origins, directions = camera.rays(chunk.to(model.device))
            rays = model.render_rays(sources, origins, directions, near, far, semantics)[-1]
            color[chunk[:, 1], chunk[:, 0]] = rays.color.cpu()
            depth[chunk[:, 1], chunk[:, 0]] = rays.depth.cpu()
            if semantics:
                rendered_features.append(rays.semantic)
        if rendered_features:
            features = torch.cat(rendered_features).T.reshape(-1, rows, columns)
    color = color.permute(2, 0, 1)
    if features is None:
        return RenderedView(color, depth)
    labels = model.segment(features, height, width).argmax(dim=0)
    return RenderedView(color, depth, features.float().cpu(), labels.cpu())


class SourceCache:
    """Features of source photographs, computed once each and kept over the frames of a video."""

    def __init__(self, model: GPNeRF, read: Callable[[int], tuple[Tensor, Camera]]) -> None:
        """read(index) -> the image [3, H, W] and camera of one source view."""
        self.model, self.read = model, read
        self.kept: dict[int, SourceFeatures] = {}

    @torch.no_grad()
    def features(self, views: Sequence[int]) -> SourceFeatures:
        """The features of a set of source views; instance norm makes each image independent of the others."""
        parts = [self._one(view) for view in views]
        semantics = [part.semantics for part in parts]
        cameras = [part.cameras for part in parts]
        return SourceFeatures(
            Camera.concatenate(cameras),
            torch.cat([part.images for part in parts]),
            torch.cat([part.colors for part in parts]),
            torch.cat(semantics) if self.model.has_semantics else None,
        )

    def _one(self, view: int) -> SourceFeatures:
        if view not in self.kept:
            image, camera = self.read(view)
            device = self.model.device
            features, _ = self.model.encode(image[None].to(device), Camera.stack([camera]).to(device))
            self.kept[view] = features
        return self.kept[view]


@torch.no_grad()
def render_example(model: GPNeRF, example: Example, chunk_size: int, precision: str) -> RenderedView:
    """The target view of an example from its sources; the target's image is not looked at."""
    example = example.to(model.device)
    with autocast(model.device, precision):
        sources, _ = model.encode(example.source_images, example.source_cameras)
        return render_view(model, sources, example.target.camera, example.near, example.far, chunk_size)
