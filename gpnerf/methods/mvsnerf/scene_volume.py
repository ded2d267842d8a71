"""What MVSNeRF renders from: a volume, the photographs and cameras that it came from, and its depth range."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gpnerf.datasets.frame_reader import SourceViews
from gpnerf.geometry.cameras import Camera
from gpnerf.geometry.projection import ALL_COUNT, pixels_either_side, read
from gpnerf.geometry.rays import Rays
from gpnerf.methods.mvsnerf.cost_volume import VIEWS, strictly_inside
from gpnerf.methods.mvsnerf.frustum import Frustum
from gpnerf.networks.extractor import COLORS


class SourceVolume(NamedTuple):
    """A volume [C, D, h, w] in a frustum of the first of three cameras.

    pixels: [3, H, W, 4], the colours of the photographs and whether each pixel counts, 0 or 1.
    """

    volume: Tensor
    pixels: Tensor
    cameras: Camera
    frustum: Frustum


class VolumeSamples(NamedTuple):
    """What the samples of R rays read.

    places: [R, S, 3], in [0, 1] inside the volume. features: [R, S, C + 12], of the volume, 0 outside, then
    colour and visibility in each view. directions: [R, 3], unit vectors of the rays in the axes of the first
    view.
    """

    places: Tensor
    features: Tensor
    directions: Tensor


def pixels_of(sources: SourceViews) -> Tensor:
    """The `pixels` of a SourceVolume."""
    images = sources.images.permute(0, 2, 3, 1)
    counts = torch.ones_like(images[..., 0]) if sources.masks is None else sources.masks.to(images.dtype)
    return torch.cat([images, counts[..., None]], dim=-1)


def sample_volume(prepared: SourceVolume, rays: Rays, depths: Tensor) -> VolumeSamples:
    """Reads the volume and the photographs at the samples of R rays at depths [R, S]."""
    cameras, rays = rays.around_target(prepared.cameras)
    pixels, source_depths, _ = pixels_either_side(rays.points(depths), cameras)
    places = prepared.frustum.coordinates(pixels[0], source_depths[0])
    grid = (2.0 * places - 1.0)[None, :, :, None]
    found = F.grid_sample(prepared.volume[None], grid, align_corners=True)[0, ..., 0].movedim(0, -1)
    shown = read(prepared.pixels, pixels)
    counts = strictly_inside(pixels, cameras.height, cameras.width) & (shown[..., COLORS] > ALL_COUNT)
    views = torch.cat([shown[..., :COLORS], counts[..., None]], dim=-1).movedim(0, -2)
    # A product of matrices would be rounded where the network computes in bfloat16.
    toward = F.normalize(rays.directions, dim=-1)
    directions = (toward[..., None] * cameras.pose[0, :3, :3]).sum(dim=-2)
    return VolumeSamples(places, torch.cat([found, views.flatten(start_dim=-2)], dim=-1), directions)


class SceneVolume(nn.Module):
    """The SourceVolume of one scene as part of a model; the volume is a parameter.

    What is not learnt but must stay exact is float64, and stays on the CPU, as not all devices have float64.
    """

    def __init__(self, channels: int, frustum: Frustum) -> None:
        super().__init__()
        self.planes, self.margin = frustum.planes, frustum.margin
        self.volume = nn.Parameter(torch.zeros(channels, *frustum.shape))
        self.register_buffer("pixels", torch.zeros(VIEWS, frustum.height, frustum.width, COLORS + 1))
        self.register_buffer("intrinsics", torch.zeros(VIEWS, 3, 3, dtype=torch.float64))
        self.register_buffer("poses", torch.zeros(VIEWS, 4, 4, dtype=torch.float64))
        self.register_buffer("range", torch.zeros(2, dtype=torch.float64))

    def _apply(self, *args: Any, **kwargs: Any) -> SceneVolume:
        """Moves or converts all but the exact numbers; PyTorch calls this for `to` and its like."""
        exact = {name: one for name, one in self._buffers.items() if one.dtype == torch.float64}
        for name in exact:
            del self._buffers[name]
        super()._apply(*args, **kwargs)
        self._buffers.update(exact)
        return self

    @torch.no_grad()
    def fill(self, found: SourceVolume) -> None:
        """Takes over a volume of the same shape."""
        self.volume.copy_(found.volume)
        self.pixels.copy_(found.pixels)
        self.intrinsics.copy_(found.cameras.intrinsics)
        self.poses.copy_(found.cameras.camera_to_world)
        self.range.copy_(torch.tensor([found.frustum.near, found.frustum.far], dtype=torch.float64))

    def forward(self) -> SourceVolume:
        height, width = self.pixels.shape[1:3]
        cameras = Camera(self.intrinsics.float(), self.poses, height, width).to(self.volume.device)
        frustum = Frustum(height, width, self.planes, self.margin, *self.range.tolist())
        return SourceVolume(self.volume, self.pixels, cameras, frustum)
