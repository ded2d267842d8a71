"""Two of the smallest methods, which together need all that the interface allows.

Toy is a network of the place alone, for one scene, without source views. Pair is a batch norm of exactly two
source views, which it prepares together.
"""

from dataclasses import dataclass, replace

import torch
from torch import nn

from gpnerf.config.fields import option
from gpnerf.config.types import amount, positive
from gpnerf.geometry.rays import Rays
from gpnerf.geometry.sampling import random_pixels
from gpnerf.methods.method import Method, RayPass, StepLosses


@dataclass(frozen=True)
class Sizes:
    classes: int = 0
    toy_width: int = option(16, "channels", positive)


@dataclass(frozen=True)
class Function:
    toy_samples: int = option(4, "per ray", positive)


@dataclass(frozen=True)
class Recipe:
    weight_toy: float = option(1.0, "of the only loss", amount)
    lr_toy: float = option(0.01, "learning rate", amount)


class Toy(Method):
    Sizes, Function, Recipe = Sizes, Function, Recipe
    per_scene, source_views, fixed_source_views = True, 0, True

    def __init__(self, sizes, function, recipe):
        super().__init__(sizes, function, recipe)
        outputs = nn.Linear(sizes.toy_width, 3 + sizes.classes)
        self.network = nn.Sequential(nn.Linear(3, sizes.toy_width), nn.ReLU(), outputs)

    def prepare(self, sources, near, far):
        return None

    def render_rays(self, prepared, cameras, rays, semantics, generator=None, guide=None):
        depths = torch.linspace(rays.near, rays.far, self.function.toy_samples, device=self.device)
        depths = depths.expand(len(rays), -1)
        found = self.network(rays.points(depths)).mean(dim=1)
        weights = torch.full_like(depths, 1 / depths.shape[1])
        return [
            RayPass(found[:, :3], depths.mean(dim=1), depths, weights, found[:, 3:] if semantics else None)
        ]

    def losses(self, example, rays, generator):
        target = example.target
        pixels = random_pixels(target.camera.height, target.camera.width, rays, generator, target.mask)
        rays = Rays.through(pixels, target.camera, example.near, example.far)
        found = Toy.render_rays(self, None, example.sources.cameras, rays, semantics=False)[-1]
        error = (found.color - target.image[:, pixels[:, 1], pixels[:, 0]].T).square().mean()
        return StepLosses({"toy": error}, -10 * error.detach().log10())

    def parameter_groups(self):
        return {"toy": list(self.parameters())}

    def bytes_per_ray(self, views):
        return self.function.toy_samples * self.sizes.toy_width * torch.float32.itemsize


class Pair(Toy):
    per_scene, source_views, separable = False, 2, False
    defaults = {"num_rays": 7}

    def __init__(self, sizes, function, recipe):
        super().__init__(sizes, function, recipe)
        self.normalize = nn.BatchNorm1d(3)

    def prepare(self, sources, near, far):
        assert len(sources.images) == 2
        return self.normalize(sources.images.mean(dim=(2, 3))).mean(dim=0)

    def render_rays(self, prepared, cameras, rays, semantics, generator=None, guide=None):
        (found,) = super().render_rays(None, cameras, rays, semantics)
        return [replace(found, color=found.color + prepared)]

    def losses(self, example, rays, generator):
        prepared = self.prepare(example.sources, example.near, example.far)
        losses, psnr = super().losses(example, rays, generator)
        return StepLosses({"toy": losses["toy"] + prepared.square().mean()}, psnr)
