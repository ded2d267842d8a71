"""The smallest method: a little network of the place alone, for one scene, without source views."""

from dataclasses import dataclass

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

    def render_rays(self, prepared, cameras, rays, semantics, generator=None):
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
        found = self.render_rays(None, example.sources.cameras, rays, semantics=False)[-1]
        error = (found.color - target.image[:, pixels[:, 1], pixels[:, 0]].T).square().mean()
        return StepLosses({"toy": error}, -10 * error.detach().log10())

    def parameter_groups(self):
        return {"toy": list(self.parameters())}

    def bytes_per_ray(self, views):
        return self.function.toy_samples * self.sizes.toy_width * torch.float32.itemsize
