"""What the methods for one scene share: two networks of NeRF, rendered in a coarse and a fine pass.

They learn the scene in world coordinates, and know nothing of any other scene.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gpnerf.config.fields import option
from gpnerf.config.types import amount, count, positive
from gpnerf.datasets.examples import Example
from gpnerf.datasets.frame_reader import SourceViews
from gpnerf.datasets.scene import Frame
from gpnerf.geometry.cameras import Camera
from gpnerf.geometry.compositing import composite, compositing_weights, opacities, spacings
from gpnerf.geometry.rays import Rays
from gpnerf.geometry.sampling import (
    LINEAR,
    SMALLEST_COARSE,
    Guide,
    at_pixels,
    coarse_depths,
    fine_depths,
    random_pixels,
    uniform_numbers,
)
from gpnerf.methods.method import Method, RayPass, StepLosses
from gpnerf.networks.radiance_mlp import RadianceMLP
from gpnerf.system.errors import ConfigError


@dataclass(frozen=True)
class Sizes:
    """The shapes of the parameters."""

    # K, from the data; 0: colour and depth only, as in NeRF.
    classes: int = 0
    mlp_width: int = option(256, "channels of the trunk", positive)
    mlp_layers: int = option(8, "layers of the trunk", positive)
    frequencies: int = option(10, "frequencies of the encoding of positions", positive)
    direction_frequencies: int = option(4, "frequencies of the encoding of directions", count)


@dataclass(frozen=True)
class Function:
    """Settings that change the outputs but not the shapes of the parameters."""

    samples: int = option(64, "samples per ray in the coarse pass, evenly spaced in z", positive)
    fine_samples: int = option(128, "samples per ray that the fine pass adds", positive)
    position_scale: float = option(
        1.0, "positions are divided by this before they are encoded, in the units of the poses", amount
    )

    def __post_init__(self) -> None:
        if self.samples < SMALLEST_COARSE:
            raise ConfigError(
                f"Expected --samples of at least {SMALLEST_COARSE}, which the fine pass needs, "
                f"found {self.samples}; increase it."
            )
        if not self.position_scale:
            raise ConfigError("Expected --position_scale above 0, found 0; leave it out, or increase it.")


@dataclass(frozen=True)
class Recipe:
    """Settings that only training reads."""

    weight_photometric: float = option(
        1.0, "weight of the colours; 0 switches a loss off", amount, may_change=True
    )
    lr_network: float = option(5e-4, "learning rate", amount, may_change=True)
    density_noise: float = option(
        0.0, "standard deviation of noise on densities in training", amount, may_change=True
    )


class RadianceField(Method):
    """A scene in the weights of two networks of NeRF, of which the first guides the samples of the second.

    The label map has one entry per pixel. A model without classes is NeRF. position_first: see RadianceMLP.
    """

    Sizes, Function, Recipe = Sizes, Function, Recipe
    per_scene, source_views, fixed_source_views = True, 0, True
    position_first: ClassVar[bool] = True

    def __init__(self, sizes: Sizes, function: Function, recipe: Recipe) -> None:
        super().__init__(sizes, function, recipe)
        self.coarse, self.fine = self._network(), self._network()

    # What a method adds

    def label_branch(self) -> nn.Module:
        """A label branch for features of the trunk, if there are classes."""
        raise NotImplementedError

    def ray_labels(self, weights: Tensor, labels: Tensor) -> Tensor:
        """Entries of the label map [R, D] from the samples' weights [R, S] and raw labels [R, S, K]."""
        raise NotImplementedError

    def true_labels(self, target: Frame) -> Tensor | None:
        """The labels of a target view that train this method: int64 [H, W] or None."""
        raise NotImplementedError

    def label_losses(self, passes: list[RayPass], rays: Rays, labels: Tensor) -> dict[str, Tensor]:
        """Losses by name of the passes over R rays with labels [R], IGNORE where unlabelled."""
        raise NotImplementedError

    # Rendering

    def _network(self) -> RadianceMLP:
        sizes = self.sizes
        return RadianceMLP(
            sizes.mlp_width,
            sizes.mlp_layers,
            sizes.frequencies,
            sizes.direction_frequencies,
            self.function.position_scale,
            self.position_first,
            self.label_branch() if self.has_classes else None,
        )

    def prepare(self, sources: SourceViews, near: float, far: float) -> None:
        return None

    def render_rays(
        self,
        prepared: None,
        cameras: Camera,
        rays: Rays,
        semantics: bool,
        generator: torch.Generator | None = None,
        guide: Guide | None = None,
    ) -> list[RayPass]:
        """Renders the coarse and the fine pass of R rays; see Method.

        With semantics, both passes have semantic [R, D] and point_semantics [R, S, K], the raw labels.
        """
        size = len(rays), self.function.samples
        jitter = uniform_numbers(*size, generator, self.device)
        depths = coarse_depths(rays.near, rays.far, *size, LINEAR, jitter).to(self.device)
        coarse = self._render(self.coarse, rays, depths, semantics, generator)
        uniforms = uniform_numbers(len(rays), self.function.fine_samples, generator, self.device)
        more = fine_depths(depths, coarse.weights, self.function.fine_samples, LINEAR, uniforms)
        depths = torch.cat([depths, more], dim=-1).sort(dim=-1).values
        return [coarse, self._render(self.fine, rays, depths, semantics, generator)]

    def _render(
        self,
        network: RadianceMLP,
        rays: Rays,
        depths: Tensor,
        semantics: bool,
        generator: torch.Generator | None,
    ) -> RayPass:
        """Renders one pass at rising depths [R, S]."""
        found = network(rays.points(depths), rays.directions, semantics)
        density = found.density + self._noise(depths, generator)
        weights = compositing_weights(opacities(density.relu(), spacings(depths, rays.directions)))
        color, depth = composite(weights, found.color.sigmoid()), (weights * depths).sum(dim=-1)
        semantic = self.ray_labels(weights, found.labels) if semantics else None
        return RayPass(color, depth, depths, weights, semantic, found.labels)

    def _noise(self, depths: Tensor, generator: torch.Generator | None) -> Tensor | float:
        """Noise on the densities of samples at depths [R, S]; 0 without a generator, which is a test."""
        size = self.recipe.density_noise
        if generator is None or not size:
            return 0.0
        drawn = torch.randn(depths.shape, generator=generator, device=generator.device)
        return size * drawn.to(depths.device)

    def bytes_per_ray(self, views: int) -> int:
        """See Method. The largest tensor of a layer is [R, S, C] or [R, S, K], in the fine pass."""
        samples = self.function.samples + self.function.fine_samples
        channels = max(self.sizes.mlp_width, self.sizes.classes)
        return samples * channels * torch.float32.itemsize

    # Training

    def losses(self, example: Example, rays: int, generator: torch.Generator) -> StepLosses:
        """See Method. No pixel is drawn twice in a step; the published Semantic-NeRF allows it."""
        target = example.target
        size = target.camera.height, target.camera.width
        pixels = random_pixels(*size, rays, generator, target.mask).to(self.device)
        chosen = Rays.through(pixels, target.camera, example.near, example.far)
        labels = self.true_labels(target) if self.has_classes else None
        passes = self.render_rays(None, example.sources.cameras, chosen, labels is not None, generator)
        truth = at_pixels(target.image, pixels)
        errors = [F.mse_loss(one.color, truth) for one in passes]
        losses = {"photometric": sum(errors)}
        if labels is not None:
            losses |= self.label_losses(passes, chosen, at_pixels(labels, pixels))
        return StepLosses(losses, -10.0 * errors[-1].detach().log10())

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"network": list(self.parameters())}
