"""Rendered views on disk, as a scene in transforms.json: `--dataset transforms` reads them back."""

from __future__ import annotations

import io
import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gpnerf.datasets.instances import are_objects, named_objects
from gpnerf.datasets.labels import IGNORE
from gpnerf.datasets.pixels.maps import MILLIMETER
from gpnerf.geometry.cameras import OPENGL_TO_OPENCV, Camera
from gpnerf.media.images import read_image, read_values, write_image
from gpnerf.media.visualize import colors
from gpnerf.rendering.view import RenderedView
from gpnerf.rooms.exports.transforms import FILE_NAME, FOLDERS
from gpnerf.system.files import write_whole

# Kind of map -> key of a frame in transforms.json. The other maps are not part of a scene.
SEMANTIC, INSTANCE = "semantic", "instance"
KEYS = dict(zip(("image", "depth", SEMANTIC, INSTANCE), FOLDERS, strict=True))
CONFIDENCE, SPREAD, FEATURES = "confidence", "spread", "features"
# Largest number of a 16-bit map. In a depth map, it would mean that the depth is unknown.
LARGEST = np.iinfo(np.uint16).max
# Depths that millimetres in 16 bits hold with an error of at most 1 %.
IN_MILLIMETERS = 0.05, MILLIMETER * (LARGEST - 1)


class Maps(NamedTuple):
    """What the files of a view hold.

    color: uint8 [H, W, 3]. depth: float32 [H, W], the median z of each ray in the units of the poses. spread:
    float32 [H, W] in [0, 1], how unsure it is (see RenderedView). labels: int64 [H, W], IGNORE for none;
    confidence: float32 [H, W] in [0, 1], their probabilities; both None for a model without classes.
    """

    color: np.ndarray
    depth: Tensor
    spread: Tensor
    labels: Tensor | None
    confidence: Tensor | None


