"""Mask R-CNN (He et al., ICCV 2017) with a ResNet-50 and a feature pyramid."""

from __future__ import annotations

import math

from torch import nn
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.resnet import Bottleneck, ResNet
from torchvision.ops import FrozenBatchNorm2d

from gpnerf.methods.detector.model import Detector
from gpnerf.methods.detector.network import PyramidBackbone
from gpnerf.methods.detector.settings import STAGES
from gpnerf.methods.mask_rcnn.settings import FROZEN, Sizes

# As published (Wu and He, Group Normalization, ECCV 2018).
GROUPS = 32


class MaskRCNN(Detector):
    """The detector on a ResNet."""

    Sizes = Sizes
    published = "ResNet-50, alone or in Mask R-CNN (maskrcnn_resnet50_fpn)"

    @property
    def paper_row(self) -> str:
        return "Mask R-CNN"

    @classmethod
    def published_sizes(cls, classes: int) -> Sizes:
        return Sizes(classes=classes, trunk_norm=FROZEN)

    def backbone(self) -> PyramidBackbone:
        sizes = self.sizes
        norm = FrozenBatchNorm2d if sizes.trunk_norm == FROZEN else _group_norm
        resnet = ResNet(
            Bottleneck, list(sizes.trunk_blocks), width_per_group=sizes.trunk_width, norm_layer=norm
        )
        stages = [getattr(resnet, f"layer{stage + 1}") for stage in range(STAGES)]
        widths = [stage[-1].conv3.out_channels for stage in stages]
        body = IntermediateLayerGetter(resnet, {f"layer{stage + 1}": str(stage) for stage in range(STAGES)})
        return PyramidBackbone(body, widths, sizes.pyramid_width)


def _group_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(GROUPS, channels), channels)
