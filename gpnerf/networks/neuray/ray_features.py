"""Features of source rays from the depth maps of the source views (NeuRay)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gpnerf.geometry.cameras import Camera, pixel_grid
from gpnerf.geometry.projection import read
from gpnerf.networks.extractor import COLORS, ResidualUNet, Stem, instance_norm
from gpnerf.networks.neuray.hit_probability import normalized
from gpnerf.networks.neuray.layers import moments
from gpnerf.networks.neuray.source_samples import project_either_side

# Mean and variance over the views, of the differences of colours and of depth.
CONSISTENCY = 2 * (COLORS + 1)
STEM = Stem(side=8, padding=2)
LARGEST_DIFFERENCE = 1.5
FEWEST_VALID = 1e-4


class DepthFeatures(nn.Module):
    """Depth maps -> features of source rays: what the depths are, and how well they agree between views."""

    def __init__(self, width: int, blocks: tuple[int, ...], outputs: int):
        """width: channels of the stem."""
        super().__init__()
        widths = (width, width, 2 * width, 4 * width)
        self.network = ResidualUNet(widths, blocks, outputs, COLORS + 1 + CONSISTENCY, STEM)
        # A path that only sees depth.
        first, second = outputs // 4, outputs // 2
        self.depth_skip = nn.Sequential(
            nn.Conv2d(1, first, 2, stride=2), nn.ReLU(), nn.Conv2d(first, second, 2, stride=2)
        )
        self.out = nn.Conv2d(outputs + second, outputs, 1)

    def forward(self, images: Tensor, depths: Tensor, consistency: Tensor) -> Tensor:
        """images [V, 3, H, W], normalised depths [V, 1, H, W], consistency [V, 8, H, W] -> [V, G, H/4, W/4].

        Height and width are multiples of 16.
        """
        found = self.network(torch.cat([images, depths, consistency], dim=1))
        return self.out(torch.cat([self.depth_skip(depths), found], dim=1))


class VisibilityEncoder(nn.Module):
    """Image features and features of source rays -> the features that hit probabilities are decoded from."""

    def __init__(self, features: int, ray_features: int):
        super().__init__()
        self.enter = _convolution(features + ray_features, ray_features)
        self.blocks = nn.Sequential(_Block(ray_features), _Block(ray_features))
        self.out = nn.Conv2d(ray_features, ray_features, 1, bias=False)

    def forward(self, features: Tensor, ray_features: Tensor) -> Tensor:
        """[V, F, h, w] and [V, G, h, w] -> [V, G, h, w]."""
        return self.out(self.blocks(self.enter(torch.cat([features, ray_features], dim=1))))


class _Block(nn.Module):
    """A residual block whose activations come before its convolutions."""

    def __init__(self, width: int):
        super().__init__()
        self.layers = nn.Sequential(
            *(instance_norm(width), nn.ReLU(), _convolution(width, width)),
            *(instance_norm(width), nn.ReLU(), _convolution(width, width)),
        )

    def forward(self, features: Tensor) -> Tensor:
        return features + self.layers(features)


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False, padding_mode="reflect")


def normalized_depth(depths: Tensor, near: float, far: float) -> Tensor:
    """Depth maps [V, H, W] -> [V, 1, H, W]: 0 at near and where unknown, 1 at far."""
    return normalized(depths, near, far).clamp(0.0, 1.0)[:, None]


def consistency_maps(images: Tensor, depths: Tensor, cameras: Camera, near: float, far: float) -> Tensor:
    """How V photographs [V, 3, H, W] and depth maps [V, H, W] agree, pixel by pixel: [V, 8, H, W].

    Each pixel is put at its depth and compared with what all V views show there. Depths beyond near and far,
    also unknown ones, count as these. Returns mean and variance of the differences of colours, and of the
    difference of inverse depths.
    """
    maps = torch.cat([images, depths[:, None].clamp(near, far)], dim=1).permute(0, 2, 3, 1).contiguous()
    # View by view, which takes a V-th of the memory.
    found = [_compare(maps, cameras, view, near, far) for view in range(len(maps))]
    return torch.stack(found).permute(0, 3, 1, 2)


def _compare(maps: Tensor, cameras: Camera, view: int, near: float, far: float) -> Tensor:
    """The comparison [H, W, 8] of one view with all, from images and depths [V, H, W, 4]."""
    own = maps[view].flatten(0, 1)
    origins, directions = cameras[view].rays(pixel_grid(*maps.shape[1:3]).to(maps.device))
    pixels, projected, seen = project_either_side(origins + own[:, -1:] * directions, cameras)
    shown = read(maps, pixels)
    of_depth = (normalized(projected, near, far) - normalized(shown[..., -1], near, far)).abs()
    of_depth = of_depth.clamp(max=LARGEST_DIFFERENCE)[..., None]
    of_color = (shown[..., :-1] - own[:, :-1]).abs()
    weights = seen.float() / seen.sum(dim=0).clamp(min=FEWEST_VALID)
    both = [moments(one, weights[..., None]) for one in (of_color, of_depth)]
    return torch.cat(both, dim=-1).unflatten(0, maps.shape[1:3])
