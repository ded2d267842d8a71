"""A GPU gives what a CPU gives: views, gradients, compiled layers, bfloat16. Skipped where there is none."""

from dataclasses import replace

import pytest
import torch
from helpers import camera_at, tiny_example, tiny_model

from gpnerf.execution.compilation import compile_layers
from gpnerf.geometry.cameras import Camera
from gpnerf.metrics.image import psnr
from gpnerf.rendering.view import render_example, suitable_chunk
from gpnerf.system.devices import allow_tf32, autocast
from gpnerf.training.schedule import build_optimizer, step_generator

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
CUDA = torch.device("cuda")


@pytest.fixture(autouse=True)
def exact_products():
    """Other tests, and the default, may allow TF32."""
    allow_tf32("float32")
    yield
    allow_tf32("float32")


def example():
    """Cameras at other heights than the target's, whose border rows would else lie on those of the sources,
    where rounding decides what is visible."""
    whole = tiny_example()
    cameras = whole.sources.cameras
    poses = cameras.camera_to_world.clone()
    poses[:, 1, 3] += torch.tensor([0.013, -0.021, 0.034])
    return replace(whole, sources=replace(whole.sources, cameras=replace(cameras, camera_to_world=poses)))


def distance(found, expected):
    """Of two gradients by name, relative to the length of the second."""
    assert found.keys() == expected.keys()
    squares = [(found[name] - one).square().sum() for name, one in expected.items()]
    return (sum(squares) / sum(one.square().sum() for one in expected.values())).sqrt()


def step(model, precision="float32"):
    """The losses of a step and their gradients, on the CPU."""
    with autocast(model.device, precision):
        losses, _ = model.losses(example().to(model.device), 40, step_generator(0, 0))
    model.backward(losses)
    gradients = {name: one.grad.cpu() for name, one in model.named_parameters() if one.grad is not None}
    return {name: loss.detach().cpu() for name, loss in losses.items()}, gradients


def test_a_view_is_that_of_the_cpu():
    model = tiny_model().eval()
    here = render_example(model, example(), "float32")
    there = render_example(model.to(CUDA), example(), "float32")
    torch.testing.assert_close(there.color, here.color, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(there.depth, here.depth, atol=1e-3, rtol=1e-3)
    assert (there.labels == here.labels).float().mean() > 0.99


def test_losses_and_gradients_are_those_of_the_cpu():
    losses, gradients = step(tiny_model())
    found_losses, found_gradients = step(tiny_model().to(CUDA))
    assert set(losses) == {"photometric", "semantic", "distill", "depth_guided"}
    torch.testing.assert_close(found_losses, losses, atol=1e-4, rtol=1e-4)
    # Convolutions of a GPU sum in another order, which instance norm over a few pixels magnifies.
    assert distance(found_gradients, gradients) < 5e-2


@pytest.mark.parametrize("precision", ["auto", "bfloat16"])
def test_geometry_keeps_full_precision_where_products_may_be_rounded(precision):
    camera = camera_at(0.3, 480, 640)
    points = torch.rand(4000, 3, generator=torch.Generator().manual_seed(0)) + torch.tensor([0.0, 0.0, 1.0])
    pixels, depths = Camera.stack([camera]).project(points)
    allow_tf32(precision)
    with autocast(CUDA, precision):
        found_pixels, found_depths = Camera.stack([camera]).to(CUDA).project(points.to(CUDA))
        _, directions = camera.to(CUDA).rays(torch.tensor([[639, 479]], device=CUDA))
    assert torch.get_float32_matmul_precision() == "high"
    torch.testing.assert_close(found_pixels.cpu(), pixels, atol=1e-3, rtol=1e-6)
    torch.testing.assert_close(found_depths.cpu(), depths, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(
        directions.cpu(), torch.tensor([[319.5, 239.5, 640.0]]) / 640, atol=1e-6, rtol=0
    )


def test_bfloat16_renders_nearly_the_same_view():
    model = tiny_model().eval().to(CUDA)
    exact, rounded = (render_example(model, example(), precision) for precision in ("float32", "bfloat16"))
    assert psnr(rounded.color, exact.color) > 45
    assert not torch.equal(rounded.color, exact.color)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_compiled_layers_give_the_same_losses_and_gradients(precision):
    plain, compiled = (tiny_model(dropout=0.0).to(CUDA).train() for _ in range(2))
    compile_layers(compiled)
    losses, gradients = step(plain, precision)
    found_losses, found_gradients = step(compiled, precision)
    close = 1e-3 if precision == "float32" else 2e-2
    torch.testing.assert_close(found_losses, losses, atol=close, rtol=close)
    assert distance(found_gradients, gradients) < 10 * close


def test_bfloat16_trains():
    model = tiny_model(lr_transformer=3e-3).to(CUDA).train()
    optimizer = build_optimizer(model)
    totals = []
    for _ in range(40):
        optimizer.zero_grad(set_to_none=True)
        losses, _ = step(model, "bfloat16")
        totals.append(model.total(losses).item())
        optimizer.step()
    assert totals[-1] < 0.8 * totals[0]


def test_too_little_memory_halves_the_chunk(caplog):
    model = tiny_model().eval().to(CUDA)
    whole = render_example(model, example(), "float32")
    # Less than one chunk of the image needs: the allocator may take no more than it holds, and a bit.
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(CUDA).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved(CUDA) + 6 * 2**20) / total, 0)
    try:
        halved = render_example(model, example(), "float32")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, 0)
    assert "Out of memory: continuing with" in caplog.text
    torch.testing.assert_close(halved.color, whole.color, atol=1e-5, rtol=1e-5)


def test_a_chunk_fits_the_memory():
    assert suitable_chunk(tiny_model().to(CUDA), 3) >= 768
