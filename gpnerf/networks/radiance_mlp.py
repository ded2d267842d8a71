"""The network of NeRF for one scene: points and directions -> colours, densities and labels.

Semantic-NeRF and DM-NeRF differ in three places: the unit of positions, the side on which the encoded
position joins again, and the label branch.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gpnerf.networks.encoding import encoding_width, frequency_encoding

COLORS = 3


class PointValues(NamedTuple):
    """Raw values of samples.

    color: [..., 3], before its sigmoid. density: [...], before its ReLU. labels: [..., K], None unless
    requested.
    """

    color: Tensor
    density: Tensor
    labels: Tensor | None = None


class SemanticBranch(nn.Sequential):
    """Features [..., C] -> logits [..., K]; their gradient reaches the features (Semantic-NeRF)."""

    def __init__(self, width: int, outputs: int) -> None:
        half = half_of(width)
        super().__init__(nn.Linear(width, half), nn.ReLU(), nn.Linear(half, outputs))


class InstanceBranch(nn.Sequential):
    """Features [..., C] -> raw scores [..., K]; their gradient stops here (DM-NeRF)."""

    def __init__(self, width: int, outputs: int) -> None:
        half = half_of(width)
        # As published, nothing stands between the first two layers.
        layers = nn.Linear(width, width), nn.Linear(width, half), nn.ReLU(), nn.Linear(half, outputs)
        super().__init__(*layers)

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features.detach())


class RadianceMLP(nn.Module):
    """A trunk of linear layers on the position, then the density; the colour also depends on the direction.

    The encoded position joins again behind the middle of the trunk, which a trunk of less than three layers
    does not have.
    """

    def __init__(
        self,
        width: int,
        layers: int,
        frequencies: int,
        direction_frequencies: int,
        position_scale: float = 1.0,
        position_first: bool = True,
        labels: nn.Module | None = None,
    ) -> None:
        """position_scale: positions are divided by it. position_first: the encoded position joins before the
        features, not behind them. labels: the label branch, [..., width] -> [..., K].
        """
        super().__init__()
        self.frequencies, self.direction_frequencies = frequencies, direction_frequencies
        self.position_scale, self.position_first = position_scale, position_first
        place, direction = encoding_width(frequencies), encoding_width(direction_frequencies)
        self.joining = layers // 2 + 1
        inputs = [width + place if layer == self.joining else width for layer in range(layers)]
        self.trunk = nn.ModuleList(nn.Linear(one, width) for one in [place, *inputs[1:]])
        self.density = nn.Linear(width, 1)
        self.feature = nn.Linear(width, width)
        half = half_of(width)
        self.color = nn.Sequential(nn.Linear(width + direction, half), nn.ReLU(), nn.Linear(half, COLORS))
        self.labels = labels

    def forward(self, points: Tensor, directions: Tensor, labels: bool = False) -> PointValues:
        """Points [R, S, 3] of rays with directions [R, 3] of any length -> their values."""
        place = frequency_encoding(points / self.position_scale, self.frequencies)
        toward = frequency_encoding(F.normalize(directions, dim=-1), self.direction_frequencies)
        return self.of_encoded(place, toward[:, None].expand(-1, points.shape[1], -1), labels)

    def of_encoded(self, place: Tensor, direction: Tensor, labels: bool = False) -> PointValues:
        """The same for encoded positions and directions [..., D]."""
        hidden = place
        for number, layer in enumerate(self.trunk):
            if number == self.joining:
                both = (place, hidden) if self.position_first else (hidden, place)
                hidden = torch.cat(both, dim=-1)
            hidden = layer(hidden).relu()
        color = self.color(torch.cat([self.feature(hidden), direction], dim=-1))
        found = self.labels(hidden).float() if labels else None
        return PointValues(color.float(), self.density(hidden)[..., 0].float(), found)


def half_of(width: int) -> int:
    """Half a number of channels, at least one."""
    return (width + 1) // 2
