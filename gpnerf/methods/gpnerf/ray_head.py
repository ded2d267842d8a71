"""Label rendering: the feature of a ray -> its logits, as the colour is read from the same feature."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RayHead(nn.Module):
    """An MLP with one hidden layer, as the semantic heads of Semantic-NeRF and Semantic-Ray have.

    It takes the place of the linear layer that reads the colour in Eq. 6. Every ray is classified by itself,
    without the context of the image.
    """

    def __init__(self, width: int, classes: int):
        super().__init__()
        self.hidden = nn.Linear(width, width)
        self.classify = nn.Linear(width, classes)

    def forward(self, features: Tensor) -> Tensor:
        """features [R, C] -> logits [R, K]."""
        return self.classify(torch.relu(self.hidden(features)))
