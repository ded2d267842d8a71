"""What the page shows of a rendering: a picture for each mode, without the classes that are hidden."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch

from gpnerf.media.visualize import share_map, without_masked
from gpnerf.rendering.video_pictures import Look, chosen_modes, mode_picture
from gpnerf.rendering.view import RenderedView

CONFIDENCE = "confidence"


def modes_of(class_names: tuple[str, ...], panoptic: bool = False) -> tuple[str, ...]:
    """The modes of a model with these classes, of which it may have none.

    panoptic: it finds instances besides classes.
    """
    return (*chosen_modes((), class_names, panoptic), *((CONFIDENCE,) if class_names else ()))


@dataclass(frozen=True)
class Painter:
    """The colours of a model and a scene: the same for all clients and frames.

    panoptic: whether the model finds instances besides classes.
    """

    class_names: tuple[str, ...]
    look: Look
    panoptic: bool = False

    @property
    def modes(self) -> tuple[str, ...]:
        """What can be shown."""
        return modes_of(self.class_names, self.panoptic)

    def picture(self, view: RenderedView, mode: str, hidden: Collection[int] = ()) -> np.ndarray:
        """The picture of a mode, uint8 RGB [H, W, 3]; dark grey where the class is one of `hidden`."""
        if mode == CONFIDENCE:
            picture = share_map(view.confidence)
        else:
            picture = _enlarged(mode_picture(mode, view, self.look, self.class_names), *view.depth.shape)
        if view.labels is None or not hidden:
            return picture
        return without_masked(picture, ~torch.isin(view.labels, torch.tensor(sorted(hidden))))


def _enlarged(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Repeats the pixels of every n-th row and column of an image of height x width."""
    stride = -(-height // picture.shape[0])
    return picture.repeat(stride, axis=0).repeat(stride, axis=1)[:height, :width]
