"""Layers of IBRNet and its descendants: perceptrons, attention, positions, moments over views."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# As released; it is ten times smaller than PyTorch's default.
NORM_EPSILON = 1e-6
# The base of the wavelengths of the positions.
LONGEST_WAVE = 10_000.0
# Keeps quotients by a sum over no view finite.
SMALLEST_SUM = 1e-8


class Elu(nn.Module):
    """The exponential linear unit: x above 0, e^x - 1 below."""

    def forward(self, inputs: Tensor) -> Tensor:
        return _Elu.apply(inputs)


class _Elu(torch.autograd.Function):
    """By `exp`, which is several times as fast on a CPU as PyTorch's ELU, whose e^x - 1 is not vectorised."""

    @staticmethod
    def forward(context: Any, inputs: Tensor) -> Tensor:
        outputs = torch.maximum(inputs, inputs.clamp(max=0.0).exp() - 1.0)
        context.save_for_backward(outputs)
        return outputs

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        (outputs,) = context.saved_tensors
        return gradient * (outputs.clamp(max=0.0) + 1.0)


def perceptron(*widths: int, last: nn.Module | None = None, kind: type[nn.Module] = Elu) -> nn.Sequential:
    """Linear layers of these widths with an activation of a `kind` between them, and `last` at the end."""
    layers: list[nn.Module] = []
    for inputs, outputs in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Linear(inputs, outputs), kind()]
    return nn.Sequential(*layers[:-1], *([] if last is None else [last]))


def start_small(network: nn.Sequential) -> None:
    """Draws the weights of linear layers by Kaiming's normal rule, and sets their biases to 0."""
    for layer in network:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)


class SelfAttention(nn.Module):
    """Multi-head attention among the L members of a sequence, with a residual, then layer norm."""

    def __init__(self, width: int, heads: int, head_width: int):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, heads * head_width, bias=False)
        self.key = nn.Linear(width, heads * head_width, bias=False)
        self.value = nn.Linear(width, heads * head_width, bias=False)
        self.out = nn.Linear(heads * head_width, width, bias=False)
        self.norm = nn.LayerNorm(width, eps=NORM_EPSILON)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """inputs [..., L, C], mask bool [..., L] -> [..., L, C].

        As released, the mask chooses who asks, not who is asked: a masked member attends to all alike, and
        the others attend to it too.
        """
        # A query of zeros gives all members the same weight.
        query = self.query(inputs) * mask[..., None]
        parts = (self._split(one) for one in (query, self.key(inputs), self.value(inputs)))
        attended = F.scaled_dot_product_attention(*parts)
        return self.norm(self.out(attended.transpose(-2, -3).flatten(-2)) + inputs)

    def _split(self, inputs: Tensor) -> Tensor:
        """[..., L, heads * head_width] -> [..., heads, L, head_width]."""
        return inputs.unflatten(-1, (self.heads, -1)).transpose(-2, -3)


def positions(samples: int, channels: int, device: torch.device) -> Tensor:
    """The sinusoidal code [S, C] of the samples' numbers on their ray, whatever their depths."""
    numbers = torch.arange(samples, dtype=torch.float64)[:, None]
    pairs = torch.arange(channels, dtype=torch.float64) // 2
    angles = numbers / LONGEST_WAVE ** (2.0 * pairs / channels)
    even = torch.arange(channels) % 2 == 0
    return torch.where(even, angles.sin(), angles.cos()).float().to(device)


def seen_by_several(seen: Tensor) -> Tensor:
    """Which samples ask others along their ray: those that several views see. bool [V, R, S] -> [R, S]."""
    return seen.sum(dim=0) > 1


def shares(weights: Tensor) -> Tensor:
    """Weights [V, ...] of at least 0 divided by their sum over the views; all 0 where that is 0."""
    return weights / (weights.sum(dim=0) + SMALLEST_SUM)


def moments(values: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean and variance over the views: values [V, ..., C], weights [V, ..., 1] -> [..., 2 C].

    If the weights do not sum to 1, the second is not a central moment; it is as released.
    """
    mean = (weights * values).sum(dim=0)
    variance = (weights * (values - mean).square()).sum(dim=0)
    return torch.cat([mean, variance], dim=-1)
