"""Pictures of a rendered view beside the truth: for TensorBoard, evaluation and the README."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gpnerf.datasets.labels import class_colors
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
from gpnerf.rendering.view import RenderedView
from gpnerf.system.files import write_whole

DEPTH_MARGIN = 1.3
# What stands above what where both are there.
UPPER = ("photograph", "labels", "true depth", "colour error")
LOWER = ("rendered", "rendered labels", "rendered depth", "features")
# Their order where they are shown one by one.
PICTURES = tuple(name for pair in zip(UPPER, LOWER, strict=True) for name in pair)


def pictures(view: RenderedView, truth: Frame, class_names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Everything that can be shown of a view, uint8 RGB [H, W, 3] by name.

    truth: at the rendered pixels. What the data or the model lack is left out.
    """
    near, far = depth_range(view.depth if truth.depth is None else truth.depth)
    table = class_colors(class_names)
    compared = view.color if truth.mask is None else torch.where(truth.mask, view.color, truth.image)
    shown = {
        "photograph": without_masked(colors(truth.image), truth.mask),
        "rendered": colors(view.color),
        "colour error": error_map(compared, truth.image),
        "rendered depth": depth_map(view.depth, near, far),
    }
    if truth.depth is not None:
        shown["true depth"] = depth_map(truth.depth, near, far)
    if view.labels is not None and truth.semantic is not None:
        shown["labels"] = label_map(truth.semantic, table)
        shown["rendered labels"] = label_map(view.labels, table)
    if view.features is not None:
        shown["features"] = FeaturePCA.fit(view.features)(view.features)
    return shown


def compare(
    shown: dict[str, np.ndarray], view: RenderedView, truth: Frame, class_names: tuple[str, ...]
) -> np.ndarray:
    """Truth above rendering: colour, labels, depth; then the colour error above the features' PCA.

    shown: by `pictures`. Returns uint8 RGB [H', W', 3] with a legend of the classes that occur.
    """
    rows = [[name for name in row if name in shown] for row in (UPPER, LOWER)]
    captions = [["rendered features (PCA)" if name == "features" else name for name in row] for row in rows]
    picture = grid([[shown[name] for name in row] for row in rows], captions)
    if "labels" not in shown:
        return picture
    table = class_colors(class_names)
    present = np.unique(torch.stack([truth.semantic, view.labels]))
    present = present[present >= 0]
    return np.vstack([picture, legend([class_names[k] for k in present], table[present], picture.shape[1])])


@dataclass(frozen=True)
class Look:
    """What must not change between the frames of a video: the depth range and the colours of features."""

    near: float
    far: float
    features: FeaturePCA | None

    @staticmethod
    def fit(view: RenderedView) -> Look:
        """From the first frame; later ones may see what is somewhat nearer or farther."""
        near, far = depth_range(view.depth)
        pca = None if view.features is None else FeaturePCA.fit(view.features)
        return Look(near / DEPTH_MARGIN, far * DEPTH_MARGIN, pca)

    def save(self, path: Path) -> None:
        content = {"near": self.near, "far": self.far, "features": self.features and vars(self.features)}
        data = io.BytesIO()
        torch.save(content, data)
        write_whole(path, data.getvalue())

    @staticmethod
    def load(path: Path) -> Look:
        content = torch.load(path, weights_only=True)
        pca = FeaturePCA(**content["features"]) if content["features"] else None
        return Look(content["near"], content["far"], pca)


def video_panel(view: RenderedView, look: Look, class_names: tuple[str, ...]) -> np.ndarray:
    """One frame of a video: colour and depth above labels and features, with the legend of all classes."""
    rows = [[colors(view.color), depth_map(view.depth, look.near, look.far)]]
    captions = [["colour", "depth"]]
    if view.labels is None:
        return grid(rows, captions)
    table = class_colors(class_names)
    rows.append([label_map(view.labels, table), look.features(view.features)])
    captions.append(["labels", "semantic features (PCA)"])
    picture = grid(rows, captions)
    return np.vstack([picture, legend(class_names, table, picture.shape[1])])
