"""Multi-scale feature extractor (Sec. 4.1): ResNet-34 with an FPN for semantics and a decoder for colour."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock
from torchvision.ops import FeaturePyramidNetwork

from gpnerf.system.errors import ConfigError

# Shortest side in pixels; in smaller images the level at stride 16 is too small for a reflecting border.
SMALLEST_IMAGE = 17
PYRAMID_LEVELS = 4
COLORS = 3
STAGES = 3


def check_blocks(option: str, blocks: Sequence[int]) -> None:
    """Raises ConfigError if an option does not give the blocks of each of the encoder's stages."""
    if len(blocks) != STAGES or min(blocks) < 1:
        raise ConfigError(
            f"Expected {option} to be three whole numbers of at least 1, such as 3,4,6, found "
            f"{','.join(map(str, blocks))}; correct the list."
        )


class Stem(NamedTuple):
    """Side and padding of the first convolution, which has stride 2."""

    side: int
    padding: int


STEM = Stem(side=7, padding=3)
instance_norm = partial(nn.InstanceNorm2d, affine=True, track_running_stats=False)


class Encoder(nn.Module):
    """The stem and the first three stages of ResNet-34, without max-pooling: strides 2, 4, 8, 16.

    It has instance norm and reflecting borders, as published. Its parameters have the names of torchvision,
    so that ImageNet weights fit an encoder of standard widths.
    """

    def __init__(self, widths: Sequence[int], blocks: Sequence[int], inputs: int = COLORS, stem: Stem = STEM):
        """widths: channels of the stem and of each stage; blocks: number of blocks of each stage."""
        super().__init__()
        self.conv1 = nn.Conv2d(
            inputs, widths[0], stem.side, 2, stem.padding, bias=False, padding_mode="reflect"
        )
        self.bn1 = instance_norm(widths[0])
        for stage, (before, after, count) in enumerate(
            zip(widths[:-1], widths[1:], blocks, strict=True), start=1
        ):
            setattr(self, f"layer{stage}", _stage(before, after, count))
        self.stages = len(blocks)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> list[Tensor]:
        """images [N, inputs, H, W], colours in [0, 1] -> features at strides 2, 4, 8, 16."""
        levels = [F.relu(self.bn1(self.conv1(images)))]
        for stage in range(1, self.stages + 1):
            levels.append(getattr(self, f"layer{stage}")(levels[-1]))
        return levels


def _stage(before: int, after: int, blocks: int) -> nn.Sequential:
    shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride=2, bias=False), instance_norm(after))
    layers = [BasicBlock(before, after, stride=2, downsample=shortcut, norm_layer=instance_norm)]
    layers += [BasicBlock(after, after, norm_layer=instance_norm) for _ in range(blocks - 1)]
    for block in layers:
        block.conv1 = _reflecting(block.conv1)
        block.conv2 = _reflecting(block.conv2)
    return nn.Sequential(*layers)


def _reflecting(convolution: nn.Conv2d) -> nn.Conv2d:
    """A new 3x3 convolution of the same shape with reflecting borders instead of zeros."""
    inputs, outputs, stride = convolution.in_channels, convolution.out_channels, convolution.stride
    convolution = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False, padding_mode="reflect")
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return convolution


class DecoderUnit(nn.Module):
    """3x3 convolution, instance norm and ELU; enlarge: doubles height and width first."""

    def __init__(self, inputs: int, outputs: int, enlarge: bool = False):
        super().__init__()
        self.enlarge = enlarge
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect")
        self.norm = instance_norm(outputs)

    def forward(self, features: Tensor) -> Tensor:
        if self.enlarge:
            features = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=True)
        return F.elu(self.norm(self.conv(features)))


