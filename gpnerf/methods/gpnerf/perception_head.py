"""Context-aware perception head (Sec. 4.1, Eq. 3): a feature map -> logits of every pixel."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gpnerf.networks.semantic_fpn import pad_to_multiple

# No perception head: labels are rendered as colours are, without a semantic field (ray_head.py).
RAYS = "rays"
UNET = "unet"
HEADS = (UNET, "linear", "published", RAYS)
COMBINATIONS = ("concat", "add")
NORMS = ("group", "none")


class UNetHead(nn.Module):
    """Decoder of a U-Net over the four parts of the semantic feature map, coarse to fine.

    Level i enlarges the level below by a 2x2 up-convolution, combines it with part i of the features, and
    applies two 3x3 convolutions with ReLU. Part i is first reduced to the resolution of pyramid level i.
    combination: "concat" as in the text of the paper, or "add" as in Eq. 3. norm: "group" as in the released
    head, or "none" as in the paper, which mentions no normalisation. shortcut: a linear layer on all features
    of a cell is added, because three quarters of them reach the U-Net at lower resolutions only; it starts at
    zero, so that it can be added to a trained head.
    """

    def __init__(
        self,
        part_width: int,
        classes: int,
        combination: str = "concat",
        norm: str = "group",
        shortcut: bool = False,
    ):
        super().__init__()
        self.combination = combination
        joined = 2 * part_width if combination == "concat" else part_width
        self.bottom = _two_convolutions(part_width, part_width, norm)
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(part_width, part_width, 2, 2) for _ in range(3))
        self.levels = nn.ModuleList(_two_convolutions(joined, part_width, norm) for _ in range(3))
        self.classify = nn.Conv2d(part_width, classes, 1)
        self.shortcut = nn.Conv2d(4 * part_width, classes, 1, bias=False) if shortcut else None
        if self.shortcut is not None:
            nn.init.zeros_(self.shortcut.weight)

    def forward(self, features: Tensor, height: int, width: int) -> Tensor:
        """features [N, D, h, w], cell (i, j) at pixel (2i, 2j) -> logits [N, K, height, width]."""
        rows, columns = features.shape[-2:]
        logits = self.logits(features, self.decode(features)[-1])
        return to_pixels(logits[..., :rows, :columns], height, width)

    def logits(self, features: Tensor, merged: Tensor) -> Tensor:
        """features [N, D, h, w] and the last of their levels -> logits [N, K, .., ..], padded as it is."""
        found = self.classify(merged)
        return found if self.shortcut is None else found + self.shortcut(pad_to_multiple(features, 8))

    def decode(self, features: Tensor) -> list[Tensor]:
        """The outputs of all levels, coarse to fine: each [N, D / 4, .., ..] has twice the sides of the last.

        features: [N, D, h, w], padded at the right and at the bottom to multiples of 8.
        """
        parts = pad_to_multiple(features, 8).chunk(4, dim=1)
        found = [self.bottom(_reduce(parts[3], 8))]
        for level, enlarge, convolve in zip((2, 1, 0), self.enlarge, self.levels, strict=True):
            part, merged = _reduce(parts[level], 2**level), enlarge(found[-1])
            merged = part + merged if self.combination == "add" else torch.cat([part, merged], dim=1)
            found.append(convolve(merged))
        return found


class LinearHead(nn.Module):
    """Classifies every cell by itself: label rendering without context, which the paper argues against."""

    def __init__(self, width: int, classes: int):
        super().__init__()
        self.classify = nn.Conv2d(width, classes, 1)

    def forward(self, features: Tensor, height: int, width: int) -> Tensor:
        """features [N, D, h, w] -> logits [N, K, height, width]."""
        return to_pixels(self.classify(features), height, width)


def _two_convolutions(inputs: int, outputs: int, norm: str) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        convolution = nn.Conv2d(channels, outputs, 3, padding=1)
        nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
        layers.append(convolution)
        if norm == "group":
            layers.append(nn.GroupNorm(math.gcd(outputs, 32), outputs))
        layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def _reduce(part: Tensor, factor: int) -> Tensor:
    return part if factor == 1 else F.avg_pool2d(part, factor)


def to_pixels(cells: Tensor, height: int, width: int) -> Tensor:
    """Interpolates cells [N, K, h, w] to pixels [N, K, height, width], bilinearly.

    Cell (i, j) lies exactly at pixel (2i, 2j); pixels beyond the last cell repeat it.
    """
    rows, columns = cells.shape[-2:]
    size = (2 * rows - 1, 2 * columns - 1)
    pixels = F.interpolate(cells, size, mode="bilinear", align_corners=True)
    extra = (0, max(0, width - size[1]), 0, max(0, height - size[0]))
    return F.pad(pixels, extra, mode="replicate")[..., :height, :width]
