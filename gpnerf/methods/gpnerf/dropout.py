"""Dropout whose random numbers do not take longer than the products around it, on a CPU too."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

# An entry is kept if its 16 random bits, as a signed number, are not among the lowest.
LEVELS, LOWEST = 2**16, -(2**15)

# An operation of its own: to a compiler it is opaque, so that compiled code draws what uncompiled code draws,
# and is told never to repeat, merge or drop it.
torch.library.define(
    "gpnerf::kept",
    "(Tensor like, int dropped) -> Tensor",
    tags=(torch.Tag.nondeterministic_seeded, torch.Tag.pt2_compliant_tag),
)


@torch.library.impl("gpnerf::kept", "cpu")
def _kept(like: Tensor, dropped: int) -> Tensor:
    """bool, of the shape of `like`: False with probability dropped / LEVELS."""
    count = like.numel()
    # One number serves four entries. PyTorch's generator, which takes twice as long, only gives the seed.
    numbers = np.random.SFC64(torch.randint(2**63 - 1, ()).item()).random_raw(-(-count // 4))
    bits = torch.from_numpy(numbers.view(np.int16))[:count]
    return (bits >= LOWEST + dropped).view(like.shape)


@torch.library.register_fake("gpnerf::kept")
def _(like: Tensor, dropped: int) -> Tensor:
    return like.new_empty(like.shape, dtype=torch.bool)


class Dropout(nn.Module):
    """Zero with probability p, else divided by 1 - p, in training; nn.Dropout to all but the clock.

    On a CPU nn.Dropout draws a number of its own for every entry, compiled or not: a fifth of a training step
    of the published size. Here 16 bits do, to which p is rounded.
    """

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training or self.p == 0 or inputs.device.type != "cpu":
            return F.dropout(inputs, self.p, self.training)
        dropped = min(round(self.p * LEVELS), LEVELS - 1)
        kept = torch.ops.gpnerf.kept(inputs, dropped)
        return torch.where(kept, inputs * (LEVELS / (LEVELS - dropped)), 0.0)
