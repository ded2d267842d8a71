"""Label images of a scene, and their names in its transforms.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from gpnerf.datasets.files.records import read_json_object
from gpnerf.datasets.labels import IGNORE, LARGEST_ID
from gpnerf.datasets.transforms.files import named_files
from gpnerf.datasets.transforms.labels import DEFAULT_IGNORE_LABEL
from gpnerf.datasets.transforms.text import read_text
from gpnerf.media.images import write_image
from gpnerf.system.files import write_whole

# Folders that no other program writes to, so that true labels are never replaced.
FOLDERS = {"semantic": "semantic_predicted", "instance": "instance_predicted"}
# The instance id of pixels that belong to no object.
NO_OBJECT = 0


def ignore_label(num_classes: int) -> int:
    """The id for "no label" beside so many classes."""
    return DEFAULT_IGNORE_LABEL if num_classes <= DEFAULT_IGNORE_LABEL else LARGEST_ID


def write_labels(scene: Path, name: str, labels: Tensor, num_classes: int) -> str:
    """Writes labels [H, W], IGNORE for none, as the label image of a frame; returns its path in the scene."""
    ignore = ignore_label(num_classes)
    kind = np.uint8 if ignore == DEFAULT_IGNORE_LABEL else np.uint16
    return _write(scene, "semantic", name, np.where(labels == IGNORE, ignore, labels).astype(kind))


def write_instances(scene: Path, name: str, segments: Tensor) -> str:
    """Writes segments [H, W], NO_OBJECT for none, as the instance image of a frame; returns its path."""
    return _write(scene, "instance", name, segments.numpy().astype(np.uint16))


def _write(scene: Path, kind: str, name: str, pixels: np.ndarray) -> str:
    path = Path(FOLDERS[kind], f"{name}.png")
    write_image(scene / path, pixels)
    return path.as_posix()


def add_to_text(scene: Path, top: Mapping[str, Any], frames: Mapping[str, Mapping[str, str]]) -> None:
    """Adds keys to the text files of a scene: `top` at the top level, frames[image] to the frame of an image.

    image: path in the scene, with its extension.
    """
    text = read_text(scene)
    records = iter(text.frames)
    for file in text.files:
        values = read_json_object(scene / file)
        for frame in values["frames"]:
            image = named_files(scene, next(records).record, [])["image"]
            frame.update(frames.get(image, {}))
        entries = values.pop("frames")
        write_whole(scene / file, json.dumps({**values, **top, "frames": entries}, indent=1) + "\n")
