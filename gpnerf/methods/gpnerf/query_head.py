"""Classes and instances together: the U-Net head with queries, and one segment for every pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gpnerf.datasets.labels import IGNORE
from gpnerf.methods.gpnerf.perception_head import UNetHead, to_pixels
from gpnerf.methods.gpnerf.query_decoder import QueryDecoder, Segments
from gpnerf.methods.gpnerf.settings import Sizes
from gpnerf.methods.method import Labels

# A segment that wins less than this share of its own mask is one that another query has found too.
SMALLEST_SHARE = 0.5
INSIDE = 0.5


class QueryHead(UNetHead):
    """The U-Net head, which classifies cells, and queries, which find the segments of its feature map."""

    def __init__(self, sizes: Sizes) -> None:
        unet = sizes.head_combination, sizes.head_norm, sizes.head_shortcut
        super().__init__(sizes.level_width, sizes.classes, *unet)
        shape = sizes.queries, sizes.query_layers, sizes.level_width, sizes.heads, sizes.classes
        self.queries = QueryDecoder(*shape)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """The parameters of the U-Net and those of the queries."""
        unet = [one for name, one in self.named_parameters() if not name.startswith("queries.")]
        return {"head": unet, "queries": list(self.queries.parameters())}

    def find(self, features: Tensor) -> tuple[Tensor, list[Segments]]:
        """A feature map [D, h, w] -> logits of its cells [K, h, w], and the segments after every layer."""
        rows, columns = features.shape[1:]
        levels = [level[0] for level in self.decode(features[None])]
        logits = self.logits(features, levels[-1])
        found = self.queries(levels, logits)
        cut = [one._replace(masks=one.masks[:, :rows, :columns]) for one in found]
        return logits[:, :rows, :columns].float(), cut


def panoptic_labels(found: Segments, height: int, width: int) -> Labels:
    """Gives every pixel to one segment: its class, the number of its query, and the probability of both.

    A pixel belongs to the query with the largest product of the probabilities of class and mask, among those
    that are more likely an object than none. A query that wins less than half of its own mask is left out.
    All pixels are IGNORE if there is no segment.
    """
    masks = to_pixels(found.masks[None], height, width)[0].sigmoid()
    chances = found.classes.softmax(dim=1)
    likeliest, classes = chances[:, :-1].max(dim=1)
    scores = likeliest[:, None, None] * masks
    kept = likeliest > chances[:, -1]
    won = _winners(scores, kept).flatten().bincount(minlength=len(kept))
    kept = kept & (won > SMALLEST_SHARE * (masks > INSIDE).sum(dim=(1, 2)))
    winners = _winners(scores, kept)
    nothing = ~kept.any()
    labels, instances = (one.masked_fill(nothing, IGNORE) for one in (classes[winners], winners))
    return Labels(labels, scores.gather(0, winners[None])[0], instances)


def _winners(scores: Tensor, kept: Tensor) -> Tensor:
    """The query with the highest score [N, H, W] of each pixel, int64 [H, W], among those kept, bool [N]."""
    return torch.where(kept[:, None, None], scores, -1.0).argmax(dim=0)
