"""From Python: the README's lines run, and give what the scripts' code gives."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers import load_folder, tiny_example, tiny_model
from script_runs import REPOSITORY

import gpnerf
from gpnerf.api import Model
from gpnerf.datasets import examples
from gpnerf.geometry.cameras import Camera
from gpnerf.rendering.view import Quality, render_example
from gpnerf.system.errors import CheckpointError, ConfigError, DataError


@pytest.fixture(scope="module")
def room(rooms_config) -> Path:
    """The folder of a room."""
    return next((rooms_config.parent / "rooms").rglob("room_1000"))


def test_the_lines_of_the_readme_run(room, rooms_run, capsys):
    (lines,) = re.findall(r"```python\n(import gpnerf.*?)```", (REPOSITORY / "README.md").read_text(), re.S)
    found = {}
    own = re.sub(r'open_scene\(".*?"\)', f'open_scene("{room}")', lines.replace("out/rooms", str(rooms_run)))
    exec(own, found)
    view = found["view"]
    assert view.color.shape == (3, 96, 128) and view.depth.shape == view.labels.shape == (96, 128)
    assert view.features.shape[1:] == (48, 64)
    assert set(eval(capsys.readouterr().out)) <= set(found["model"].class_names)


def test_a_view_from_python_is_that_of_the_scripts(room, rooms_run):
    model, scene = gpnerf.load(rooms_run, device="cpu"), gpnerf.open_scene(room)
    frames = examples.TestExamples([examples.TestView(scene, 2, range(5))], 24, 32, 2, "distance")
    example = frames[0]
    expected = render_example(model.method, example, "float32", Quality())
    images, cameras, masks = scene.photographs(frames.sources(0), height=24, width=32)
    view = model.render(images, cameras, example.target.camera, scene.near, scene.far, masks)
    for name in ("color", "depth", "features", "labels"):
        assert torch.equal(getattr(view, name), getattr(expected, name)), name


def test_photographs_have_the_size_asked_for_and_their_cameras(room):
    scene = load_folder(room)
    images, cameras, masks = scene.photographs([3, 1], height=12, width=16)
    assert images.shape == (2, 3, 12, 16) and 0.0 <= images.min() < images.max() <= 1.0
    assert torch.equal(cameras.camera_to_world, scene.poses[[3, 1]])
    assert torch.equal(cameras.intrinsics[1], scene.views[1].camera.resized(12, 16).intrinsics)


def test_the_package_itself_loads_no_network():
    code = "import sys, gpnerf; print('torch' in sys.modules); gpnerf.load; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True"], done.stderr
    assert {"Camera", "Model", "load", "open_scene"} <= set(dir(gpnerf))
    with pytest.raises(AttributeError, match="no attribute loda"):
        gpnerf.loda  # noqa: B018


def rendered(change):
    """A tiny model's view of its example, after a change of the inputs."""
    example = tiny_example()
    inputs = {
        "images": example.sources.images,
        "cameras": example.sources.cameras,
        "target_camera": example.target.camera,
        "near": example.near,
        "far": example.far,
    }
    return Model(tiny_model().eval(), ("a", "b", "c"), "float32").render(**{**inputs, **change(inputs)})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda given: {"images": given["images"][:2]}, r"shape \[3, 3, 24, 32\].*found \[2, 3, 24, 32\]"),
        (lambda given: {"images": (given["images"] * 255).byte()}, "found .* of torch.uint8.*divide 8-bit"),
        (lambda given: {"images": given["images"] * 255}, r"Expected images in \[0, 1\], found .* to "),
        (lambda given: {"images": given["images"].numpy()}, "float tensor of shape .*, found ndarray"),
        (
            lambda given: {"cameras": given["target_camera"]},
            "at least one cameras, found no batch",
        ),
        (lambda given: {"target_camera": given["cameras"]}, "one target camera, found a batch"),
        (
            lambda given: {"masks": torch.ones(3, 48, 64).bool()},
            r"masks of .*3, 24, 32.*3, 48, 64",
        ),
        (lambda given: {"far": float("inf")}, "Expected 0 < near < far, found near 0.5 and far inf"),
        (lambda given: {"near": 5.0, "far": 5.0}, "Expected 0 < near < far, found near 5 and far 5"),
        (lambda given: {"target_camera": given["target_camera"].resized(8, 16)}, "at least 17 pixels"),
    ],
)
def test_inputs_that_do_not_go_together_are_a_sentence(change, sentence):
    with pytest.raises(ConfigError, match=sentence):
        rendered(change)


def test_double_precision_is_rendered_as_single_precision():
    def double(given):
        camera = given["target_camera"]
        intrinsics, pose = camera.intrinsics.double(), camera.camera_to_world.double()
        target = Camera(intrinsics, pose, camera.height, camera.width)
        return {"images": given["images"].double(), "target_camera": target}

    assert torch.equal(rendered(double).color, rendered(lambda given: {}).color)


def test_masks_leave_their_pixels_out():
    whole = rendered(lambda given: {})
    kept = rendered(lambda given: {"masks": torch.ones(3, 24, 32, dtype=torch.bool)})
    assert torch.equal(whole.color, kept.color)
    none = rendered(lambda given: {"masks": torch.zeros(3, 24, 32, dtype=torch.bool)})
    assert not torch.equal(whole.color, none.color)


def test_what_is_no_model_or_no_scene_is_a_sentence(room, tmp_path):
    with pytest.raises(CheckpointError, match="does not exist"):
        gpnerf.load(tmp_path)
    with pytest.raises(ConfigError, match="precision as float32 or bfloat16, found 'fp16'"):
        gpnerf.load(tmp_path, precision="fp16")
    with pytest.raises(DataError, match="expected one scene, found \\d, the first in room_0000"):
        gpnerf.open_scene(room.parent)
    assert gpnerf.open_scene(room, depth_range=(0.5, 4.0)).far == 4.0
    with pytest.raises(ConfigError, match="0 < near < far, found near 5 and far 5"):
        gpnerf.open_scene(room, depth_range=(5.0, 5.0))
    with pytest.raises(DataError, match="expected scenes"):
        gpnerf.open_scene(tmp_path)
