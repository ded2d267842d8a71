"""Pictures of a rendered view and of the truth, and panels that put them side by side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from gpnerf.datasets.instances import are_slots
from gpnerf.datasets.labels import class_colors, palette
from gpnerf.datasets.scene import Frame
from gpnerf.media.visualize import (
    FeaturePCA,
    colors,
    depth_map,
    depth_range,
    error_map,
    grid,
    label_map,
    legend,
    without_masked,
)
from gpnerf.metrics.instance import in_slots
from gpnerf.rendering.view import RenderedView

# The pictures of a view in the order of display: key, which also names the file -> caption.
CAPTIONS = {
    "photograph": "photograph",
    "rendered": "rendered",
    "labels": "labels",
    "rendered_labels": "rendered labels",
    "instances": "objects",
    "rendered_instances": "rendered objects",
    "true_depth": "true depth",
    "rendered_depth": "rendered depth",
    "color_error": "colour error",
    "features": "rendered features (PCA)",
}
# The two rows of a panel.
UPPER = ("photograph", "labels", "instances", "true_depth", "color_error")
LOWER = ("rendered", "rendered_labels", "rendered_instances", "rendered_depth", "features")


def with_matched_labels(view: RenderedView, truth: Frame, class_names: tuple[str, ...]) -> Frame:
    """The truth, whose objects have the labels or ids that the view gives them, unless ids are fixed."""
    if truth.instance is None:
        return truth
    if view.instances is not None:
        ids = int(max(view.instances.max(), truth.instance.unique().numel())) + 1
        return replace(truth, instance=in_slots(view.instances, view.confidence, truth.instance, ids))
    if view.labels is None or not are_slots(class_names):
        return truth
    labels = in_slots(view.labels, view.confidence, truth.instance, len(class_names))
    return replace(truth, semantic=labels)


def view_pictures(view: RenderedView, truth: Frame, class_names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The pictures of a view, uint8 RGB [H, W, 3] by the keys of CAPTIONS.

    truth: at the rendered pixels. A picture is left out where the data or the model lacks its content.
    """
    table = class_colors(class_names)
    pictures = {"photograph": without_masked(colors(truth.image), truth.mask)}
    if view.color is not None:
        pictures |= _color_pictures(view.color, truth)
    if view.depth is not None:
        pictures |= _depth_pictures(view.depth, truth.depth)
    if view.labels is not None:
        if truth.semantic is not None:
            pictures["labels"] = label_map(truth.semantic, table)
        pictures["rendered_labels"] = label_map(view.labels, table)
    if view.instances is not None:
        pictures["rendered_instances"] = objects(view.instances)
        if truth.instance is not None:
            pictures["instances"] = objects(truth.instance)
    if view.features is not None:
        pictures["features"] = FeaturePCA.fit(view.features)(view.features)
    return pictures


def _color_pictures(color: Tensor, truth: Frame) -> dict[str, np.ndarray]:
    compared = color if truth.mask is None else torch.where(truth.mask, color, truth.image)
    return {"rendered": colors(color), "color_error": error_map(compared, truth.image)}


def _depth_pictures(depth: Tensor, truth: Tensor | None) -> dict[str, np.ndarray]:
    limits = depth_range(depth if truth is None else truth)
    pictures = {"rendered_depth": depth_map(depth, *limits)}
    return pictures if truth is None else pictures | {"true_depth": depth_map(truth, *limits)}


def comparison_panel(
    pictures: dict[str, np.ndarray], view: RenderedView, truth: Frame, class_names: tuple[str, ...]
) -> np.ndarray:
    """Puts the truth above the rendering (colour, labels, depth), and the colour error above the features.

    pictures: from `view_pictures`. Returns uint8 RGB [H', W', 3] with a legend of the classes that occur.
    """
    columns = list(zip(UPPER, LOWER, strict=True))
    # Full columns come first, so that the truth stands above its rendering.
    columns.sort(key=lambda column: not all(key in pictures for key in column))
    rows = [[key for key in row if key in pictures] for row in zip(*columns, strict=True)]
    captions = [[CAPTIONS[key] for key in row] for row in rows]
    picture = grid([[pictures[key] for key in row] for row in rows], captions)
    if "rendered_labels" not in pictures:
        return picture
    table = class_colors(class_names)
    shown = [labels for labels in (truth.semantic, view.labels) if labels is not None]
    present = np.unique(torch.stack(shown))
    present = present[present >= 0]
    return np.vstack([picture, legend([class_names[k] for k in present], table[present], picture.shape[1])])


def objects(ids: Tensor) -> np.ndarray:
    """Instance ids [H, W] as colours, which stand for no class."""
    return label_map(ids, palette(int(ids.max()) + 1))
