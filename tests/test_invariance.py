"""eval.py and render.py show the same when the world of a scene is turned, moved or scaled."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from script_runs import EXPNAME, run_here
from torch import Tensor

import gpnerf
from gpnerf.commands.video import VideoRenderer
from gpnerf.datasets.examples import Example
from gpnerf.evaluation import evaluator
from gpnerf.media.images import read_image
from gpnerf.rendering.view import RenderedView, SourceCache
from gpnerf.training.checkpoint import checkpoint_path

# Length of a room in metres, and metres per stored unit of its depth.
SIZE, UNIT = 6.0, 0.001
# The range that the scenes state. One that is measured has the rounding of float32, which encodings magnify.
NEAR, FAR = 0.8, 5.5


class World(NamedTuple):
    """A world in which a point x lies at scale * rotation @ x + shift."""

    rotation: np.ndarray
    shift: np.ndarray
    scale: float

    def of_poses(self, poses: np.ndarray) -> np.ndarray:
        """Poses [..., 4, 4] in this world."""
        moved = poses.copy()
        moved[..., :3, :3] = self.rotation @ poses[..., :3, :3]
        moved[..., :3, 3] = self.scale * poses[..., :3, 3] @ self.rotation.T + self.shift
        return moved


def turned(seed: int) -> np.ndarray:
    return Rotation.random(random_state=seed).as_matrix()


WORLDS = {
    "as_it_is": World(np.eye(3), np.zeros(3), 1.0),
    "turned": World(turned(0), np.zeros(3), 1.0),
    "far_away": World(turned(1), 100.0 * SIZE * turned(2)[0], 1.0),
    "hundredths": World(turned(3), np.zeros(3), 0.01),
    "hundreds": World(turned(4), np.array([3.0, -4.0, 5.0]), 100.0),
}
OTHERS = list(WORLDS)[1:]


class Shown(NamedTuple):
    """What a script rendered: the views, the sources of each, and the pose of each camera [V, 4, 4]."""

    views: list[RenderedView]
    sources: list[tuple[str | int, ...]]
    poses: np.ndarray


def move(scene: Path, target: Path, world: World, range_stated: bool = True) -> None:
    """Copies a scene into another world; the depth maps keep their values and change their unit."""
    shutil.copytree(scene, target)
    content = json.loads((scene / "transforms.json").read_text())
    for frame in content["frames"]:
        frame["transform_matrix"] = world.of_poses(np.array(frame["transform_matrix"])).tolist()
    content["depth_unit_scale_factor"] = UNIT * world.scale
    if range_stated:
        content |= {"near": NEAR * world.scale, "far": FAR * world.scale}
    (target / "transforms.json").write_text(json.dumps(content))


@pytest.fixture(scope="module")
def root(rooms_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one room in every world."""
    folder = tmp_path_factory.mktemp("worlds")
    (room,) = rooms_config.parent.glob("rooms/*/room_1000")
    for name, world in WORLDS.items():
        move(room, folder / name, world)
    return folder


@pytest.fixture(scope="module")
def options(root: Path, rooms_config: Path, rooms_run: Path) -> list:
    weights = checkpoint_path(rooms_run, 6)
    data = ("--dataset", "transforms", "--data_root", root, "--out", root / "out")
    return ["--config", rooms_config, *data, "--checkpoint", weights]


@pytest.fixture(scope="module")
def evaluated(options: list) -> dict[str, Shown]:
    """What eval.py renders in every world."""
    examples: list[Example] = []
    views: list[RenderedView] = []
    render = evaluator.render_example

    def watched(model: torch.nn.Module, example: Example, *rest: object) -> RenderedView:
        examples.append(example)
        views.append(render(model, example, *rest))
        return views[-1]

    with mock.patch.object(evaluator, "render_example", watched):
        run_here("eval.py", *options, "--test_scenes", ",".join(WORLDS))
    return {
        name: Shown(
            [view for view, example in zip(views, examples, strict=True) if example.target.scene == name],
            [example.sources.names for example in examples if example.target.scene == name],
            np.stack([one.target.camera.camera_to_world for one in examples if one.target.scene == name]),
        )
        for name in WORLDS
    }


