"""The head of semantic FPN: features of four levels -> logits of every pixel.

It is that of the released code of GP-NeRF, whose published weights fit.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

# Groups of the group norm.
GROUPS = 32


class SemanticFPNHead(nn.Module):
    """Semantic FPN: four branches, one per part of the features, enlarged to one size and summed.

    Part i is reduced by the factor 2^i, then i times convolved and enlarged by 2; part 0 is convolved once.
    The output after the last class means "unlabelled"; it takes part in training, and its pixels get no
    label.
    """

    def __init__(self, part_width: int, classes: int):
        super().__init__()
        self.scale_heads = nn.ModuleList(_branch(part_width, max(1, level)) for level in range(4))
        self.predictor = nn.Conv2d(part_width, classes + 1, 1)

    def forward(self, features: Tensor, height: int, width: int) -> Tensor:
        """features [N, D, h, w] -> logits [N, K + 1, height, width]."""
        rows, columns = features.shape[-2:]
        parts = pad_to_multiple(features, 8).chunk(4, dim=1)
        total = 0.0
        for level, (part, branch) in enumerate(zip(parts, self.scale_heads, strict=True)):
            total = total + self._branch(part, branch, level)
        logits = self.predictor(total[..., :rows, :columns])
        return F.interpolate(logits, (height, width), mode="bilinear", align_corners=True)

    @staticmethod
    def _branch(part: Tensor, branch: nn.ModuleList, level: int) -> Tensor:
        if level:
            size = [side // 2**level for side in part.shape[-2:]]
            part = F.interpolate(part, size, mode="bilinear", align_corners=True)
        for block in branch:
            part = block(part)
            if level:
                part = F.interpolate(part, scale_factor=2, mode="bilinear", align_corners=False)
        return part


def pad_to_multiple(features: Tensor, multiple: int) -> Tensor:
    """Repeats the last rows and columns of features [N, D, h, w] until both sides are multiples."""
    rows, columns = features.shape[-2:]
    return F.pad(features, (0, -columns % multiple, 0, -rows % multiple), mode="replicate")


def _branch(width: int, blocks: int) -> nn.ModuleList:
    layers = []
    for _ in range(blocks):
        convolution = nn.Conv2d(width, width, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
        layers.append(nn.Sequential(convolution, nn.GroupNorm(GROUPS, width), nn.ReLU()))
    return nn.ModuleList(layers)
