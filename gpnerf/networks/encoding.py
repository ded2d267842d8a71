"""Positional encoding of points and directions."""

from __future__ import annotations

import torch
from torch import Tensor


def encoding_width(frequencies: int, dimensions: int = 3) -> int:
    """The number of values that `frequency_encoding` makes of a point: n (1 + 2 F)."""
    return dimensions * (1 + 2 * frequencies)


def frequency_encoding(values: Tensor, frequencies: int, sines_first: bool = False) -> Tensor:
    """[x, sin(2^0 x), cos(2^0 x), ..., sin(2^(F-1) x), cos(2^(F-1) x)]: [..., n] -> [..., n (1 + 2 F)].

    sines_first: all sines come before all cosines, each by rising frequency (MVSNeRF).
    """
    scales = 2.0 ** torch.arange(frequencies, device=values.device)
    angles = values[..., None, :] * scales[:, None]
    waves = torch.stack([angles.sin(), angles.cos()], dim=-3 if sines_first else -2)
    return torch.cat([values, waves.flatten(start_dim=-3)], dim=-1)
