"""What source views show of the samples of rays: projections, and their maps read there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from gpnerf.geometry.cameras import Camera
from gpnerf.geometry.projection import pixels_either_side, read, unmasked
from gpnerf.geometry.rays import Rays

# Pixels by which the edge of an image lies outside the outermost pixel centres.
HALF = 0.5
SMALLEST_NORM = 1e-5
# Pixels of an image per cell of its feature map, in both directions.
STRIDE = 4


@dataclass(frozen=True)
class SourceMaps:
    """Maps of V source views, channels last.

    images: [V, H, W, 3]. features: [V, h, w, F], of the image. ray_features: [V, h, w, G], from which the
    distribution of depth along each source ray is decoded. masks: bool [V, H, W], None where all pixels
    count.
    """

    images: Tensor
    features: Tensor
    ray_features: Tensor
    masks: Tensor | None = None

    @cached_property
    def both(self) -> Tensor:
        """Features and ray features, to be read at once: [V, h, w, F + G]."""
        return torch.cat([self.features, self.ray_features], dim=-1)


class SourceSamples(NamedTuple):
    """What V source views show at R x S points.

    seen: bool [V, R, S]. colors: [V, R, S, 3], features: [V, R, S, F] and ray_features: [V, R, S, G] are 0
    where a view does not see a point. depths: [V, R, S], z in the source camera. directions: [V, R, S, 4],
    the difference of the directions to the source and to the target camera, and their cosine.
    """

    seen: Tensor
    colors: Tensor
    features: Tensor
    ray_features: Tensor
    depths: Tensor
    directions: Tensor


def project_either_side(points: Tensor, cameras: Camera) -> tuple[Tensor, Tensor, Tensor]:
    """Points [..., 3] -> pixels [V, ..., 2] in V images, z-depths [V, ...], and which are seen, bool.

    As released, a point behind a camera is seen if its mirrored projection falls into the image.
    """
    pixels, depths, flat = pixels_either_side(points, cameras)
    size = pixels.new_tensor([cameras.width, cameras.height])
    inside = ((pixels >= -HALF) & (pixels < size - HALF)).all(dim=-1)
    return pixels, depths, inside & ~flat


def read_features(maps: Tensor, pixels: Tensor) -> Tensor:
    """Reads feature maps [V, h, w, C] at pixels [V, ..., 2] of images STRIDE times as large: [V, ..., C].

    As released, the centres of the outermost pixels of the image lie on the *edges* of the map.
    """
    rows, columns = maps.shape[1:3]
    size = pixels.new_tensor([columns, rows])
    return read(maps, pixels * (size / (STRIDE * size - 1.0)) - HALF)


def sample_sources(maps: SourceMaps, cameras: Camera, rays: Rays, depths: Tensor) -> SourceSamples:
    """Reads the maps at the samples of R rays at depths [R, S]."""
    points = rays.points(depths)
    pixels, source_depths, seen = project_either_side(points, cameras)
    if maps.masks is not None:
        seen = seen & unmasked(maps.masks, pixels)
    colors = read(maps.images, pixels) * seen[..., None]
    features, ray_features = (read_features(maps.both, pixels) * seen[..., None]).split(
        [maps.features.shape[-1], maps.ray_features.shape[-1]], dim=-1
    )
    directions = compare_directions(points, rays.directions, cameras.center)
    return SourceSamples(seen, colors, features, ray_features, source_depths, directions)


def compare_directions(points: Tensor, directions: Tensor, centers: Tensor) -> Tensor:
    """The direction inputs [V, R, S, 4] of points [R, S, 3] on rays with directions [R, 3].

    They are the difference of the unit vectors to the source camera and to the target camera, not normalised,
    and their cosine. centers: [V, 3], of the source cameras.
    """
    to_source = _unit(centers[:, None, None] - points)
    to_target = _unit(-directions)[:, None]
    cosine = (to_source * to_target).sum(dim=-1, keepdim=True)
    return torch.cat([to_source - to_target, cosine], dim=-1)


def _unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.norm(dim=-1, keepdim=True).clamp(min=SMALLEST_NORM)
