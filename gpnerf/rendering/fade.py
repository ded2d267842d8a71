"""Fades from one set of source views to the next along a camera path, so that frames do not jump."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch

from gpnerf.methods.method import Method
from gpnerf.rendering.view import RenderedView

Sources = tuple[int, ...]

# Seconds over which one set of source views replaces another.
FADE_SECONDS = 0.25


def fade_half(fps: float) -> int:
    """Half the length of a fade in frames."""
    return round(FADE_SECONDS * fps / 2)


def fade_weights(chosen: Sequence[Sources], frame: int, half: int) -> dict[Sources, float]:
    """Sets of source views from which a frame is rendered -> their weights, which sum to 1.

    chosen: the set of every frame. A weight is the share of the frames from `frame - half` to `frame + half`
    that have the set, so that sets take turns over 2 `half` + 1 frames.
    """
    around = Counter(chosen[max(0, frame - half) : frame + half + 1])
    return {sources: count / around.total() for sources, count in around.items()}


@torch.no_grad()
def blend(model: Method, views: Sequence[RenderedView], weights: Sequence[float]) -> RenderedView:
    """The weighted mean of renderings of one camera; labels are those of the mean label map."""
    if len(views) == 1:
        return views[0]
    color, depth, features = (
        sum(weight * getattr(view, part) for weight, view in zip(weights, views, strict=True))
        if getattr(views[0], part) is not None
        else None
        for part in ("color", "depth", "features")
    )
    if features is None:
        return RenderedView(color, depth)
    labels = model.labels(features.to(model.device), *views[0].labels.shape).cpu()
    return RenderedView(color, depth, features, *labels)
