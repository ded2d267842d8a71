"""The choice of the head that gives labels."""

from __future__ import annotations

from torch import nn

from gpnerf.methods.gpnerf.perception_head import RAYS, LinearHead, UNetHead
from gpnerf.methods.gpnerf.query_head import QueryHead
from gpnerf.methods.gpnerf.ray_head import RayHead
from gpnerf.methods.gpnerf.settings import Sizes
from gpnerf.networks.semantic_fpn import SemanticFPNHead


def build_head(sizes: Sizes) -> nn.Module:
    """Builds the paper's U-Net decoder, a linear head without context, or the head of the released code.

    These classify feature maps; with queries, the U-Net finds instances too. The fourth one, of label
    rendering, classifies the features of rays.
    """
    if sizes.head == RAYS:
        return RayHead(sizes.transformer_width, sizes.classes)
    if sizes.head == "linear":
        return LinearHead(sizes.semantic_width, sizes.classes)
    if sizes.head == "published":
        return SemanticFPNHead(sizes.level_width, sizes.classes)
    if sizes.queries:
        return QueryHead(sizes)
    unet = sizes.head_combination, sizes.head_norm, sizes.head_shortcut
    return UNetHead(sizes.level_width, sizes.classes, *unet)
