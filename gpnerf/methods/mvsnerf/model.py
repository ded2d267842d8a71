"""MVSNeRF (Chen et al., ICCV 2021) with a semantic head, as Semantic-Ray and GP-NeRF compare with it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from gpnerf.datasets.examples import Example
from gpnerf.datasets.frame_reader import SourceViews
from gpnerf.geometry.cameras import Camera
from gpnerf.geometry.compositing import composite, compositing_weights, opacities
from gpnerf.geometry.rays import Rays
from gpnerf.geometry.sampling import (
    LINEAR,
    Guide,
    at_pixels,
    coarse_depths,
    random_pixels,
    uniform_numbers,
)
from gpnerf.methods.method import Method, RayPass, StepLosses
from gpnerf.methods.mvsnerf.cost_volume import VIEWS, VolumeEncoder
from gpnerf.methods.mvsnerf.field import VolumeField
from gpnerf.methods.mvsnerf.frustum import Frustum
from gpnerf.methods.mvsnerf.networks import STRIDE
from gpnerf.methods.mvsnerf.scene_volume import SceneVolume, SourceVolume, pixels_of, sample_volume
from gpnerf.methods.mvsnerf.settings import Function, Recipe, Sizes
from gpnerf.metrics.semantic import semantic_loss
from gpnerf.networks.extractor import COLORS


class MVSNeRF(Method):
    """Renders one pass from the cost volume of three source views, in the frustum of the first one.

    With K classes there are K + 1 logits; the last one stands for none of them. Nobody published the compared
    head: here it is that of Semantic-NeRF. With tune_volume, the model has the volume of one scene among its
    parameters, and renders every view of the scene from it, whatever its source views.
    """

    Sizes, Function, Recipe = Sizes, Function, Recipe
    source_views, fixed_source_views = VIEWS, True
    separable = False
    # Two features, between which coordinates are interpolated.
    smallest_image = STRIDE + 1
    # As released, but for the number of steps: nobody published that of the compared rows.
    defaults = {
        "num_rays": 1024,
        "steps": 200_000,
        "decay": "cosine",
        "decay_steps": 200_000,
        "lowest_rate": 2e-4,
    }

    def __init__(self, sizes: Sizes, function: Function, recipe: Recipe) -> None:
        super().__init__(sizes, function, recipe)
        self.encoder = VolumeEncoder(sizes.encoder_width, sizes.volume_width)
        features, outputs = sizes.volume_width + VIEWS * (COLORS + 1), sizes.classes + self.has_classes
        self.field = VolumeField(sizes.mlp_width, sizes.mlp_layers, sizes.frequencies, features, outputs)
        self.scene = self._scene_volume() if sizes.scene_size else None

    @property
    def paper_row(self) -> str:
        return "MVSNeRF + Semantic Head" if self.has_classes else "MVSNeRF"

    @classmethod
    def adopts_scene(cls, recipe: Recipe) -> bool:
        return recipe.tune_volume

    def adopt_scene(self, sources: SourceViews, near: float, far: float) -> None:
        with torch.no_grad():
            found = self.prepare(sources, near, far)
        self.sizes = replace(self.sizes, scene_size=tuple(sources.images.shape[-2:]))
        self.scene = self._scene_volume().to(self.device)
        self.scene.fill(found)

    def _scene_volume(self) -> SceneVolume:
        # Its range comes with its weights.
        return SceneVolume(self.sizes.volume_width, self._frustum(*self.sizes.scene_size, 0.0, 1.0))

    def _frustum(self, height: int, width: int, near: float, far: float) -> Frustum:
        return Frustum(height, width, self.sizes.planes, self.sizes.margin, near, far)

    # Rendering

    def prepare(self, sources: SourceViews, near: float, far: float) -> SourceVolume:
        if self.scene:
            return self.scene()
        frustum = self._frustum(*sources.images.shape[-2:], near, far)
        volume = self.encoder(sources, frustum).float()
        return SourceVolume(volume, pixels_of(sources), sources.cameras, frustum)

    def render_rays(
        self,
        prepared: SourceVolume,
        cameras: Camera,
        rays: Rays,
        semantics: bool,
        generator: torch.Generator | None = None,
        guide: Guide | None = None,
    ) -> list[RayPass]:
        """See Method. The cameras are those of `prepared`."""
        size = len(rays), self.function.samples
        jitter = uniform_numbers(*size, generator, self.device)
        depths = coarse_depths(rays.near, rays.far, *size, LINEAR, jitter).to(self.device)
        found = self.field(*sample_volume(prepared, rays, depths), semantics)
        weights = compositing_weights(opacities(found.density.relu()))
        return [
            RayPass(
                color=composite(weights, found.color.sigmoid()),
                depth=(weights * depths).sum(dim=-1),
                depths=depths,
                weights=weights,
                semantic=composite(weights, found.labels) if semantics else None,
            )
        ]

    def bytes_per_ray(self, views: int) -> int:
        """See Method. The largest tensor is that of a layer of the trunk, [R, S, C]."""
        return self.function.samples * self.sizes.mlp_width * torch.float32.itemsize

    # Training

    def losses(self, example: Example, rays: int, generator: torch.Generator) -> StepLosses:
        """See Method: the squared distance of colours, summed over channels, and the cross-entropy."""
        target, sources = example.target, example.sources
        size = target.camera.height, target.camera.width
        pixels = random_pixels(*size, rays, generator, target.mask).to(self.device)
        labels = target.semantic if self.has_classes and self.recipe.weight_semantic > 0 else None
        prepared = self.prepare(sources, example.near, example.far)
        chosen = Rays.through(pixels, target.camera, example.near, example.far)
        (found,) = self.render_rays(prepared, sources.cameras, chosen, labels is not None, generator)
        errors = (found.color - at_pixels(target.image, pixels)).square()
        losses = {"photometric": errors.sum(dim=-1).mean()}
        if labels is not None:
            losses["semantic"] = semantic_loss(found.semantic.T, at_pixels(labels, pixels))
        return StepLosses(losses, -10.0 * errors.detach().mean().log10())

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """See Method. A volume of the scene takes the place of the networks that made it."""
        parts = (self.field, self.scene or self.encoder)
        return {"network": [one for part in parts for one in part.parameters()]}
