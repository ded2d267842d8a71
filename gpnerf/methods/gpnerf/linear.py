"""A linear layer over the features of all views, computed by the faster of two libraries."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Whether oneDNN computes convolutions on a CPU.
ONEDNN = torch.backends.mkldnn.is_available()


def of_views(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Applies a linear layer: inputs [V, R, S, C], weight [N, C], bias [N] -> [V, R, S, N].

    oneDNN multiplies tall, narrow matrices faster than BLAS does (docs/performance.md). On a CPU, PyTorch
    uses oneDNN for float32 convolutions and BLAS for float32 products. There the layer is therefore written
    as a 1x1 convolution whose pixels are the rays and samples.
    """
    if inputs.device.type != "cpu" or not ONEDNN:
        return F.linear(inputs, weight, bias)
    pixels = inputs.permute(0, 3, 1, 2)
    return F.conv2d(pixels, weight[:, :, None, None], bias).permute(0, 2, 3, 1)
