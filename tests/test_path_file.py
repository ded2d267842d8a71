"""Camera paths on disk: what is written is read back, axes and fields of view by hand, damaged files."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from scipy.spatial.transform import Rotation

from gpnerf.datasets.path_file import read_camera_path, write_camera_path
from gpnerf.geometry.camera_path import CameraPath
from gpnerf.system.errors import DataError

# A camera of OpenGL at (1, 2, 3) whose axes are those of the world: x to the right, y up, looking along -z.
AT_123 = [1, 0, 0, 1, 0, 1, 0, 2, 0, 0, 1, 3, 0, 0, 0, 1]

# Frames of a transforms.json, besides their poses.
FRAMES = ({}, {"fl_y": 50.0})


def nerfstudio_file(folder: Path, frame: dict | None = None, **changes) -> Path:
    """A hand-made camera_path.json of two frames; changes: of its top level, frame: of its second frame."""
    first = {"camera_to_world": AT_123, "fov": 90.0, "aspect": 1.5}
    values = {
        "default_fov": 90.0,
        "keyframes": [{"matrix": AT_123, "fov": 90.0, "aspect": 1.5}],
        "camera_type": "perspective",
        "render_height": 100,
        "render_width": 150.0,
        "fps": 30,
        "seconds": 4.0,
        "camera_path": [first, first | {"fov": 60} | (frame or {})],
    }
    path = folder / "camera_path.json"
    path.write_text(json.dumps(values | changes))
    return path


def transforms_file(folder: Path, frames: list[dict] | None = None, **changes) -> Path:
    pose = [AT_123[row : row + 4] for row in range(0, 16, 4)]
    values = {"w": 40, "h": 30, "fl_x": 20.0, "fl_y": 25.0, "cx": 21.0, "cy": 15.0}
    frames = [{"transform_matrix": pose} | frame for frame in (FRAMES if frames is None else frames)]
    path = folder / "path.json"
    path.write_text(json.dumps(values | {"frames": frames} | changes))
    return path


def random_path(frames: int = 5) -> CameraPath:
    generator = torch.Generator().manual_seed(3)
    poses = torch.eye(4, dtype=torch.float64).repeat(frames, 1, 1)
    quaternions = torch.randn(frames, 4, generator=generator, dtype=torch.float64)
    poses[:, :3, :3] = torch.from_numpy(Rotation.from_quat(quaternions.numpy()).as_matrix())
    poses[:, :3, 3] = 3 * torch.randn(frames, 3, generator=generator, dtype=torch.float64)
    return CameraPath.of(poses, torch.linspace(20, 120, frames), 97, 131, fps=29.97)


def test_a_path_comes_back_as_it_was_written(tmp_path):
    written = random_path()
    write_camera_path(tmp_path / "path.json", written)
    read = read_camera_path(tmp_path / "path.json")
    exact = {"atol": 1e-9, "rtol": 0}
    torch.testing.assert_close(read.cameras.camera_to_world, written.cameras.camera_to_world, **exact)
    torch.testing.assert_close(read.cameras.intrinsics, written.cameras.intrinsics, **exact)
    torch.testing.assert_close(read.fov, written.fov, **exact)
    assert (read.cameras.height, read.cameras.width, read.fps) == (97, 131, 29.97)


def test_a_camera_of_nerfstudio_looks_along_minus_z_with_y_up(tmp_path):
    path = read_camera_path(nerfstudio_file(tmp_path))
    pose = path.cameras.camera_to_world[0]
    assert pose[:3, 3].tolist() == [1, 2, 3]
    right, down, forward = pose[:3, :3].T.tolist()
    assert (right, down, forward) == ([1, 0, 0], [0, -1, 0], [0, 0, -1])


def test_half_the_height_over_the_focal_length_is_the_tangent_of_half_the_angle(tmp_path):
    path = read_camera_path(nerfstudio_file(tmp_path))
    wide = [[50, 0, 74.5], [0, 50, 49.5], [0, 0, 1]]
    torch.testing.assert_close(path.cameras.intrinsics[0], torch.tensor(wide, dtype=torch.float64))
    assert path.cameras.intrinsics[1, 0, 0] == pytest.approx(50 * math.sqrt(3))
    torch.testing.assert_close(path.fov, torch.tensor([90.0, 60.0], dtype=torch.float64))
    assert (path.cameras.height, path.cameras.width, path.fps, len(path)) == (100, 150, 30, 2)


def test_the_ends_of_the_centre_column_are_seen_at_half_the_angle(tmp_path):
    camera = read_camera_path(nerfstudio_file(tmp_path)).cameras[0]
    edge = torch.tensor([74.5, -0.5, 1.0], dtype=torch.float64)
    assert (torch.linalg.inv(camera.intrinsics) @ edge).tolist() == pytest.approx([0, -1, 1])


def test_seconds_take_the_place_of_missing_frames_per_second(tmp_path):
    assert read_camera_path(nerfstudio_file(tmp_path, fps=None)).fps == 0.5
    assert read_camera_path(nerfstudio_file(tmp_path, fps=None, seconds=None)).fps == 24


def test_frames_of_transforms_json_need_no_images_and_keep_their_intrinsics(tmp_path):
    path = read_camera_path(transforms_file(tmp_path, fps=12))
    first = [[20, 0, 20.5], [0, 25, 14.5], [0, 0, 1]]
    torch.testing.assert_close(path.cameras.intrinsics[0], torch.tensor(first, dtype=torch.float64))
    assert path.cameras.intrinsics[1, 1, 1] == 50
    assert path.cameras.camera_to_world[1, :3, 2].tolist() == [0, 0, -1]
    assert (path.cameras.height, path.cameras.width, path.fps) == (30, 40, 12)


def test_another_size_keeps_the_vertical_field_of_view_and_square_pixels(tmp_path):
    path = read_camera_path(nerfstudio_file(tmp_path)).sized(50, 200)
    expected = [[25, 0, 99.5], [0, 25, 24.5], [0, 0, 1]]
    torch.testing.assert_close(path.cameras.intrinsics[0], torch.tensor(expected, dtype=torch.float64))
    torch.testing.assert_close(path.fov, torch.tensor([90.0, 60.0], dtype=torch.float64))
    assert (path.cameras.height, path.cameras.width) == (50, 200)


def test_another_size_keeps_the_place_of_the_principal_point(tmp_path):
    path = read_camera_path(transforms_file(tmp_path))
    doubled = path.sized(60, 80).cameras.intrinsics[0]
    # One pixel right of the centre of 40 columns is two pixels right of the centre of 80.
    assert doubled[:2, 2].tolist() == [41.5, 29.5]


def test_a_path_that_nerfstudio_cannot_hold_is_not_written(tmp_path):
    path = read_camera_path(transforms_file(tmp_path))
    with pytest.raises(DataError, match="expected cameras with square pixels and a centred principal point"):
        write_camera_path(tmp_path / "written.json", path)
    assert not (tmp_path / "written.json").exists()


def test_a_crop_is_told_not_to_be_used(tmp_path, caplog):
    read_camera_path(nerfstudio_file(tmp_path, crop=None))
    assert not caplog.text
    read_camera_path(nerfstudio_file(tmp_path, crop={"crop_scale": [1, 1, 1]}))
    assert "camera_path.json: 'crop' is not used: the whole scene is rendered." in caplog.text


NAN_POSE = [*AT_123[:3], math.nan, *AT_123[4:]]
DAMAGED = {
    "another program": ({"camera_path": None, "path": []}, {}, "'camera_path' to be a list of at least one"),
    "no frames": ({"camera_path": []}, {}, "found \\[\\]; generate the path, then save it again"),
    "fisheye": ({"camera_type": "fisheye"}, {}, "'camera_type' to be 'perspective', found 'fisheye'"),
    "no height": ({"render_height": None}, {}, "'render_height' to be a whole number from 1 to 8192"),
    "huge": ({"render_width": 10**6}, {}, "'render_width' to be a whole number from 1 to 8192"),
    "negative fps": ({"fps": -1}, {}, "'fps' to be positive, found -1"),
    "number for a frame": ({"camera_path": [3]}, {}, "'camera_path' to be a list of objects"),
    "nan": ({}, {"camera_to_world": NAN_POSE}, "frame 1: 'camera_to_world': expected a finite pose"),
    "12 numbers": ({}, {"camera_to_world": AT_123[:12]}, "frame 1: .* a list of 16 numbers"),
    "column by column": (
        {},
        {"camera_to_world": torch.tensor(AT_123).reshape(4, 4).T.flatten().tolist()},
        "expected a rotation and a translation .* OpenGL axes",
    ),
    "half turn": ({}, {"fov": 180}, "'fov' to be the vertical field of view, above 0 and below 180"),
    "no fov": ({}, {"fov": None}, "'fov' to be the vertical field of view"),
}


@pytest.mark.parametrize("changes, frame, sentence", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_ends_in_a_sentence(tmp_path, changes, frame, sentence):
    with pytest.raises(DataError, match=sentence) as error:
        read_camera_path(nerfstudio_file(tmp_path, frame, **changes))
    assert "\n" not in str(error.value) and "camera_path.json" in str(error.value)


def test_a_file_of_another_program_is_told_by_its_keys(tmp_path):
    path = tmp_path / "base_cam.json"
    path.write_text(json.dumps({"path": [{"R": [0, 0, 0, 1], "T": [0, 0, 0]}], "time": 1.0}))
    with pytest.raises(DataError, match="'camera_path' .* or 'frames' .*, found path, time; export the path"):
        read_camera_path(path)
    path.write_text("P3 2 2")
    with pytest.raises(DataError, match="expected JSON"):
        read_camera_path(path)


TRANSFORMS = {
    "no frames": ({}, [], "'frames' to be a list of at least one frame"),
    "no size": ({"h": None}, None, "frame 0: expected 'h' to be a whole number from 1 to 8192"),
    "two sizes": ({}, [{}, {"w": 41}], "frame 1: expected 30x40 pixels as in the first frame, found 30x41"),
    "fisheye": ({"camera_model": "OPENCV_FISHEYE"}, None, "frame 0: expected a pinhole camera"),
}


@pytest.mark.parametrize("changes, frames, sentence", TRANSFORMS.values(), ids=TRANSFORMS)
def test_frames_that_are_no_path_end_in_a_sentence(tmp_path, changes, frames, sentence):
    with pytest.raises(DataError, match=sentence):
        read_camera_path(transforms_file(tmp_path, frames, **changes))
