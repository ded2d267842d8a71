"""The feature map that the head sees at the test: features rendered in every cell (Fig. 3b)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gpnerf.datasets.examples import Example
from gpnerf.geometry.cameras import Camera, pixel_grid
from gpnerf.geometry.guide_map import guide_map
from gpnerf.geometry.rays import Rays
from gpnerf.geometry.sampling import Guide
from gpnerf.methods.gpnerf.fused_map import STRIDE
from gpnerf.methods.gpnerf.source_features import SourceFeatures

if TYPE_CHECKING:
    from gpnerf.methods.gpnerf.model import GPNeRF


@torch.no_grad()
def whole_map(model: GPNeRF, prepared: SourceFeatures, example: Example) -> Tensor:
    """S_sem in every cell of the target view [D, h, w], without gradients and without dropout.

    A guided model has guides as far from a pixel as in training. rendering/view.py renders the same map with
    colours, but lies above the methods.
    """
    camera, trains = example.target.camera, model.training
    height, width = camera.height, camera.width
    at_a_time = model.recomputed_rays(len(prepared.images))

    def to_render(pixels: Tensor) -> tuple[SourceFeatures, Camera, Rays]:
        rays = Rays.through(pixels, camera, example.near, example.far, example.unit)
        return prepared, example.sources.cameras, rays

    def coarse(pixels: Tensor) -> Guide:
        found = [model.coarse_pass(*to_render(some)) for some in pixels.split(at_a_time)]
        return Guide(found[0].depths, torch.cat([one.weights for one in found]))

    model.eval()
    guides = None
    if model.guided:
        step = max(1, 2 * model.recipe.guide_distance)
        guides = guide_map(height, width, step, model.device, coarse)
    features = []
    for pixels in pixel_grid(height, width, STRIDE).to(model.device).split(at_a_time):
        guide = None if guides is None else guides.at(pixels)
        features.append(model.render_rays(*to_render(pixels), semantics=True, guide=guide)[-1].semantic)
    model.train(trains)
    rows, columns = (-(-side // STRIDE) for side in (height, width))
    return torch.cat(features).T.reshape(-1, rows, columns)
