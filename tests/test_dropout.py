"""Dropout on a CPU: nn.Dropout's definition with cheaper random numbers."""

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from gpnerf.methods.gpnerf.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_entries_are_zero_with_probability_p_or_scaled_up(p, dtype):
    torch.manual_seed(0)
    inputs = torch.full((101, 103, 7), 3.0, dtype=dtype)
    outputs = Dropout(p)(inputs)
    assert outputs.dtype == dtype
    kept = outputs != 0
    torch.testing.assert_close(
        outputs[kept].double(),
        torch.full((), 3.0 / (1 - p)).expand(kept.sum()).double(),
        rtol=4e-3 if dtype == torch.bfloat16 else 1e-4,
        atol=0,
    )
    # Five standard deviations of a binomial share.
    assert abs((~kept).double().mean().item() - p) < 5 * (p * (1 - p) / inputs.numel()) ** 0.5


def test_neighbours_are_dropped_independently_of_each_other():
    torch.manual_seed(0)
    dropped = (Dropout(0.5)(torch.ones(400_000)) == 0).float()
    centred = dropped - dropped.mean()
    for distance in (1, 2, 3, 4, 5, 8):
        correlation = (centred[distance:] * centred[:-distance]).mean() / centred.square().mean()
        assert abs(correlation.item()) < 0.008, distance


def test_the_gradient_passes_where_the_value_did():
    torch.manual_seed(0)
    inputs = torch.randn(50, 7, requires_grad=True)
    outputs = Dropout(0.25)(inputs)
    outputs.sum().backward()
    torch.testing.assert_close(inputs.grad, (outputs != 0) / 0.75)


def test_a_seed_fixes_what_is_dropped_and_no_two_calls_drop_the_same():
    layer, ones = Dropout(0.5), torch.ones(1000)
    torch.manual_seed(3)
    first, second = layer(ones), layer(ones)
    torch.manual_seed(3)
    assert torch.equal(layer(ones), first)
    assert not torch.equal(first, second)


def test_what_is_computed_again_for_the_gradient_drops_the_same():
    torch.manual_seed(0)
    layer, inputs = Dropout(0.5), torch.ones(1000, requires_grad=True)
    outputs = checkpoint(lambda values: layer(values).square(), inputs, use_reentrant=False)
    outputs.sum().backward()
    # Of (2 x)^2 at 1: 8 where it was kept.
    torch.testing.assert_close(inputs.grad, 2 * outputs.detach())


@pytest.mark.parametrize(("p", "training"), [(0.0, True), (0.5, False)])
def test_without_dropping_the_input_is_returned_as_it_is(p, training):
    inputs = torch.randn(10)
    assert torch.equal(Dropout(p).train(training)(inputs), inputs)