@pytest.fixture(scope="module", params=["interpolate", "orbit"])
def rendered(options: list, request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, Shown]]]:
    """The path, and the frames that render.py renders on it in every world."""
    return request.param, {name: video(options, name, request.param) for name in WORLDS}


def video(options: list, name: str, path: str) -> Shown:
    views, sources, poses = [], [], []
    render, prepare = VideoRenderer._render, SourceCache.prepared

    def watched(self: VideoRenderer, number: int) -> RenderedView:
        poses.append(self.path.cameras.camera_to_world[number].numpy())
        views.append(render(self, number))
        return views[-1]

    def noted(self: SourceCache, chosen: list[int]) -> object:
        sources.append(tuple(chosen))
        return prepare(self, chosen)

    with (
        mock.patch.object(VideoRenderer, "_render", watched),
        mock.patch.object(SourceCache, "prepared", noted),
    ):
        run_here("render.py", *options, "--render_scene", name, "--path", path)
    return Shown(views, sources, np.stack(poses))


def stacked(views: list[RenderedView], part: str) -> Tensor:
    return torch.stack([getattr(view, part) for view in views])


def assert_same(found: Shown, expected: Shown, world: World) -> None:
    assert found.sources == expected.sources
    np.testing.assert_allclose(found.poses, world.of_poses(expected.poses), rtol=0, atol=1e-9 * world.scale)
    colors, depths, labels = (
        [stacked(shown.views, part) for shown in (found, expected)] for part in ("color", "depth", "labels")
    )
    # After six steps of training the pictures are poor, but not uniform.
    assert colors[1].std() > 0.1 and depths[1].std() > 0.01 and len(labels[1].unique()) > 1
    torch.testing.assert_close(*colors, atol=1e-3, rtol=0)
    torch.testing.assert_close(depths[0] / world.scale, depths[1], atol=1e-4, rtol=0)
    assert (labels[0] == labels[1]).float().mean() >= 0.999


def assert_same_pictures(found: Path, expected: Path) -> None:
    """Up to one level; a colour map or a label may jump in a pixel of a thousand."""
    names = sorted(path.name for path in expected.glob("*.png"))
    assert names and sorted(path.name for path in found.glob("*.png")) == names
    for name in names:
        first, second = (read_image(folder / name).astype(int) for folder in (found, expected))
        assert first.shape == second.shape
        assert (abs(first - second) > 1).mean() <= 1e-3, name


@pytest.mark.parametrize("name", OTHERS)
def test_an_evaluation_is_the_same_in_every_world(name, evaluated):
    assert len(evaluated[name].views) == 2
    assert_same(evaluated[name], evaluated["as_it_is"], WORLDS[name])


@pytest.mark.parametrize("name", OTHERS)
def test_pictures_and_scores_of_an_evaluation_are_the_same(name, evaluated, root):
    folder = root / "out" / EXPNAME / "eval"
    for view in ("0001", "0003"):
        assert_same_pictures(folder / name / view, folder / "as_it_is" / view)
    scenes = json.loads((folder / "metrics.json").read_text())["scenes"]
    for metric in ("psnr", "ssim", "miou", "psnr_nearest_view"):
        assert scenes[name][metric] == pytest.approx(scenes["as_it_is"][metric], abs=1e-3)


@pytest.mark.parametrize("name", OTHERS)
def test_a_video_is_the_same_in_every_world(name, rendered, root):
    path, frames = rendered
    assert len(frames[name].views) == 3
    assert_same(frames[name], frames["as_it_is"], WORLDS[name])
    folder = root / "out" / EXPNAME / "render"
    assert_same_pictures(folder / f"{name}_{path}", folder / f"as_it_is_{path}")


@pytest.mark.parametrize("name", OTHERS)
def test_a_measured_range_scales_with_the_world(name, rooms_config, tmp_path):
    (room,) = rooms_config.parent.glob("rooms/*/room_1000")
    move(room, tmp_path / name, WORLDS[name], range_stated=False)
    expected, found = (gpnerf.open_scene(folder).range for folder in (room, tmp_path / name))
    assert "depth maps" in found.source
    scale = WORLDS[name].scale
    assert (found.near / scale, found.far / scale) == pytest.approx((expected.near, expected.far), rel=1e-6)
