"""A device without float64, such as Apple's GPUs: exact poses stay on the CPU, all else is computed there.

PyTorch's fake tensors stand for the device: they have shapes, types and places but no numbers, and an
operation on tensors of two places is an error, as on a real device.
"""

from collections.abc import Iterator

import pytest
import torch
from helpers import camera_at
from mvsnerf_arrays import tiny_mvsnerf
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from gpnerf.datasets.frame_reader import SourceViews
from gpnerf.geometry import cameras
from gpnerf.geometry.cameras import Camera
from gpnerf.geometry.canonical import canonical
from gpnerf.geometry.rays import Rays
from gpnerf.methods.registry import METHODS
from gpnerf.methods.settings import Settings

DEVICE = torch.device("cuda", 0)


class NoFloat64(TorchDispatchMode):
    """Raises an error when the device gets a tensor in float64."""

    def __init__(self, device: torch.device = DEVICE) -> None:
        super().__init__()
        self.device = device

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        if isinstance(found, torch.Tensor) and found.device == self.device and found.dtype == torch.float64:
            raise TypeError(f"{function} gives float64")
        return found


@pytest.fixture
def device(monkeypatch) -> Iterator[torch.device]:
    monkeypatch.setattr(cameras, "has_float64", lambda device: device.type == "cpu")
    with FakeTensorMode(allow_non_fake_inputs=True), NoFloat64():
        yield DEVICE


def views() -> tuple[Camera, Camera]:
    """A target camera and three sources, with poses in float64."""
    target, *sources = (camera_at(x, 24, 32) for x in (0.0, 0.1, 0.2, 0.3))
    exact = [
        Camera(one.intrinsics, one.camera_to_world.double(), one.height, one.width)
        for one in (target, *sources)
    ]
    return exact[0], Camera.stack(exact[1:])


def test_float64_is_refused(device):
    with pytest.raises(TypeError, match="float64"):
        torch.zeros(3, device=device).double()


@pytest.mark.parametrize("move", [canonical, lambda sources, rays: (sources.around(rays.pose[:3, 3]), rays)])
def test_rays_and_projections_are_computed_there_from_exact_poses(device, move):
    target, sources = (one.to(device) for one in views())
    assert sources.camera_to_world.dtype == torch.float64 and sources.camera_to_world.device.type == "cpu"
    pixels = torch.zeros(5, 2, device=device)
    sources, rays = move(sources, Rays.through(pixels, target, 0.5, 5.0))
    points = rays.points(torch.ones(5, 7, device=device))
    found, depths = sources.project(points)
    for one in (points, found, depths, rays.origins, sources.center):
        assert one.device == device and one.dtype == torch.float32
    assert found.shape == (3, 5, 7, 2)


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.renders])
def test_every_method_renders_there(name, device):
    with device:
        model = Settings.of(name, classes=3).build()
    target, cameras = (one.to(device) for one in views())
    sources = SourceViews(torch.zeros(3, 3, 24, 32), cameras, depths=torch.ones(3, 24, 32)).to(device)
    sources = sources if model.source_views else SourceViews.none(24, 32).to(device)
    rays = Rays.through(torch.zeros(5, 2, device=device), target, 0.5, 5.0)
    *_, found = model.render_rays(model.prepare(sources, 0.5, 5.0), sources.cameras, rays, semantics=True)
    for one in (found.color, found.depth, found.semantic):
        assert one.device == device and one.dtype == torch.float32


def test_the_exact_numbers_of_a_scene_that_a_model_took_over_stay_on_the_cpu():
    volume = tiny_mvsnerf(tune_volume=True, scene_size=(24, 32)).scene
    with NoFloat64(torch.device("meta")):
        volume.to("meta")
    assert volume.volume.is_meta and volume.pixels.is_meta
    for one in (volume.poses, volume.intrinsics, volume.range):
        assert one.device.type == "cpu" and one.dtype == torch.float64
    assert list(volume.state_dict()) == ["volume", "pixels", "intrinsics", "poses", "range"]
