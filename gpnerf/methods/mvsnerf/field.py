"""The MLP of MVSNeRF: where samples lie in the volume and what they read -> colour, density, logits."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gpnerf.networks.encoding import encoding_width, frequency_encoding
from gpnerf.networks.extractor import COLORS
from gpnerf.networks.neuray.layers import start_small
from gpnerf.networks.radiance_mlp import PointValues, SemanticBranch, half_of

DIRECTION = 3


class VolumeField(nn.Module):
    """A trunk of linear layers on the position, each multiplied by a layer of the features (v0, as released).

    The encoded position joins again before the last layer of the trunk. The colour also depends on the
    direction.
    """

    def __init__(self, width: int, layers: int, frequencies: int, features: int, outputs: int) -> None:
        """features: what a sample reads. outputs: number of logits; 0 for no label branch."""
        super().__init__()
        self.frequencies = frequencies
        place, half = encoding_width(frequencies), half_of(width)
        inputs = [place, *[width] * (layers - 2), width + place]
        self.trunk = nn.ModuleList(nn.Linear(one, width) for one in inputs)
        self.scale = nn.Linear(features, width)
        self.density = nn.Linear(width, 1)
        self.feature = nn.Linear(width, width)
        self.color = nn.Sequential(nn.Linear(width + DIRECTION, half), nn.ReLU(), nn.Linear(half, COLORS))
        self.labels = SemanticBranch(width, outputs) if outputs else None
        start_small(nn.Sequential(*self.trunk, self.density, self.feature, *self.color, *(self.labels or ())))

    def forward(
        self, places: Tensor, features: Tensor, directions: Tensor, labels: bool = False
    ) -> PointValues:
        """Samples of R rays -> their raw values.

        places: [R, S, 3], coordinates in the volume. features: [R, S, F]. directions: [R, 3], unit vectors in
        the axes of the first source view.
        """
        place = frequency_encoding(places, self.frequencies, sines_first=True)
        scale, hidden = self.scale(features), place
        for layer in self.trunk[:-1]:
            hidden = (layer(hidden) * scale).relu()
        hidden = (self.trunk[-1](torch.cat([place, hidden], dim=-1)) * scale).relu()
        toward = directions[:, None].expand(-1, places.shape[1], -1)
        color = self.color(torch.cat([self.feature(hidden), toward], dim=-1))
        found = self.labels(hidden).float() if labels else None
        return PointValues(color.float(), self.density(hidden)[..., 0].float(), found)