class ColorDecoder(nn.Module):
    """Decoder with skip connections: encoder levels -> colour features at stride 4."""

    def __init__(self, widths: Sequence[int], outputs: int):
        """widths: channels of the encoder levels at strides 4, 8, 16."""
        super().__init__()
        low, middle, deep = widths
        self.up_middle = DecoderUnit(deep, middle, enlarge=True)
        self.join_middle = DecoderUnit(2 * middle, middle)
        self.up_low = DecoderUnit(middle, low, enlarge=True)
        self.join_low = DecoderUnit(2 * low, outputs)
        self.out = nn.Conv2d(outputs, outputs, 1)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Encoder levels at strides 4, 8, 16 -> [N, outputs, h, w], 4 times the size of the deepest level."""
        low, middle, deep = levels
        features = self.up_middle(deep)
        features = self.join_middle(torch.cat([features, _fit(middle, features)], dim=1))
        features = self.up_low(features)
        features = self.join_low(torch.cat([features, _fit(low, features)], dim=1))
        return self.out(features)


class ResidualUNet(nn.Module):
    """Encoder and decoder: images -> features at stride 4 (the image encoder of IBRNet and NeuRay)."""

    def __init__(
        self,
        widths: Sequence[int],
        blocks: Sequence[int],
        outputs: int,
        inputs: int = COLORS,
        stem: Stem = STEM,
    ):
        super().__init__()
        self.encoder = Encoder(widths, blocks, inputs, stem)
        self.decoder = ColorDecoder(widths[1:], outputs)

    def forward(self, images: Tensor) -> Tensor:
        """images [N, inputs, H, W] -> [N, outputs, h, w], 4 times the size of the level at stride 16."""
        return self.decoder(self.encoder(images)[1:])


def _fit(skip: Tensor, like: Tensor) -> Tensor:
    """Pads `skip` with zeros (the smaller half left and above) or crops it, to the size of `like`."""
    height, width = like.shape[-2] - skip.shape[-2], like.shape[-1] - skip.shape[-1]
    return F.pad(skip, (width // 2, width - width // 2, height // 2, height - height // 2))


class SemanticPyramid(nn.Module):
    """FPN whose levels are enlarged to the size of the finest and concatenated, fine to coarse."""

    def __init__(self, widths: Sequence[int], level_width: int):
        super().__init__()
        self.fpn = FeaturePyramidNetwork(list(widths), level_width)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Encoder levels at strides 2, 4, 8, 16 -> [N, 4 level_width, H/2, W/2]."""
        merged = list(self.fpn(dict(enumerate(levels))).values())
        size = merged[0].shape[-2:]
        coarse = [F.interpolate(level, size, mode="bilinear", align_corners=True) for level in merged[1:]]
        return torch.cat([merged[0], *coarse], dim=1)


class Extractor(nn.Module):
    """Images -> low-level colour features F_rgb and high-level semantic features F_sem (Fig. 2)."""

    def __init__(
        self,
        widths: Sequence[int],
        blocks: Sequence[int],
        color_features: int,
        level_width: int,
        detach_decoder: bool = False,
    ):
        """detach_decoder: no gradient of the colour decoder reaches the deepest stage, as released."""
        super().__init__()
        self.encoder = Encoder(widths, blocks)
        self.decoder = ColorDecoder(widths[1:], color_features)
        self.pyramid = SemanticPyramid(widths, level_width)
        self.detach_decoder = detach_decoder

    def colors(self, levels: Sequence[Tensor]) -> Tensor:
        """Encoder levels -> colour features [N, F, H/4, W/4]."""
        deep = levels[3].detach() if self.detach_decoder else levels[3]
        return self.decoder([levels[1], levels[2], deep])

    def semantics(self, levels: Sequence[Tensor], blocked: bool) -> Tensor:
        """Encoder levels -> semantic features [N, D, H/2, W/2].

        blocked: the result sends no gradient to the extractor (the gradient block of Sec. 4.3).
        """
        if not blocked:
            return self.pyramid(levels)
        with torch.no_grad():
            return self.pyramid(levels)
