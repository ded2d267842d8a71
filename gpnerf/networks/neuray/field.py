"""The networks of NeuRay: source views -> maps -> hit probabilities -> aggregated and composited samples."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from gpnerf.geometry.cameras import Camera
from gpnerf.geometry.compositing import composite, compositing_weights, opacities
from gpnerf.networks.extractor import ResidualUNet
from gpnerf.networks.neuray.aggregation import Aggregation, Widths
from gpnerf.networks.neuray.hit_probability import HitDecoder, Hits, cells
from gpnerf.networks.neuray.ray_features import (
    DepthFeatures,
    VisibilityEncoder,
    consistency_maps,
    normalized_depth,
)
from gpnerf.networks.neuray.source_samples import SourceSamples

# The deepest level of the encoders has this stride; sides of images are padded to multiples of it.
DEEPEST_STRIDE = 16


class EncoderSizes(NamedTuple):
    """Channels and blocks of the image encoder and of the network over depth maps.

    depth_blocks: None leaves the depth maps out, and a convolution of the image features takes their place.
    """

    width: int
    blocks: tuple[int, ...]
    features: int
    ray_features: int
    depth_width: int
    depth_blocks: tuple[int, ...] | None


class SourceEncoder(nn.Module):
    """Source views -> their maps."""

    def __init__(self, sizes: EncoderSizes):
        super().__init__()
        stem = sizes.width
        self.image = ResidualUNet((stem, 2 * stem, 4 * stem, 8 * stem), sizes.blocks, sizes.features)
        self.depth: DepthFeatures | None = None
        self.appearance: nn.Module | None = None
        if sizes.depth_blocks is None:
            self.appearance = nn.Conv2d(
                sizes.features, sizes.ray_features, 3, padding=1, padding_mode="reflect"
            )
        else:
            self.depth = DepthFeatures(sizes.depth_width, sizes.depth_blocks, sizes.ray_features)
        self.visibility = VisibilityEncoder(sizes.features, sizes.ray_features)

    def forward(
        self, images: Tensor, depths: Tensor | None, cameras: Camera, near: float, far: float
    ) -> tuple[Tensor, Tensor]:
        """Features [V, h, w, F] and ray features [V, h, w, G], h and w a quarter of the padded height, width.

        images: [V, 3, H, W] in [0, 1]. depths: [V, H, W] in metres, 0 where unknown.
        """
        features = self.image(padded(images))
        if self.depth is None:
            ray_features = self.appearance(features)
        else:
            ray_features = self.depth(*self._of_depths(images, depths, cameras, near, far))
        ray_features = self.visibility(features, ray_features)
        return tuple(one.permute(0, 2, 3, 1).contiguous() for one in (features, ray_features))

    @staticmethod
    def _of_depths(images: Tensor, depths: Tensor, cameras: Camera, near: float, far: float) -> list[Tensor]:
        agreement = consistency_maps(images, depths, cameras, near, far)
        return [padded(one) for one in (images, normalized_depth(depths, near, far), agreement)]


def padded(maps: Tensor) -> Tensor:
    """Maps [V, C, H, W], reflected at the right and bottom up to multiples of 16."""
    height, width = (-side % DEEPEST_STRIDE for side in maps.shape[-2:])
    return F.pad(maps, (0, width, 0, height), mode="reflect")


class Rendered(NamedTuple):
    """R rays over S samples: colour [R, 3], weights [R, S], logits [R, L] or None."""

    colors: Tensor
    weights: Tensor
    logits: Tensor | None


class Field(nn.Module):
    """The networks of one pass over the samples of rays."""

    def __init__(self, widths: Widths, visibility: bool, branch: str, outputs: int):
        """visibility: source rays may end nowhere. branch, outputs: see Aggregation."""
        super().__init__()
        self.hits = HitDecoder(widths.ray_features, visibility)
        self.aggregation = Aggregation(widths, branch, outputs)

    def forward(
        self, views: SourceSamples, depths: Tensor, near: float, far: float, labels: bool
    ) -> Rendered:
        """Renders rays from what V views show at their samples at depths [R, S]."""
        found = self.hits(views.ray_features, *cells(views.depths, depths, near, far))
        hits = Hits(*(one * views.seen for one in found))
        samples = self.aggregation(views, hits, labels)
        weights = compositing_weights(opacities(samples.densities))
        logits = None if samples.logits is None else composite(weights, samples.logits)
        return Rendered(composite(weights, samples.colors), weights, logits)