@dataclass(frozen=True)
class MapFolder:
    """The folder of the maps of a scene.

    near, far: depth range of the scene. class_names: of the model, empty for none. with_features: whether the
    views have files of features.
    """

    folder: Path
    near: float
    far: float
    class_names: tuple[str, ...] = ()
    with_features: bool = False

    @property
    def unit(self) -> float:
        """Depth of the number 1 in a depth map, in the units of the poses: 0.001, or another power of ten.

        It is another one if millimetres are too coarse or too fine for the depth range of the scene.
        """
        if IN_MILLIMETERS[0] <= self.near and self.far <= IN_MILLIMETERS[1]:
            return MILLIMETER
        return 10.0 ** math.ceil(math.log10(self.far / (LARGEST - 1)))

    @cached_property
    def ids(self) -> np.ndarray:
        """The number of each label in the files [K]: its class, or the id of its object."""
        objects = named_objects(self.class_names)
        return np.array([objects.get(label, label) for label in range(len(self.class_names))], np.int64)

    @property
    def label_kind(self) -> str:
        """The kind of map that holds the labels: "instance" for a model of objects, else "semantic"."""
        return INSTANCE if are_objects(self.class_names) else SEMANTIC

    @property
    def unlabelled(self) -> int:
        """The number that means "no label": the largest one of the files."""
        return np.iinfo(np.uint8 if self.ids.max(initial=0) < np.iinfo(np.uint8).max else np.uint16).max

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of files that each view has."""
        labels = (self.label_kind, CONFIDENCE) if self.class_names else ()
        return ("image", "depth", SPREAD, *labels, *((FEATURES,) if self.with_features else ()))

    def path(self, kind: str, name: str) -> Path:
        """The file of a view."""
        return self.folder / self._relative(kind, name)

    def _relative(self, kind: str, name: str) -> str:
        suffix = "npz" if kind == FEATURES else "png"
        return f"{FOLDERS[KEYS[kind]] if kind in KEYS else kind}/{name}.{suffix}"

    def has(self, name: str) -> bool:
        """Whether all files of a view exist; each is written at once, so that none is cut off."""
        return all(self.path(kind, name).is_file() for kind in self.kinds)

    def clear(self) -> None:
        """Deletes the files of all views."""
        for kind in (*KEYS, SPREAD, CONFIDENCE, FEATURES):
            shutil.rmtree(self.path(kind, "any").parent, ignore_errors=True)
        (self.folder / FILE_NAME).unlink(missing_ok=True)

    def save(self, name: str, view: RenderedView) -> None:
        """Writes the files of a view."""
        write_image(self.path("image", name), colors(view.color))
        steps = (view.surface / self.unit).round().clamp(1, LARGEST - 1)
        write_image(self.path("depth", name), steps.numpy().astype(np.uint16))
        self._write_shares(SPREAD, name, view.spread)
        if self.class_names:
            labels = view.labels.numpy()
            numbers = np.where(labels == IGNORE, self.unlabelled, self.ids[labels])
            write_image(self.path(self.label_kind, name), numbers.astype(np.min_scalar_type(self.unlabelled)))
            self._write_shares(CONFIDENCE, name, view.confidence)
        if self.with_features:
            data = io.BytesIO()
            np.savez_compressed(data, features=view.features.numpy())
            write_whole(self.path(FEATURES, name), data.getvalue())

    def load(self, name: str) -> Maps:
        """Reads the files of a view; features stay on disk."""
        depth = read_values(self.path("depth", name), "depth").astype(np.float32) * np.float32(self.unit)
        maps = read_image(self.path("image", name)), torch.from_numpy(depth), self._read_shares(SPREAD, name)
        if not self.class_names:
            return Maps(*maps, None, None)
        numbers = read_values(self.path(self.label_kind, name), self.label_kind)
        return Maps(*maps, torch.from_numpy(self._labels[numbers]), self._read_shares(CONFIDENCE, name))

    def _write_shares(self, kind: str, name: str, shares: Tensor) -> None:
        """Writes numbers in [0, 1] in steps of 1 / LARGEST."""
        steps = (shares.clamp(0.0, 1.0) * LARGEST).round()
        write_image(self.path(kind, name), steps.numpy().astype(np.uint16))

    def _read_shares(self, kind: str, name: str) -> Tensor:
        steps = read_values(self.path(kind, name), "depth").astype(np.float32)
        return torch.from_numpy(steps / np.float32(LARGEST))

    @cached_property
    def _labels(self) -> np.ndarray:
        """Number in the files -> label [65536]."""
        table = np.full(LARGEST + 1, IGNORE, np.int64)
        table[self.ids] = np.arange(len(self.ids))
        return table

    def write_scene(self, names: Sequence[str], cameras: Camera) -> None:
        """Writes transforms.json for views of these names, with a batch of their cameras."""
        top = {"near": self.near, "far": self.far, "depth_unit_scale_factor": self.unit}
        if self.class_names and self.label_kind == SEMANTIC:
            top |= {"semantic_classes": list(self.class_names), "ignore_label": int(self.unlabelled)}
        frames = [self._frame(name, cameras[number]) for number, name in enumerate(names)]
        write_whole(self.folder / FILE_NAME, json.dumps({**top, "frames": frames}, indent=1) + "\n")

    def _frame(self, name: str, camera: Camera) -> dict:
        files = {key: self._relative(kind, name) for kind, key in KEYS.items() if kind in self.kinds}
        (fx, _, cx), (_, fy, cy), _ = camera.intrinsics.double().tolist()
        # nerfstudio puts pixel centres at + 0.5.
        lens = {"fl_x": fx, "fl_y": fy, "cx": cx + 0.5, "cy": cy + 0.5}
        pose = (camera.camera_to_world.double() @ OPENGL_TO_OPENCV).tolist()
        return {**files, "w": camera.width, "h": camera.height, **lens, "transform_matrix": pose}
