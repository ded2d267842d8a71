"""Linear layers, as products that are fast where they are needed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Whether convolutions on a CPU are oneDNN's.
ONEDNN = torch.backends.mkldnn.is_available()


def affine(linear: nn.Linear, inputs: Tensor) -> Tensor:
    """The linear layer with its bias as a sum of its own, which a compiler joins to what follows."""
    product = F.linear(inputs, linear.weight)
    product += linear.bias
    return product


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
