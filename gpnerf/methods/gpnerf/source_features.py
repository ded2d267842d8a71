"""What GP-NeRF keeps of source views: computed once, cut out for every ray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class SourceFeatures:
    """What is computed once per source view; of V views, all maps channels last.

    images [V, H, W, 3]; colors [V, h, w, F]; semantics [V, h, w, D] or None, laid out by group_channels;
    masks bool [V, H, W], pixels that may be looked up, None for all.
    """

    images: Tensor
    colors: Tensor
    semantics: Tensor | None
    masks: Tensor | None = None

    @staticmethod
    def join(parts: Sequence[SourceFeatures]) -> SourceFeatures:
        """The views of all parts, which have semantics or have none; images are normalised one by one."""
        masks = [part.masks for part in parts]
        if any(mask is not None for mask in masks):
            everything = torch.ones_like(parts[0].images[..., 0], dtype=torch.bool)
            masks = [everything if mask is None else mask for mask in masks]
        optional = [part.semantics for part in parts], masks
        return SourceFeatures(
            torch.cat([part.images for part in parts]),
            torch.cat([part.colors for part in parts]),
            *(None if one[0] is None else torch.cat(one) for one in optional),
        )
