"""Labels of the photographs of a scene: from a model's probabilities to label images and their record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from gpnerf.datasets.index.scene_index import SceneIndex
from gpnerf.datasets.labels import IGNORE
from gpnerf.datasets.pixels.stored_view import StoredView
from gpnerf.preparation.labels.classes import Classes, labels_of
from gpnerf.preparation.labels.scene_text import (
    NO_OBJECT,
    add_to_text,
    ignore_label,
    write_instances,
    write_labels,
)
from gpnerf.preparation.labels.segmenter import Segmenter


@dataclass(frozen=True)
class Labeller:
    """A model that labels photographs in the classes of a scene.

    confidence: probability, from 0 to 1, below which a pixel is unlabelled.
    """

    segmenter: Segmenter
    classes: Classes
    confidence: float

    def __call__(self, image: np.ndarray, with_segments: bool = False) -> tuple[Tensor, Tensor | None]:
        """Labels a photograph, uint8 [H, W, 3].

        Returns labels int64 [H, W], IGNORE where unlabelled, and segments int64 [H, W], NO_OBJECT where
        unlabelled, or None.
        """
        found = self.segmenter(image, with_segments)
        # Fewer channels than the model has are enlarged, as a photograph may have many pixels.
        grouped = self.classes.grouped(found.probabilities)[None]
        grouped = F.interpolate(grouped, image.shape[:2], mode="bilinear", align_corners=False)
        labels = labels_of(grouped[0], self.confidence).cpu()
        if found.segments is None:
            return labels, None
        return labels, torch.where(labels == IGNORE, NO_OBJECT, found.segments)


def photographs(folder: Path, index: SceneIndex) -> Iterator[tuple[int, np.ndarray]]:
    """Yields the position of each frame and its photograph as stored, uint8 [H, W, 3]; shows the progress."""
    for number in tqdm(range(len(index)), desc="labelling", unit="view"):
        yield number, StoredView(folder, index, number, border=0).photograph()


def label_scene(
    folder: Path, index: SceneIndex, labeller: Labeller, with_instances: bool, made_by: str
) -> float:
    """Writes the label images of all photographs and names them in transforms.json, which is written last.

    made_by: the record of the model. Returns the share of the pixels that have a label.
    """
    names, frames = labeller.classes.names, {}
    labelled = pixels = 0
    for number, image in photographs(folder, index):
        labels, segments = labeller(image, with_instances)
        written = {"semantic_path": write_labels(folder, index.names[number], labels, len(names))}
        if segments is not None:
            written["instance_path"] = write_instances(folder, index.names[number], segments)
        frames[index.files["image"][number]] = written
        labelled, pixels = labelled + int((labels != IGNORE).sum()), pixels + labels.numel()
    top = {"semantic_classes": list(names), "ignore_label": ignore_label(len(names))}
    top |= {"no_object_id": NO_OBJECT} if with_instances else {}
    add_to_text(folder, {**top, "labels_made_by": made_by}, frames)
    return labelled / pixels
