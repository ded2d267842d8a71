"""Tiny scenes of every layout, damages to one of their files, and what must still hold after them."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import numpy as np
import torch
from conftest import SceneWriter
from layouts import write_replica, write_scannet
from mangled_texts import EVERY, RANGE, Pairs

from gpnerf.datasets.scene import Frame
from gpnerf.media.images import read_image, write_image

DATASETS = ("transforms", "replica", "scannet")
HEIGHT, WIDTH = 24, 32
# Between the frames that are decoded when a scene is indexed lies one that is not.
FRAMES = 6
KINDS = {
    "images": "image", "rgb": "image", "color": "image", "depth": "depth", "semantic": "semantic",
    "semantic_class": "semantic", "label-filt": "semantic", "semantic_instance": "instance",
    "instance-filt": "instance",
}  # fmt: skip


@dataclass(frozen=True, repr=False)
class Damage:
    """Also says what it entitles to, as nobody could notice: all else must stay, or the scene be refused.

    path: the file, relative to the data root. content: what it holds then; None: it is gone, or (`folder`)
    a folder. changes, losses: pairs (kind, frame), EVERY for all frames, that may differ and may be gone."""

    path: str
    how: str
    content: bytes | None
    changes: Pairs = frozenset()
    losses: Pairs = frozenset()
    folder: bool = False

    def __repr__(self) -> str:
        return f"<{self.path}: {self.how}; may change {set(self.changes)}, may lack {set(self.losses)}>"

    def apply(self, root: Path) -> None:
        """Files and folders that change get a later time, as they would after one tick of the clock."""
        path, later = root / self.path, time.time_ns() + 10**9
        if self.content is None:
            path.unlink()
            if self.folder:
                path.mkdir()
        else:
            path.write_bytes(self.content)
        for changed in (path, path.parent):
            if changed.exists() and (changed == path or self.content is None or self.how == "copied"):
                os.utime(changed, ns=(later, later))


def check_sane(frame: Frame) -> None:
    """Asserts what a network relies on, whatever the files say."""
    assert frame.image.shape == (3, HEIGHT, WIDTH)
    assert frame.image.min() >= 0.0 and frame.image.max() <= 1.0
    assert frame.depth is None or (frame.depth.isfinite() & (frame.depth >= 0.0)).all()
    assert frame.semantic is None or frame.semantic.min() >= -1
    origins, directions = frame.camera.rays(torch.tensor([[0.0, 0.0], [WIDTH - 1.0, HEIGHT - 1.0]]))
    assert origins.isfinite().all() and directions.isfinite().all()
    # Rays of opposite corners, which differ unless there is no picture to render.
    assert (directions[0] - directions[1]).norm() > 1e-3


def check_unchanged(frame: Frame, expected: Frame, damage: Damage) -> None:
    """Asserts that all of a frame is as it was, but for what the damage entitles to."""

    def is_among(kind: str, pairs: frozenset[tuple[str, str]]) -> bool:
        return bool(pairs & {(kind, frame.name), (kind, EVERY)})

    check_sane(frame)
    if not is_among("camera", damage.changes):
        torch.testing.assert_close(frame.camera.intrinsics, expected.camera.intrinsics)
        torch.testing.assert_close(frame.camera.camera_to_world.double(), expected.camera.camera_to_world)
    for kind in ("image", "depth", "semantic", "instance"):
        one, other = getattr(frame, kind), getattr(expected, kind)
        if one is None:
            assert other is None or is_among(kind, damage.losses), kind
        elif not is_among(kind, damage.changes):
            torch.testing.assert_close(one, other)


@dataclass(frozen=True)
class Layout:
    """A good scene: its name below the data root, and the bytes of all files by their paths."""

    dataset: str
    name: str
    files: dict[str, bytes] = field(repr=False)

    @contextmanager
    def written(self) -> Iterator[Path]:
        """A data root that holds the scene, with an empty cache of indices beside it."""
        with TemporaryDirectory() as folder, cache(Path(folder, "cache")):
            root = Path(folder, "data")
            for path, content in self.files.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_bytes(content)
            yield root

    def kind(self, path: str) -> str | None:
        """What an image file is for; None for Replica's previews, which nobody reads."""
        return None if "vis_" in path else KINDS[Path(path).parent.name]

    def own(self, path: str) -> Pairs:
        """What an image file decides."""
        kind, frame = self.kind(path), re.search(r"(\d+)\.", path)[1]
        return frozenset({(kind, frame), RANGE} if kind == "depth" else {(kind, frame)})


def cache(folder: Path) -> mock._patch_dict:
    """Has indices of scenes kept in this folder; a context manager."""
    return mock.patch.dict(os.environ, GPNERF_CACHE=str(folder))


@lru_cache
def layout(dataset: str) -> Layout:
    """A scene whose pixels are noise, so that no decoder can guess what is missing."""
    random = np.random.default_rng(0)
    with TemporaryDirectory() as folder:
        root = Path(folder)
        if dataset == "replica":
            name = write_replica(root / "office_0" / "Sequence_1", FRAMES).relative_to(root).as_posix()
        elif dataset == "scannet":
            name = write_scannet(root / "scene0000_00", FRAMES).name
        else:
            writer = SceneWriter(root / "tiny", FRAMES, depth=True, semantic=True)
            writer.top["k1"] = 0.05
            name = writer.write().name
        for path in sorted((*root.rglob("*.png"), *root.rglob("*.jpg"))):
            write_image(path, _noise(read_image(path), path.parent.name, random))
        paths = sorted(path for path in root.rglob("*") if path.is_file())
        files = {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}
    return Layout(dataset, name, files)


def _noise(pixels: np.ndarray, folder: str, random: np.random.Generator) -> np.ndarray:
    if pixels.ndim == 3:
        return random.integers(0, 256, pixels.shape, np.uint8)
    if folder == "depth":
        return pixels + random.integers(0, 500, pixels.shape, np.uint16)
    return random.choice(np.unique(pixels), pixels.shape)
