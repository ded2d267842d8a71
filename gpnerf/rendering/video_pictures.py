"""What a video shows of a rendered view: a picture for each mode, or all of them side by side."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gpnerf.datasets.instances import are_objects
from gpnerf.datasets.labels import class_colors
from gpnerf.media.visualize import FeaturePCA, colors, depth_map, depth_range, grid, label_map, legend
from gpnerf.rendering.panels import objects
from gpnerf.rendering.view import RenderedView
from gpnerf.system.errors import ConfigError
from gpnerf.system.files import write_whole

MODES = COLOR, DEPTH, LABELS, INSTANCES, FEATURES = ("color", "depth", "labels", "instances", "features")
CAPTIONS = {COLOR: "colour", FEATURES: "semantic features (PCA)"}
# Pictures in a row of a panel.
ROW = 2
# Later frames of a video may see nearer and farther surfaces than the first, by this factor.
DEPTH_MARGIN = 1.3


@dataclass(frozen=True)
class Look:
    """The colour scales that all frames of a video share: the depth range and the PCA of the features."""

    near: float
    far: float
    features: FeaturePCA | None

    @staticmethod
    def fit(view: RenderedView) -> Look:
        """Fits the scales to the first frame, with a margin around its depths."""
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


def chosen_modes(
    wanted: Sequence[str], class_names: tuple[str, ...], panoptic: bool = False
) -> tuple[str, ...]:
    """The modes of MODES to show, all that a model with these classes has if none are wanted.

    panoptic: it finds instances besides classes. Raises ConfigError for a mode that it lacks.
    """
    labels = (LABELS, INSTANCES) if panoptic else (INSTANCES if are_objects(class_names) else LABELS,)
    known = (COLOR, DEPTH, *((*labels, FEATURES) if class_names else ()))
    missing = [mode for mode in wanted if mode not in known]
    if missing:
        raise ConfigError(
            f"--modes: expected some of {','.join(known)}, which this model renders, found "
            f"{','.join(missing)}; leave it out, or choose another model."
        )
    return tuple(wanted) or known


def mode_picture(mode: str, view: RenderedView, look: Look, class_names: tuple[str, ...]) -> np.ndarray:
    """The picture of a mode, uint8 RGB; features have the size of the label map."""
    if mode == COLOR:
        return colors(view.color)
    if mode == DEPTH:
        return depth_map(view.depth, look.near, look.far)
    if mode == FEATURES:
        return look.features(view.features)
    if mode == INSTANCES and view.instances is not None:
        return objects(view.instances)
    return label_map(view.labels, class_colors(class_names))


def panel(pictures: dict[str, np.ndarray], class_names: tuple[str, ...]) -> np.ndarray:
    """The pictures of some modes side by side, with captions and, below labels, a legend of all classes."""
    modes = list(pictures)
    rows = [modes[start : start + ROW] for start in range(0, len(modes), ROW)]
    captions = [[CAPTIONS.get(mode, mode) for mode in row] for row in rows]
    picture = grid([[pictures[mode] for mode in row] for row in rows], captions)
    # Colours of objects stand for no class.
    if LABELS not in pictures and not (INSTANCES in pictures and are_objects(class_names)):
        return picture
    return np.vstack([picture, legend(class_names, class_colors(class_names), picture.shape[1])])
