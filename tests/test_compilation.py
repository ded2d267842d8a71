"""Compiled layers: the same numbers and gradients; a sentence, and no fault, where nothing compiles."""

import logging
from functools import partial

import pytest
import torch
from helpers import encode, tiny_example, tiny_model
from torch._dynamo.utils import counters

from gpnerf import compilation
from gpnerf.compilation import compile_layers, missing_compiler
from gpnerf.losses import LossWeights
from gpnerf.training import backward, compute_losses, step_generator

needs_compiler = pytest.mark.skipif(
    missing_compiler(torch.device("cpu")) is not None, reason="no C++ compiler on this machine"
)
MACHINE_CODE = pytest.param("inductor", marks=[pytest.mark.slow, needs_compiler])
COMPILED = ("aggregate_views", "aggregate_ray")


@pytest.fixture(params=["aot_eager", MACHINE_CODE])
def compile_model(request, monkeypatch):
    """Compiles a model, and all of it: to machine code, which takes a minute, or in the steps before that."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=request.param))
    monkeypatch.setattr(compilation, "missing_compiler", lambda device: None)
    counters.clear()

    def compiled(model):
        compile_layers(model, "yes", 0, 0)
        assert all(name in vars(model.transformer) for name in COMPILED)
        return model

    yield compiled
    assert counters["frames"]["ok"] == counters["frames"]["total"] > 0


def losses_and_gradients(model):
    losses, _ = compute_losses(model, tiny_example(), 20, LossWeights(), step_generator(0, 0))
    backward(model, losses, LossWeights())
    gradients = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
    return {name: loss.detach() for name, loss in losses.items()}, gradients


def test_compiled_layers_give_the_same_losses_and_gradients(compile_model):
    # One kind of layer in one pass: every further one takes as long to compile.
    plain, compiled = (tiny_model(layers=1, fine_samples=0, dropout=0.1).train() for _ in range(2))
    losses, gradients = losses_and_gradients(plain)
    found_losses, found_gradients = losses_and_gradients(compile_model(compiled))
    assert set(losses) == {"photometric", "semantic", "distill", "depth_guided"}
    torch.testing.assert_close(found_losses, losses, atol=1e-5, rtol=1e-5)
    assert gradients.keys() == found_gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(found_gradients[name], gradient, atol=1e-5, rtol=1e-3, msg=name)


@torch.no_grad()
def test_compiled_layers_render_the_same_rays(compile_model):
    plain, compiled = (tiny_model(layers=1, fine_samples=0).eval() for _ in range(2))
    compile_model(compiled)
    example = tiny_example()
    rays = example.target.camera.rays(torch.tensor([[1, 2], [30, 20], [15, 11]]))
    expected, found = (
        one.render_rays(encode(one, example), *rays, example.near, example.far, semantics=True)[-1]
        for one in (plain, compiled)
    )
    for name in ("color", "depth", "semantic"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), atol=1e-5, rtol=1e-5)


def test_a_machine_without_a_compiler_runs_uncompiled_and_says_why(monkeypatch, caplog):
    monkeypatch.setattr(compilation.shutil, "which", lambda name: None)
    model = tiny_model()
    before = [getattr(model.transformer, name) for name in COMPILED]
    with caplog.at_level(logging.INFO):
        compile_layers(model, "yes", 0, 0)
    assert "needs a C++ compiler (g++ or clang++), which is not on this machine" in caplog.text
    assert [getattr(model.transformer, name) for name in COMPILED] == before


@pytest.mark.parametrize(
    ("wanted", "rays", "training", "compiled"),
    [
        ("auto", 10, False, 0),
        ("auto", 10**9, False, 1),
        ("auto", 10**9, True, 0),
        ("yes", 10, True, 1),
        ("no", 10**9, False, 0),
    ],
)
def test_auto_compiles_long_rendering_on_a_cpu_only(monkeypatch, wanted, rays, training, compiled):
    monkeypatch.setattr(compilation, "missing_compiler", lambda device: None)
    calls = []
    monkeypatch.setattr(torch, "compile", lambda function, **options: calls.append(function) or function)
    compile_layers(tiny_model().train(training), wanted, rays, views=3)
    assert bool(calls) == bool(compiled)
