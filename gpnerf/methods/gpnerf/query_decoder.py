"""A decoder of queries, each of which finds one segment: its class and its mask (mask classification).

The queries attend to the levels of the U-Net, in turn coarse to fine, and only where the mask that they have
found so far lies, as in Mask2Former (Cheng et al., CVPR 2022). A mask is the product of a query and the
embeddings of the cells. The class of a mask also counts what the head says about its cells, so that weights
which know classes already need to learn masks alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gpnerf.networks.encoding import encoding_width, frequency_encoding

# Levels of the U-Net to which the queries attend; the finest one alone gives the masks.
ATTENDED = 3
FREQUENCIES = 4
COORDINATES = 2
# Widths of the hidden layers, in widths of a query.
FEED_FORWARD, EMBEDDING = 4, 2
SMALLEST_AREA = 1e-6


class Segments(NamedTuple):
    """The segments of N queries.

    classes: logits [N, K + 1], the last one of "no object". masks: logits [N, h, w] of the cells.
    """

    classes: Tensor
    masks: Tensor


class QueryDecoder(nn.Module):
    """N learned queries -> their segments, after no layer, after the first one, and so on."""

    def __init__(self, queries: int, layers: int, width: int, heads: int, classes: int) -> None:
        """width: channels of a level of the U-Net and of a query."""
        super().__init__()
        place = encoding_width(FREQUENCIES, COORDINATES)
        self.content = nn.Parameter(torch.randn(queries, width))
        self.place = nn.Parameter(torch.randn(queries, width))
        self.layers = nn.ModuleList(QueryLayer(width, heads) for _ in range(layers))
        self.project = nn.ModuleList(nn.Linear(width, width) for _ in range(ATTENDED))
        self.locate = nn.Linear(place, width)
        self.embed = _two_layers(width + place, EMBEDDING * width, width)
        self.norm = nn.LayerNorm(width)
        self.classify = nn.Linear(width, classes + 1)
        # The last value is the bias of the mask.
        self.mask = _two_layers(width, width, width + 1)

    def forward(self, levels: Sequence[Tensor], logits: Tensor) -> list[Segments]:
        """levels: of the U-Net, [P, .., ..] each, coarse to fine. logits: of the finest cells, [K, h, w]."""
        finest = levels[-1]
        cells = self.embed(torch.cat([_flat(finest), _places(finest)], dim=1))
        cells, known = cells.T.view(-1, *finest.shape[1:]), logits.log_softmax(dim=0)
        queries, found = self.content, [self._segments(self.content, cells, known)]
        for number, layer in enumerate(self.layers):
            level = levels[number % ATTENDED]
            values = self.project[number % ATTENDED](_flat(level))
            keys = values + self.locate(_places(level))
            outside = _outside(found[-1].masks.detach(), level)
            queries = layer(queries, self.place, keys, values, outside)
            found.append(self._segments(queries, cells, known))
        return found

    def _segments(self, queries: Tensor, cells: Tensor, known: Tensor) -> Segments:
        """queries [N, W], embeddings of the cells [W, h, w], log-probabilities of their classes [K, h, w]."""
        queries = self.norm(queries)
        weights, bias = self.mask(queries).split([len(cells), 1], dim=1)
        masks = torch.einsum("nw,whv->nhv", weights, cells) / math.sqrt(len(cells)) + bias[..., None]
        inside = masks.detach().sigmoid()
        area = inside.sum(dim=(1, 2)).clamp(min=SMALLEST_AREA)
        evidence = torch.einsum("nhv,khv->nk", inside, known) / area[:, None]
        return Segments((self.classify(queries) + F.pad(evidence, (0, 1))).float(), masks.float())


class QueryLayer(nn.Module):
    """Attention of the queries to cells, then to each other, and a feed-forward network."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.look, self.compare = (nn.MultiheadAttention(width, heads) for _ in range(2))
        self.feed_forward = _two_layers(width, FEED_FORWARD * width, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))

    def forward(
        self, queries: Tensor, place: Tensor, keys: Tensor, values: Tensor, outside: Tensor
    ) -> Tensor:
        """queries, place [N, W]; keys, values [M, W] of M cells; outside: bool [N, M], cells to leave out."""
        found, _ = self.look(queries + place, keys, values, attn_mask=outside, need_weights=False)
        queries = self.norms[0](queries + found)
        placed = queries + place
        found, _ = self.compare(placed, placed, queries, need_weights=False)
        queries = self.norms[1](queries + found)
        return self.norms[2](queries + self.feed_forward(queries))


def _two_layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def _flat(level: Tensor) -> Tensor:
    """[P, h, w] -> [h * w, P]."""
    return level.flatten(1).T


def _places(level: Tensor) -> Tensor:
    """The encoded places [h * w, E] of the cells of a level; the image extends from -1 to 1."""
    rows, columns = (torch.linspace(-1.0, 1.0, side, device=level.device) for side in level.shape[1:])
    return frequency_encoding(torch.cartesian_prod(rows, columns) * (math.pi / 2), FREQUENCIES)


def _outside(masks: Tensor, level: Tensor) -> Tensor:
    """Cells of a level outside the masks [N, h, w]: bool [N, cells]; none for a mask without any cell."""
    size = level.shape[1:]
    outside = F.interpolate(masks[None], size, mode="bilinear", align_corners=True)[0].flatten(1) < 0
    return outside & ~outside.all(dim=1, keepdim=True)
