"""The two convolutional networks of MVSNeRF: photographs -> features, cost volume -> feature volume.

As released, norms use the statistics of what they see, in training and test alike: the three photographs, or
the one volume.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from gpnerf.networks.extractor import COLORS

# Pixels of a photograph per feature, in both directions.
STRIDE = 4
# The sides of a volume are multiples of what its network divides them by. The norm of the deepest layer needs
# two values, which two steps of planes have in the smallest photograph.
STEP = 8
FEWEST_PLANES = 2 * STEP

_norm_2d = partial(nn.BatchNorm2d, track_running_stats=False)
_norm_3d = partial(nn.BatchNorm3d, track_running_stats=False)


class FeatureNetwork(nn.Sequential):
    """Normalised photographs [V, 3, H, W] -> features [V, 4 width, H/4, W/4], both sides rounded up."""

    def __init__(self, width: int) -> None:
        super().__init__(
            _unit_2d(COLORS, width),
            _unit_2d(width, width),
            _halving_2d(width, 2 * width),
            _unit_2d(2 * width, 2 * width),
            _unit_2d(2 * width, 2 * width),
            _halving_2d(2 * width, 4 * width),
            _unit_2d(4 * width, 4 * width),
            _unit_2d(4 * width, 4 * width),
            nn.Conv2d(4 * width, 4 * width, 1),
        )


class VolumeNetwork(nn.Module):
    """A U-net over the volume: [N, inputs, D, h, w] -> [N, width, D, h, w], all sides multiples of STEP."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.enter = _unit_3d(inputs, width)
        pairs = [(width, 2 * width), (2 * width, 4 * width), (4 * width, 8 * width)]
        self.down = nn.ModuleList(
            nn.Sequential(_unit_3d(near, deep, stride=2), _unit_3d(deep, deep)) for near, deep in pairs
        )
        self.up = nn.ModuleList(_doubling_3d(deep, near) for near, deep in reversed(pairs))

    def forward(self, cost: Tensor) -> Tensor:
        levels = [self.enter(cost)]
        for halve in self.down:
            levels.append(halve(levels[-1]))
        found = levels.pop()
        for double, skip in zip(self.up, reversed(levels), strict=True):
            found = skip + double(found)
        return found


def _unit_2d(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), _norm_2d(outputs), nn.LeakyReLU()
    )


def _halving_2d(inputs: int, outputs: int) -> nn.Sequential:
    layer = nn.Conv2d(inputs, outputs, 5, stride=2, padding=2, bias=False)
    return nn.Sequential(layer, _norm_2d(outputs), nn.LeakyReLU())


def _unit_3d(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    layer = nn.Conv3d(inputs, outputs, 3, stride, padding=1, bias=False)
    return nn.Sequential(layer, _norm_3d(outputs), nn.LeakyReLU())


def _doubling_3d(inputs: int, outputs: int) -> nn.Sequential:
    layer = nn.ConvTranspose3d(inputs, outputs, 3, stride=2, padding=1, output_padding=1, bias=False)
    return nn.Sequential(layer, _norm_3d(outputs), nn.LeakyReLU())
