"""render.py along paths of files: sizes, modes, the same pictures for the same cameras, and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from script_runs import EXPNAME, refusal, run_here, save_untrained, write_config

from gpnerf.datasets.path_file import write_camera_path
from gpnerf.geometry.camera_path import CameraPath
from gpnerf.media.images import read_image

SCENE = "office"
# As many times larger than the scene's images of 8x6 pixels.
ENLARGED = 4


@pytest.fixture
def config(tmp_path: Path, scene_writer) -> Path:
    """A config with an untrained model and a scene of five photographs in a row."""
    scene_writer(frames=5, depth=True, semantic=True, name=SCENE).write()
    config = write_config(tmp_path / "office.txt", data_root=tmp_path, test_scenes=SCENE, fps=24)
    save_untrained(config)
    return config


def straight(folder: Path, frames: int, height: int, width: int) -> Path:
    """A camera_path.json along the row of photographs, which look along -z of the world."""
    poses = torch.eye(4, dtype=torch.float64).repeat(frames, 1, 1)
    poses[:, 0, 3] = torch.linspace(0.1, 0.3, frames)
    poses[:, 1, 1] = poses[:, 2, 2] = -1
    path = folder / "camera.path.json"
    write_camera_path(path, CameraPath.of(poses, torch.full((frames,), 70.0), height, width, fps=12))
    return path


def test_modes_become_videos_of_their_own_in_the_size_of_the_file(config, tmp_path):
    imageio = pytest.importorskip("imageio.v3")
    path = straight(tmp_path, 3, 21, 30)
    log = run_here("render.py", "--config", config, "--path", path, "--layout", "apart")
    assert f"{path}: 3 frames of 21x30 pixels at 12 per second." in log
    folder = config.parent / "out" / EXPNAME / "render"
    for mode in ("color", "depth", "labels", "features"):
        frames = sorted((folder / f"{SCENE}_camera.path" / mode).glob("*.png"))
        assert [frame.name for frame in frames] == ["0000.png", "0001.png", "0002.png"]
        assert read_image(frames[2]).shape == (21, 30, 3)
        video = folder / f"{SCENE}_camera.path_{mode}.mp4"
        # Odd sizes grow by a row or a column.
        assert imageio.imread(video, plugin="FFMPEG").shape == (3, 22, 30, 3)
        assert imageio.immeta(video, plugin="FFMPEG")["fps"] == 12


def test_a_panel_of_some_modes_in_another_size_than_the_file_says(config, tmp_path):
    path = straight(tmp_path, 2, 900, 1600)
    options = ["--video_size", "19x41", "--modes", "color,depth"]
    assert "2 frames of 19x41 pixels" in run_here("render.py", "--config", config, "--path", path, *options)
    folder = config.parent / "out" / EXPNAME / "render" / f"{SCENE}_camera.path"
    height, width = read_image(folder / "0001.png").shape[:2]
    # Two tiles of a multiple of the size side by side, with a caption above.
    factor = -(-240 // 41)
    assert width > 2 * 41 * factor and 19 * factor < height < 2 * 19 * factor


def test_frames_of_the_scene_show_the_same_as_the_path_through_them(config, tmp_path):
    """The first and the last frame of `interpolate` are the first and the last photograph's cameras."""
    scene = json.loads((tmp_path / SCENE / "transforms.json").read_text())
    ends = [{"transform_matrix": scene["frames"][number]["transform_matrix"]} for number in (0, -1)]
    sizes = {key: ENLARGED * scene[key] for key in ("fl_x", "cx", "cy", "w", "h")}
    (tmp_path / "ends.json").write_text(json.dumps(sizes | {"frames": ends, "fps": 24}))
    folder = config.parent / "out" / EXPNAME / "render"
    run_here("render.py", "--config", config, "--path", tmp_path / "ends.json")
    run_here("render.py", "--config", config, "--frames", 2)
    for name in ("0000.png", "0001.png"):
        first, second = (read_image(folder / f"{SCENE}_{path}" / name) for path in ("ends", "interpolate"))
        assert (first != second).mean() < 1e-3


def test_a_path_in_the_world_of_nerfstudio_shows_nothing_until_it_is_moved(config, tmp_path):
    path = straight(tmp_path, 2, 24, 32)
    change = {"transform": [[1, 0, 0, 50], [0, 1, 0, 0], [0, 0, 1, 0]], "scale": 1.0}
    (tmp_path / "dataparser_transforms.json").write_text(json.dumps(change))
    warning = "show almost nothing of 2 of 2 views"
    common = ["render.py", "--config", config, "--path", path, "--modes", "color"]
    assert warning not in run_here(*common)
    moved = [*common, "--path_transform", tmp_path / "dataparser_transforms.json"]
    log = run_here(*moved)
    assert warning in log and "give --path_transform" in log


WRONG = {
    "path": (["--path", "circle"], "expected interpolate, orbit or a file such as camera_path.json, found"),
    "size": (["--video_size", "0x40"], "--video_size: expected HEIGHTxWIDTH in pixels, up to 8192 each"),
    "huge": (["--video_size", "9000x40"], "up to 8192 each, such as 270x480, found '9000x40'"),
    "small": (["--video_size", "8x40"], "a video of at least 17x17 pixels, which the network needs"),
    "mode": (["--modes", "colour"], "--modes: expected some of color,depth,labels,instances,features"),
    "lacking": (["--modes", "instances"], "color,depth,labels,features, which this model renders, found"),
    "transform": (["--path_transform", "x.json"], "Expected --path FILE with --path_transform, found --path"),
}


@pytest.mark.parametrize("arguments, words", WRONG.values(), ids=WRONG)
def test_wrong_options_end_in_a_sentence(config, arguments, words):
    assert words in refusal("render.py", "--config", config, *arguments)


def test_a_damaged_file_ends_in_a_sentence_before_anything_is_rendered(config, tmp_path):
    path = straight(tmp_path, 2, 24, 32)
    path.write_text(path.read_text().replace('"perspective"', '"equirectangular"'))
    assert "found 'equirectangular'" in refusal("render.py", "--config", config, "--path", path)
    assert not (config.parent / "out" / EXPNAME / "render").exists()
