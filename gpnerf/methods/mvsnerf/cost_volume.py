"""The cost volume of three source views: how well they agree on each cell of a frustum."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gpnerf.datasets.frame_reader import SourceViews
from gpnerf.geometry.projection import ALL_COUNT, interpolate, pixels_either_side, read
from gpnerf.methods.mvsnerf.frustum import Frustum
from gpnerf.methods.mvsnerf.networks import STRIDE, FeatureNetwork, VolumeNetwork
from gpnerf.networks.extractor import COLORS

VIEWS = 3
# Mean and standard deviation of the colours of ImageNet.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class VolumeEncoder(nn.Module):
    """Three source views -> the feature volume in the frustum of the first one."""

    def __init__(self, encoder_width: int, volume_width: int) -> None:
        super().__init__()
        self.features = FeatureNetwork(encoder_width)
        self.volume = VolumeNetwork(VIEWS * COLORS + 4 * encoder_width, volume_width)

    def forward(self, sources: SourceViews, frustum: Frustum) -> Tensor:
        """Returns the volume [C, D, h, w]."""
        colors = normalized(sources.images)
        cost = cost_volume(sources, colors, self.features(colors), frustum)
        return self.volume(cost[None])[0]


def normalized(images: Tensor) -> Tensor:
    """Images [V, 3, H, W] in [0, 1] -> colours whose mean is 0 and deviation 1 over ImageNet."""
    mean, deviation = (images.new_tensor(one)[:, None, None] for one in (MEAN, DEVIATION))
    return (images - mean) / deviation


def cost_volume(sources: SourceViews, colors: Tensor, features: Tensor, frustum: Frustum) -> Tensor:
    """Colours of the three views and the variance of their features: [9 + F, D, h, w].

    colors: [3, 3, H, W]; features: [3, F, H/4, W/4]. The variance of a cell is over the views that see it,
    and always over the first one, which is 0 in the margin.
    """
    small = F.interpolate(colors, features.shape[-2:], mode="bilinear", align_corners=False)
    maps = torch.cat([small, features.float()], dim=1)
    own, warped, seen = first_view(maps[0], frustum), *warp(maps[1:], sources, frustum)
    number = 1.0 + seen.sum(dim=0)[..., None]
    mean, squares = (
        (one[..., COLORS:] + others[..., COLORS:].sum(dim=0)) / number
        for one, others in ((own, warped), (own.square(), warped.square()))
    )
    shown = [one[..., :COLORS] for one in (own, *warped)]
    return torch.cat([*shown, squares - mean.square()], dim=-1).permute(3, 0, 1, 2)


def first_view(maps: Tensor, frustum: Frustum) -> Tensor:
    """Maps [C, H/4, W/4] of the first view on all planes, 0 in the margin: [D, h, w, C]."""
    planes, rows, columns = frustum.shape
    before = frustum.margin
    right, below = columns - maps.shape[2] - before, rows - maps.shape[1] - before
    padded = F.pad(maps, (before, right, before, below)).permute(1, 2, 0)
    return padded.expand(planes, *padded.shape)


def warp(maps: Tensor, sources: SourceViews, frustum: Frustum) -> tuple[Tensor, Tensor]:
    """Maps [2, C, H/4, W/4] of the other views as seen from the first one: [2, D, h, w, C].

    Also returns which of them see a cell: bool [2, D, h, w]. As released, views see cells behind them too.
    """
    # Differences of poses alone count, which are exact near the origin.
    cameras = sources.cameras.around(sources.cameras.camera_to_world[0, :3, 3])
    others = [view for view in range(len(cameras.intrinsics)) if view]
    pixels, _, _ = pixels_either_side(frustum.points(cameras[0]), cameras[others])
    height, width = maps.shape[-2:]
    places = pixels / STRIDE
    found = interpolate(maps.permute(0, 2, 3, 1).contiguous(), places, height, width)
    seen = strictly_inside(places, height, width)
    if sources.masks is not None:
        shown = read(sources.masks[1:, ..., None].float(), pixels)[..., 0] > ALL_COUNT
        found, seen = found * shown[..., None], seen & shown
    return found, seen


def strictly_inside(pixels: Tensor, height: int, width: int) -> Tensor:
    """Whether pixels [..., 2] lie within the outermost centres of height x width: bool [...]."""
    last = pixels.new_tensor([width - 1, height - 1])
    return ((pixels > 0) & (pixels < last)).all(dim=-1)
