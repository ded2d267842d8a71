"""Where rays are sampled in each pass, and the coordinates in which the networks see them."""

from __future__ import annotations

import torch
from torch import Tensor

from gpnerf.geometry.cameras import Camera
from gpnerf.geometry.canonical import WORLD, canonical, unit_of
from gpnerf.geometry.rays import Rays
from gpnerf.geometry.sampling import Guide, coarse_depths, fine_depths, guided_depths, uniform_numbers
from gpnerf.methods.gpnerf.settings import FINE, Function


def in_coordinates(function: Function, cameras: Camera, rays: Rays) -> tuple[Camera, Rays, float]:
    """Cameras and rays in the coordinates of the networks, and the unit of these."""
    if function.coordinates == WORLD:
        return cameras, rays, 1.0
    return *canonical(cameras, rays), unit_of(rays)


def first_depths(function: Function, rays: Rays, generator: torch.Generator | None) -> Tensor:
    """Depths of the coarse pass [R, S], rising; generator: draws them at random, for training."""
    count, samples, device = len(rays), function.samples, rays.origins.device
    jitter = uniform_numbers(count, samples, generator, device)
    return coarse_depths(rays.near, rays.far, count, samples, function.spacing, jitter).to(device)


def last_depths(function: Function, guide: Guide, shares: Tensor | None) -> Tensor:
    """Depths of the last pass [R, S], rising; shares: random numbers [R, fine samples], for training."""
    samples, spacing = function.fine_samples, function.spacing
    if function.last_pass == FINE:
        return guided_depths(guide, samples, spacing, shares)
    more = fine_depths(*guide, samples, spacing, shares)
    return torch.cat([guide.depths, more], dim=-1).sort(dim=-1).values
