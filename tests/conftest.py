"""Fixtures shared by the tests: arrays of the reference implementation, and small scenes on disk."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import settings
from script_runs import EXPNAME, VIEWS_PER_ROOM, run_here, write_config

from gpnerf.datasets import rooms
from gpnerf.media.images import write_image
from gpnerf.rooms import shots

HEIGHT, WIDTH = 6, 8

# Tests of signals, torchrun and shell scripts, which Windows does not have alike.
NOT_ON_WINDOWS = (
    "distributed",
    "lock",
    "parallel",
    "quickstart",
    "reproduce",
    "scripts_shell",
    "scripts_training",
)
collect_ignore = [f"test_{name}.py" for name in NOT_ON_WINDOWS] if sys.platform == "win32" else []

# How much hypothesis draws: of 100, all that a test asks for. Every day the same, so that whoever breaks
# something sees it.
for profile, percent in {"few": 20, "many": 100}.items():
    settings.register_profile(profile, max_examples=percent, deadline=None, derandomize=True, database=None)
settings.load_profile("few")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Indices of test scenes stay out of the user's cache, also in processes that tests start."""
    os.environ["GPNERF_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def any_order_of_sums() -> None:
    """Every test starts with torch's default, whatever training or evaluation ran before in this process."""
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def golden() -> Callable[[str], dict[str, np.ndarray]]:
    """golden(name) -> arrays by name; float16 holds float32 values in short (exactly), and is widened."""
    folder = Path(os.environ.get("GPNERF_GOLDEN", Path(__file__).parent / "golden"))

    def load(name: str) -> dict[str, np.ndarray]:
        with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
            loaded = {key: arrays[key] for key in arrays.files}
        return {key: a.astype(np.float32) if a.dtype == np.float16 else a for key, a in loaded.items()}

    return load


def real_data(name: str) -> Path:
    """The folder of a recorded scene; GPNERF_REAL_DATA names its parent. Skips the test without it."""
    folder = Path(os.environ.get("GPNERF_REAL_DATA") or "nowhere") / name
    if not folder.is_dir():
        pytest.skip(f"GPNERF_REAL_DATA holds no {name}: recorded scenes are not part of the repository")
    return folder


@pytest.fixture
def real_scene() -> Path:
    """The recorded office."""
    return real_data("hololens_office")


class SceneWriter:
    """Writes transforms.json scenes of 8x6 pixels whose cameras stand in a row along x, 0.1 m apart.

    `top` is the JSON to be written; tests change it before `write`.
    """

    def __init__(self, folder: Path, frames: int, depth: bool, semantic: bool) -> None:
        self.folder = folder
        self.top: dict[str, Any] = {"fl_x": 4.0, "cx": 4.0, "cy": 3.0, "w": WIDTH, "h": HEIGHT}
        if not depth:
            self.top |= {"near": 0.1, "far": 10.0}
        self.top["frames"] = [self._frame(number, depth, semantic) for number in range(frames)]
        if semantic:
            self.top["semantic_classes"] = ["wall", "floor", "chair"]

    def _frame(self, number: int, depth: bool, semantic: bool) -> dict[str, Any]:
        pose = np.eye(4)
        pose[0, 3] = 0.1 * number
        frame = {"file_path": f"images/{number}.png", "transform_matrix": pose.tolist()}
        self.save(frame["file_path"], np.full((HEIGHT, WIDTH, 3), 10 * number, np.uint8))
        if depth:
            frame["depth_file_path"] = f"depth/{number}.png"
            self.save(frame["depth_file_path"], np.full((HEIGHT, WIDTH), 2000 + number, np.uint16))
        if semantic:
            frame["semantic_path"] = f"semantic/{number}.png"
            labels = np.full((HEIGHT, WIDTH), number % 3, np.uint8)
            labels[0] = 255
            self.save(frame["semantic_path"], labels)
        return frame

    def mask_from(self, column: int) -> None:
        """Leaves out the pixels of every frame from this column on."""
        mask = np.full((HEIGHT, WIDTH), 255, np.uint8)
        mask[:, column:] = 0
        self.save("masks/all.png", mask)
        for frame in self.top["frames"]:
            frame["mask_path"] = "masks/all.png"

    def save(self, name: str, pixels: np.ndarray) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, pixels)

    def write(self) -> Path:
        (self.folder / "transforms.json").write_text(json.dumps(self.top))
        return self.folder


@pytest.fixture
def scene_writer(tmp_path: Path) -> Callable[..., SceneWriter]:
    """scene_writer(frames=3, depth=False, semantic=False, name="tiny") -> SceneWriter."""

    def start(
        frames: int = 3, depth: bool = False, semantic: bool = False, name: str = "tiny"
    ) -> SceneWriter:
        return SceneWriter(tmp_path / name, frames, depth, semantic)

    return start


@pytest.fixture(scope="module")
def rooms_planned_once() -> Iterator[None]:
    """Furnishing takes most of the time in which a small room is made, and is tested in test_rooms.py."""
    with mock.patch.object(shots, "make_room", functools.cache(shots.make_room)):
        yield


@pytest.fixture(scope="session")
def rooms_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config file that trains a tiny model on one room and tests it on two others."""
    folder = tmp_path_factory.mktemp("scripts")
    for seed in (0, 1000, 1001):
        rooms.load(folder / "rooms", seed, 24, 32, VIEWS_PER_ROOM)
    return write_config(
        folder / "rooms.txt",
        dataset="rooms",
        data_root=folder / "rooms",
        train_scenes="0",
        test_scenes="1000-1001",
        views_per_room=VIEWS_PER_ROOM,
    )


@pytest.fixture(scope="session")
def rooms_run(rooms_config: Path) -> Path:
    """The folder of a finished training with `rooms_config`; tests add to it, but change nothing."""
    assert "Finished 6 steps" in run_here("train.py", "--config", rooms_config)
    return rooms_config.parent / "out" / EXPNAME
