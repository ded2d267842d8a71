"""Paths that were recorded in nerfstudio's world come back into the world of the photographs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from gpnerf.datasets.path_world import into_scene
from gpnerf.geometry.camera_path import CameraPath
from gpnerf.system.errors import DataError


def rigid(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat(random.normal(size=4)).as_matrix()
    matrix[:3, 3] = random.normal(size=3)
    return matrix


def as_nerfstudio_trains(pose: np.ndarray, turn_and_move: np.ndarray, scale: float) -> np.ndarray:
    """A camera of the transforms.json in the world that nerfstudio makes of it."""
    moved = turn_and_move @ pose
    moved[:3, 3] *= scale
    return moved


def recorded(poses: list[np.ndarray]) -> CameraPath:
    return CameraPath.of(torch.from_numpy(np.stack(poses)), torch.full((len(poses),), 60.0), 30, 40)


def write(folder: Path, name: str, **values) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(values))
    return folder / name


def moved(tmp_path: Path, transform: np.ndarray, scale: float, poses: list[np.ndarray]) -> np.ndarray:
    file = write(tmp_path, "dataparser_transforms.json", transform=transform[:3].tolist(), scale=scale)
    return into_scene(recorded(poses), file, tmp_path / "scene").cameras.camera_to_world.numpy()


def test_a_path_is_turned_moved_and_scaled_back(tmp_path):
    poses, change = [rigid(1), rigid(2)], rigid(3)
    found = moved(tmp_path, change, 0.4, [as_nerfstudio_trains(pose, change, 0.4) for pose in poses])
    np.testing.assert_allclose(found, poses, atol=1e-12)


def test_by_hand_a_point_at_scale_times_the_sum_comes_back(tmp_path):
    change, pose = np.eye(4), np.eye(4)
    change[:3, 3], pose[:3, 3] = (1, 0, 0), (4, 6, 8)
    assert moved(tmp_path, change, 2.0, [pose])[0, :3, 3].tolist() == [1, 3, 4]


def test_what_was_applied_to_the_scene_before_is_not_undone(tmp_path):
    poses, change, applied = [rigid(1)], rigid(3), rigid(4)
    write(tmp_path / "scene", "transforms.json", applied_transform=applied[:3].tolist(), applied_scale=3.0)
    told = change @ applied, 0.4 * 3.0
    found = moved(tmp_path, *told, [as_nerfstudio_trains(pose, change, 0.4) for pose in poses])
    np.testing.assert_allclose(found, poses, atol=1e-12)


def test_a_scene_with_the_model_of_colmap_had_its_axes_swapped(tmp_path):
    poses, change, swapped = [rigid(1)], rigid(3), np.eye(4)[[1, 0, 2, 3]] @ np.diag([1.0, 1, -1, 1])
    (tmp_path / "scene" / "colmap" / "sparse" / "0").mkdir(parents=True)
    write(tmp_path / "scene", "transforms.json")
    recorded_poses = [as_nerfstudio_trains(pose, change, 0.4) for pose in poses]
    np.testing.assert_allclose(moved(tmp_path, change @ swapped, 0.4, recorded_poses), poses, atol=1e-12)


WRONG = {
    "another file": ({"frames": []}, "'transform' to be 3x4 numbers, found no such key; give nerfstudio's"),
    "a scale inside": ({"transform": (2 * np.eye(4))[:3].tolist()}, "expected a rotation and a translation"),
    "no scale": ({"transform": np.eye(4)[:3].tolist(), "scale": 0}, "'scale' to be positive, found 0"),
}


@pytest.mark.parametrize("values, sentence", WRONG.values(), ids=WRONG)
def test_another_file_ends_in_a_sentence(tmp_path, values, sentence):
    file = write(tmp_path, "other.json", **values)
    with pytest.raises(DataError, match=sentence):
        into_scene(recorded([np.eye(4)]), file, tmp_path / "scene")
