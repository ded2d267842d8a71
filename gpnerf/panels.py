"""Pictures of a rendered view beside the truth: for TensorBoard, evaluation and the README."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gpnerf.datasets.labels import palette
from gpnerf.datasets.scene import Frame
from gpnerf.rendering import RenderedView
from gpnerf.visualize import FeaturePCA, colors, depth_map, depth_range, error_map, grid, label_map, legend


def compare(view: RenderedView, truth: Frame, class_names: tuple[str, ...]) -> np.ndarray:
    """Truth above prediction: colour, depth, labels and, below, the colour error and feature PCA.

    Returns uint8 RGB [H', W', 3]. Maps that the data or the model lack are left out.
    """
    near, far = depth_range(view.depth if truth.depth is None else truth.depth)
    upper, upper_names = [colors(truth.image)], ["photograph"]
    lower, lower_names = [colors(view.color)], ["rendered"]
    if truth.depth is not None:
        upper.append(depth_map(truth.depth, near, far))
        upper_names.append("depth sensor")
    else:
        upper.append(error_map(view.color, truth.image))
        upper_names.append("colour error")
    lower.append(depth_map(view.depth, near, far))
    lower_names.append("rendered depth")
    if view.labels is None:
        return grid([upper, lower], [upper_names, lower_names])
    table = palette(len(class_names))
    if truth.semantic is not None:
        upper.append(label_map(truth.semantic, table))
        upper_names.append("labels")
        lower.append(label_map(view.labels, table))
        lower_names.append("rendered labels")
    upper.append(error_map(view.color, truth.image))
    upper_names.append("colour error")
    lower.append(FeaturePCA.fit(view.features)(view.features))
    lower_names.append("rendered features (PCA)")
    picture = grid([upper, lower], [upper_names, lower_names])
    present = np.unique(view.labels if truth.semantic is None else truth.semantic)
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
        pca = None if view.features is None else FeaturePCA.fit(view.features)
        return Look(*depth_range(view.depth), pca)

    def save(self, path: Path) -> None:
        torch.save(
            {"near": self.near, "far": self.far, "features": self.features and vars(self.features)}, path
        )

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
    table = palette(len(class_names))
    rows.append([label_map(view.labels, table), look.features(view.features)])
    captions.append(["labels", "semantic features (PCA)"])
    picture = grid(rows, captions)
    return np.vstack([picture, legend(class_names, table, picture.shape[1])])
