"""Compiled layers: the same numbers and gradients; a sentence, and no fault, where nothing compiles."""

import logging
from functools import partial

import pytest
import torch
from helpers import prepared, rays_of, tiny_example, tiny_model
from torch._dynamo.utils import counters

from gpnerf.execution import compilation
from gpnerf.execution.compilation import compile_layers, missing_compiler, worth_compiling
from gpnerf.execution.workload import Sample, Workload
from gpnerf.methods.method import Method
from gpnerf.training.schedule import step_generator

needs_compiler = pytest.mark.skipif(
    missing_compiler(torch.device("cpu")) is not None, reason="no C++ compiler on this machine"
)
MACHINE_CODE = pytest.param("inductor", marks=[pytest.mark.slow, needs_compiler])
COMPILED = ("embed_views", "layer")


@pytest.fixture(params=["aot_eager", MACHINE_CODE])
def compile_model(request, monkeypatch):
    """Compiles a model, and all of it: to machine code, which takes a minute, or in the steps before that."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=request.param))
    monkeypatch.setattr(compilation, "missing_compiler", lambda device: None)
    counters.clear()

    def compiled(model):
        assert compile_layers(model)
        assert all(name in vars(model.transformer) for name in COMPILED)
        return model

    yield compiled
    assert counters["frames"]["ok"] == counters["frames"]["total"] > 0


def losses_and_gradients(model):
    losses, _ = model.losses(tiny_example(), 20, step_generator(0, 0))
    model.backward(losses)
    gradients = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
    return {name: loss.detach() for name, loss in losses.items()}, gradients


def test_compiled_layers_give_the_same_losses_and_gradients(compile_model):
    # One kind of layer in one pass: every further one takes as long to compile.
    plain, compiled = (tiny_model(layers=1, fine_samples=0).train() for _ in range(2))
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
    rays = rays_of(example, torch.tensor([[1, 2], [30, 20], [15, 11]]))
    expected, found = (
        one.render_rays(*prepared(one, example), rays, semantics=True)[-1] for one in (plain, compiled)
    )
    for name in ("color", "depth", "semantic"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), atol=1e-5, rtol=1e-5)


def test_a_machine_without_a_compiler_runs_uncompiled_and_says_why(monkeypatch, caplog):
    monkeypatch.setattr(compilation.shutil, "which", lambda name: None)
    model = tiny_model()
    before = [getattr(model.transformer, name) for name in COMPILED]
    with caplog.at_level(logging.INFO):
        compile_layers(model)
    assert "a C++ compiler (g++ or clang++) is not installed on this machine" in caplog.text
    assert [getattr(model.transformer, name) for name in COMPILED] == before


def test_a_method_with_nothing_to_compile_says_so(monkeypatch, caplog):
    model = tiny_model()
    monkeypatch.setattr(type(model), "compiled_parts", Method.compiled_parts)
    with caplog.at_level(logging.INFO):
        assert not compile_layers(model)
    assert "the method has no layers that it makes faster" in caplog.text


@pytest.mark.parametrize(
    ("wanted", "training", "plain", "compiled", "expected"),
    [
        ("auto", False, 1.0, 0.5, True),
        ("auto", False, 1.0, 0.9, False),
        # 100 samples of 1 s are worth asking, of 0.1 s not.
        ("auto", False, 0.1, 0.01, False),
        ("auto", True, 1.0, 0.1, False),
        ("yes", True, 1.0, 2.0, True),
        ("no", False, 1.0, 0.1, False),
    ],
)
def test_auto_compiles_long_rendering_that_becomes_faster(
    monkeypatch, wanted, training, plain, compiled, expected
):
    monkeypatch.setattr(compilation, "missing_compiler", lambda device: None)
    seconds = {"plain": 2 * plain, "compiled": 2 * compiled}
    monkeypatch.setattr(compilation, "timed", lambda question, facts, candidates: seconds)
    monkeypatch.setattr(torch, "compile", lambda function, **options: lambda *given: function(*given))
    model = tiny_model().train(training)
    before = [getattr(model.transformer, name) for name in COMPILED]
    work = Workload(24, 32, views=3, rays=20, items=100, training=training, chunk=20)
    assert worth_compiling(wanted, Sample(model, work), "float32", "machine") == expected
    # Deciding compiles nothing for good.
    assert [getattr(model.transformer, name) for name in COMPILED] == before


def test_work_of_many_shapes_is_compiled_only_if_asked_for(monkeypatch):
    monkeypatch.setattr(compilation, "timed", None)
    work = Workload(24, 32, views=3, rays=20, items=100, training=True, chunk=20, one_shape=False)
    sample = Sample(tiny_model(), work)
    assert not worth_compiling("auto", sample, "float32", "machine")
    assert worth_compiling("yes", sample, "float32", "machine")


def test_a_timing_leaves_the_layers_as_they_were_even_if_it_fails(monkeypatch):
    """What is timed last is compiled; a candidate may run out of memory."""

    def run(question, facts, candidates):
        for candidate in candidates.values():
            candidate()
        if question == "compile":
            raise MemoryError
        return {"plain": 10.0}

    monkeypatch.setattr(compilation, "missing_compiler", lambda device: None)
    monkeypatch.setattr(compilation, "timed", run)
    monkeypatch.setattr(torch, "compile", lambda function, **options: lambda *given: function(*given))
    model = tiny_model().eval()
    before = [getattr(model.transformer, name) for name in COMPILED]
    sample = Sample(model, Workload(24, 32, views=3, rays=20, items=100, training=False, chunk=20))
    with pytest.raises(MemoryError):
        worth_compiling("auto", sample, "float32", "machine")
    assert [getattr(model.transformer, name) for name in COMPILED] == before
