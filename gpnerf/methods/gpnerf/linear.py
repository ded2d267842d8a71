"""The product of a linear layer with what all views show, by the faster of two libraries."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Whether convolutions on a CPU are oneDNN's.
ONEDNN = torch.backends.mkldnn.is_available()


def of_views(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A linear layer of what views show: [V, R, S, N] from inputs [V, R, S, C], weight [N, C] and bias [N].

    So many rows of so few columns are multiplied faster by oneDNN than by BLAS (docs/performance.md). On a
    CPU PyTorch leaves float32 convolutions to the one and float32 products to the other: so it is a
    convolution there, with rays and samples as the pixels.
    """
    if inputs.device.type != "cpu" or not ONEDNN:
        return F.linear(inputs, weight, bias)
    pixels = inputs.permute(0, 3, 1, 2)
    return F.conv2d(pixels, weight[:, :, None, None], bias).permute(0, 2, 3, 1)
