"""What the page shows of a rendering: a picture for each mode, without the classes that are hidden."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch

from gpnerf.datasets.instances import are_objects
from gpnerf.datasets.labels import class_colors
from gpnerf.media.visualize import colors, depth_map, label_map, share_map, without_masked
from gpnerf.rendering.panels import Look
from gpnerf.rendering.view import RenderedView

MODES = COLOR, DEPTH, LABELS, INSTANCES, FEATURES, CONFIDENCE = (
    "colour",
    "depth",
    "labels",
    "instances",
    "features",
    "confidence",
)


def modes_of(class_names: tuple[str, ...]) -> tuple[str, ...]:
    """The modes of a model with these classes, of which it may have none."""
    if not class_names:
        return COLOR, DEPTH
    return COLOR, DEPTH, INSTANCES if are_objects(class_names) else LABELS, FEATURES, CONFIDENCE


@dataclass(frozen=True)
class Painter:
    """The colours of a model and a scene: the same for all clients and frames."""

    class_names: tuple[str, ...]
    look: Look

    def picture(self, view: RenderedView, mode: str, hidden: Collection[int] = ()) -> np.ndarray:
        """The picture of a mode, uint8 RGB [H, W, 3]; dark grey where the class is one of `hidden`."""
        picture = self._of(view, mode)
        if view.labels is None or not hidden:
            return picture
        shown = ~torch.isin(view.labels, torch.tensor(sorted(hidden)))
        return without_masked(picture, shown)

    def _of(self, view: RenderedView, mode: str) -> np.ndarray:
        if mode == COLOR:
            return colors(view.color)
        if mode == DEPTH:
            return depth_map(view.depth, self.look.near, self.look.far)
        if mode == FEATURES:
            return _enlarged(self.look.features(view.features), *view.depth.shape)
        if mode == CONFIDENCE:
            return share_map(view.confidence)
        return label_map(view.labels, class_colors(self.class_names))


def _enlarged(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Repeats the pixels of every n-th row and column of an image of height x width."""
    stride = -(-height // picture.shape[0])
    return picture.repeat(stride, axis=0).repeat(stride, axis=1)[:height, :width]
