"""Updates of the weights: gradients that are not finite, long ones, several examples, no memory."""

import logging
from dataclasses import replace

import pytest
import torch
from helpers import tiny_example, tiny_model

from gpnerf.methods.gpnerf import model as gpnerf
from gpnerf.system.errors import DataError, TrainingError
from gpnerf.training.schedule import Schedule, build_optimizer
from gpnerf.training.updater import MOST_SKIPPED, StepOptions, Updater


def updater(recompute=True, **changes):
    model = tiny_model(lr_extractor=1e-3, lr_transformer=1e-3, lr_head=1e-3, recompute=recompute)
    steps = StepOptions(**{"num_rays": 16, **changes})
    return Updater(model, build_optimizer(model), Schedule(), steps, "float32", seed=0)


def state(update):
    return {name: tensor.clone() for name, tensor in update.model.state_dict().items()}


def broken_example():
    example = tiny_example()
    sources = replace(example.sources, images=example.sources.images * torch.nan)
    return replace(example, sources=sources)


def test_a_step_without_a_finite_gradient_changes_nothing_and_is_counted(caplog):
    update = updater()
    update(0, [tiny_example()])
    before = state(update)
    with caplog.at_level(logging.WARNING):
        update(1, [broken_example()])
    assert update.skipped == 1
    assert "Step 1 is skipped because its gradient is not finite (wall, view 0)." in caplog.text
    for name, tensor in update.model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    update(2, [tiny_example()])
    assert any(not torch.equal(tensor, before[name]) for name, tensor in update.model.state_dict().items())
    assert (update.skipped, update.in_a_row) == (1, 0)


def test_many_such_steps_in_a_row_end_the_training_and_name_the_view():
    update, example = updater(), broken_example()
    for step in range(MOST_SKIPPED - 1):
        update(step, [example])
    with pytest.raises(
        TrainingError, match=r"step 9 \(wall, view 0\); the weights are those of the last good"
    ):
        update(MOST_SKIPPED - 1, [example])


def test_a_long_gradient_is_shortened_to_the_given_length(monkeypatch):
    lengths = []

    def take_length(update):
        gradients = [one.grad for one in update.parameters if one.grad is not None]
        lengths.append(torch.linalg.vector_norm(torch.stack([one.norm() for one in gradients])).item())

    for clip in (0.0, 1e-3):
        update = updater(clip_gradient=clip)
        monkeypatch.setattr(update.optimizer, "step", lambda update=update: take_length(update))
        update(0, [tiny_example()])
    assert lengths[0] > 1e-2
    assert lengths[1] == pytest.approx(1e-3, rel=1e-4)


def test_two_examples_give_the_mean_of_their_gradients_and_losses():
    examples = [tiny_example(), tiny_example(views=2)]
    both = updater(accumulate=2)
    both.optimizer.step = lambda: None
    values = both(0, examples)
    singles, gradients = [], []
    for number, example in enumerate(examples):
        one = updater()
        one.optimizer.step = lambda: None
        singles.append(one(number, [example])["loss"])
        gradients.append([parameter.grad for parameter in one.parameters])
    assert values["loss"].item() == pytest.approx(sum(singles).item() / 2, rel=1e-6)
    for parameter, first, second in zip(both.parameters, *gradients, strict=True):
        if first is None:
            assert parameter.grad is None and second is None
            continue
        torch.testing.assert_close(parameter.grad, (first + second) / 2, atol=1e-6, rtol=1e-4)


def test_what_a_faulty_example_holds_is_raised():
    with pytest.raises(DataError, match="no such image"):
        updater()(0, [DataError("no such image")])


def test_no_memory_is_a_sentence_that_names_the_options(monkeypatch):
    def fail(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(gpnerf.GPNeRF, "losses", fail)
    with pytest.raises(TrainingError, match="16 rays and 3 source views; lower --num_rays.*--width.$"):
        updater()(0, [tiny_example()])


@pytest.mark.parametrize(
    "recompute, bytes_at_a_time, advised", ((False, 1, True), (False, 1 << 30, False), (True, 1, False))
)
def test_recomputing_is_advised_only_where_it_would_act(monkeypatch, recompute, bytes_at_a_time, advised):
    def fail(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(gpnerf.GPNeRF, "losses", fail)
    monkeypatch.setitem(gpnerf.RECOMPUTED_BYTES, "cpu", bytes_at_a_time)
    with pytest.raises(TrainingError) as stopped:
        updater(recompute)(0, [tiny_example()])
    assert ("--recompute yes" in str(stopped.value)) == advised


def test_other_runtime_errors_are_not_taken_for_it(monkeypatch):
    def fail(*arguments):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(gpnerf.GPNeRF, "losses", fail)
    with pytest.raises(RuntimeError, match="shapes differ"):
        updater()(0, [tiny_example()])
