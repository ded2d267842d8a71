"""The features of source views: computed once, interpolated for every ray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class SourceFeatures:
    """Features of V source views, channels last.

    images: [V, H, W, 3]. colors: [V, h, w, F]. semantics: [V, h, w, D] in the layout of group_channels, or
    None. masks: bool [V, H, W], True for pixels that may be used; None uses all.
    """

    images: Tensor
    colors: Tensor
    semantics: Tensor | None
    masks: Tensor | None = None

    @staticmethod
    def join(parts: Sequence[SourceFeatures]) -> SourceFeatures:
        """Joins views; either all parts have semantics or none has.

        This equals encoding all views at once, because instance norm treats every image by itself.
        """
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
