"""A step of training: learning rates by hand, repeatable randomness, which losses there are, learning."""

import math

import pytest
import torch
from helpers import gradient_size, prepared, rays_of, tiny_example, tiny_model

from gpnerf.geometry.sampling import at_pixels
from gpnerf.training.schedule import (
    Schedule,
    build_optimizer,
    load_optimizer,
    set_learning_rates,
    step_generator,
)


def losses_of(model, example, rays=16, seed=0):
    return model.losses(example, rays, torch.Generator().manual_seed(seed))


def test_the_factor_of_the_rates_by_hand():
    schedule = Schedule(decay_rate=0.25, decay_steps=100)
    assert [schedule.factor(step) for step in (0, 50, 100, 200)] == pytest.approx([1.0, 0.5, 0.25, 0.0625])
    warm = Schedule(decay_rate=1.0, warmup_steps=3)
    assert [warm.factor(step) for step in range(5)] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])
    assert Schedule().factor(100_000) == pytest.approx(0.6)


def test_rates_that_fall_in_steps_end_at_the_lowest_one():
    semantic_ray = Schedule(decay_rate=0.2, decay_steps=5_000, decay="steps", lowest_rate=0.05)
    factors = [semantic_ray.factor(step) for step in (0, 4_999, 5_000, 9_999, 10_000, 600_000)]
    assert factors == pytest.approx([1.0, 1.0, 0.2, 0.2, 0.05, 0.05])
    # The lowest rate holds for a continuous decay too, and the warm-up comes on top.
    slow = Schedule(decay_rate=0.5, decay_steps=1, lowest_rate=0.3, warmup_steps=1)
    assert [slow.factor(step) for step in range(4)] == pytest.approx([0.5, 0.5, 0.3, 0.3])


def test_rates_that_fall_along_a_cosine_by_hand():
    wave = Schedule(decay="cosine", decay_rate=0.9, decay_steps=100, lowest_rate=0.2)
    # 0.2 + 0.8 (1 + cos t) / 2, where t is 0, 60, 90, 180 degrees and stays there.
    factors = [wave.factor(step) for step in (0, 33, 50, 100, 700)]
    assert factors == pytest.approx([1.0, 0.8036, 0.6, 0.2, 0.2], abs=1e-4)
    assert Schedule(decay="cosine", decay_steps=2, warmup_steps=1).factor(0) == pytest.approx(0.5)


def test_weight_decay_by_hand():
    """A weight without a loss has its decay alone as gradient, of which Adam's first step keeps the sign."""
    model = tiny_model(lr_head=0.01)
    optimizer = build_optimizer(model, weight_decay=0.1)
    weight = next(model.head.parameters())
    torch.nn.init.constant_(weight, -0.5)
    weight.grad = torch.zeros_like(weight)
    optimizer.step()
    assert torch.allclose(weight, torch.full_like(weight, -0.49), atol=1e-5)


def test_a_resumed_optimizer_keeps_the_rates_and_the_weight_decay_of_the_options():
    old, new = build_optimizer(tiny_model()), build_optimizer(tiny_model(lr_head=0.5), weight_decay=0.1)
    load_optimizer(new, old.state_dict())
    assert [group["weight_decay"] for group in new.param_groups] == [0.1] * 3
    assert {group["name"]: group["initial_lr"] for group in new.param_groups}["head"] == 0.5


def test_groups_learn_at_the_published_rates_times_the_factor():
    optimizer = build_optimizer(tiny_model())
    published = {"extractor": 5e-3, "transformer": 1e-5, "head": 5e-5}
    assert {group["name"]: group["lr"] for group in optimizer.param_groups} == published
    for step in (50_000, 200_000, 0):
        set_learning_rates(optimizer, Schedule(), step)
        for group in optimizer.param_groups:
            assert group["lr"] == pytest.approx(published[group["name"]] * 0.6 ** (step / 100_000))


@pytest.mark.parametrize("classes", [0, 3])
def test_every_parameter_is_in_exactly_one_group(classes):
    model = tiny_model(classes=classes)
    groups = {group["name"]: group["params"] for group in build_optimizer(model).param_groups}
    grouped = [id(parameter) for parameters in groups.values() for parameter in parameters]
    assert sorted(grouped) == sorted(id(parameter) for parameter in model.parameters())
    assert set(groups) == ({"extractor", "transformer", "head"} if classes else {"extractor", "transformer"})


def test_the_pyramid_learns_as_extractor_and_the_adaptor_as_transformer():
    model = tiny_model()
    groups = {
        group["name"]: {id(parameter) for parameter in group["params"]}
        for group in build_optimizer(model).param_groups
    }
    assert {id(parameter) for parameter in model.extractor.pyramid.parameters()} <= groups["extractor"]
    assert {id(parameter) for parameter in model.adaptor.parameters()} <= groups["transformer"]
    assert {id(parameter) for parameter in model.head.parameters()} == groups["head"]


def test_a_steps_randomness_depends_on_seed_and_step_alone():
    def numbers(seed, step):
        generator = step_generator(seed, step)
        return torch.cat([torch.rand(4, generator=generator), torch.rand(4)]).tolist()

    first = numbers(3, 7)
    torch.rand(5)
    assert numbers(3, 7) == first
    others = [numbers(3, 8), numbers(4, 7), numbers(7, 3)]
    for other in others:
        assert not set(first) & set(other)


def test_values_at_pixels_by_hand():
    image = torch.arange(12.0).reshape(2, 2, 3)
    pixels = torch.tensor([[2, 0], [0, 1]])
    assert at_pixels(image, pixels).tolist() == [[2.0, 8.0], [3.0, 9.0]]
    assert at_pixels(image[0], pixels).tolist() == [2.0, 3.0]


@pytest.mark.parametrize(
    ("classes", "depth", "semantic", "names"),
    [
        (3, True, True, {"photometric", "semantic", "distill", "depth_guided"}),
        (3, False, True, {"photometric", "semantic", "distill"}),
        (3, True, False, {"photometric", "distill", "depth_guided"}),
        (3, False, False, {"photometric", "distill"}),
        (0, True, True, {"photometric"}),
    ],
)
def test_the_losses_are_those_that_model_and_maps_allow(classes, depth, semantic, names):
    example = tiny_example(depth=depth, semantic=semantic)
    losses, _ = losses_of(tiny_model(classes=classes), example)
    assert set(losses) == names
    assert all(loss.isfinite() and loss > 0 for loss in losses.values())


@pytest.mark.parametrize("name", ["semantic", "distill", "depth_guided"])
def test_a_weight_of_zero_switches_its_loss_off_and_changes_no_other(name):
    example = tiny_example()
    everything, _ = losses_of(tiny_model(), example)
    fewer, _ = losses_of(tiny_model(**{f"weight_{name}": 0.0}), example)
    assert set(everything) - set(fewer) == {name}
    for kept, loss in fewer.items():
        torch.testing.assert_close(loss, everything[kept])


def test_the_psnr_is_that_of_the_final_colors():
    losses, psnr = losses_of(tiny_model(classes=0, fine_samples=0), tiny_example())
    assert psnr.item() == pytest.approx(-10.0 * math.log10(losses["photometric"].item() / 3.0), abs=1e-4)
    assert not psnr.requires_grad


def test_both_passes_are_compared_with_the_photograph():
    model, example = tiny_model(classes=0), tiny_example()
    losses, psnr = losses_of(model, example)
    final = 3.0 * 10.0 ** (-psnr.item() / 10.0)
    coarse = losses["photometric"].item() - final
    assert 0.1 * final < coarse < 10.0 * final


def test_the_same_generator_gives_the_same_losses():
    model, example = tiny_model(), tiny_example()
    first, again, other = (losses_of(model, example, seed=seed)[0]["photometric"] for seed in (0, 0, 1))
    assert first == again != other


def test_thirty_steps_on_a_small_scene_lower_every_loss():
    weights = {"weight_photometric": 1.0, "weight_semantic": 1.0, "weight_depth_guided": 0.1}
    rates = {"lr_extractor": 2e-3, "lr_transformer": 2e-3, "lr_head": 2e-3}
    model, example = tiny_model(weight_distill=0.25, **weights, **rates), tiny_example()
    optimizer = build_optimizer(model)
    history = []
    for step in range(30):
        set_learning_rates(optimizer, Schedule(), step)
        losses, psnr = model.losses(example, 64, step_generator(0, step))
        optimizer.zero_grad()
        model.total(losses).backward()
        optimizer.step()
        history.append({**{name: loss.item() for name, loss in losses.items()}, "psnr": psnr.item()})

    def mean(name, steps):
        return sum(one[name] for one in steps) / len(steps)

    before, after = history[:5], history[-5:]
    for name in ("photometric", "semantic"):
        assert mean(name, after) < 0.7 * mean(name, before)
    for name in ("distill", "depth_guided"):
        assert mean(name, after) < mean(name, before)
    assert mean("psnr", after) > mean("psnr", before) + 1.0


def gradients_after(**changes):
    """The gradients of every parameter after one backward pass over one example."""
    model = tiny_model(**changes)
    losses, _ = losses_of(model, tiny_example())
    model.backward(losses)
    return {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone()
        for name, parameter in model.named_parameters()
    }


def parts_of(gradients, *prefixes):
    return {name: gradient for name, gradient in gradients.items() if name.startswith(prefixes)}


def test_full_block_keeps_distillation_out_of_the_extractor_and_lets_it_train_the_transformers():
    with_distillation = gradients_after(gradient_block="full")
    without = gradients_after(gradient_block="full", weight_distill=0.0, weight_depth_guided=0.0)
    for name, gradient in parts_of(with_distillation, "extractor.", "head.").items():
        torch.testing.assert_close(gradient, without[name], msg=name)
    free = gradients_after(gradient_block="none")
    assert any(
        (gradient - without[name]).abs().max() > 1e-6
        for name, gradient in parts_of(free, "extractor.pyramid.").items()
    )
    changed = parts_of(with_distillation, "transformer.field_layers.", "adaptor.")
    assert any((gradient - without[name]).abs().max() > 1e-6 for name, gradient in changed.items())


def test_the_two_passes_of_the_full_block_add_up_for_the_transformers():
    """Transformers and adaptor get what one common pass gives them; so does the head."""
    full = gradients_after(gradient_block="full")
    common = gradients_after(gradient_block="features")
    for name, gradient in parts_of(full, "transformer.", "adaptor.", "head.").items():
        torch.testing.assert_close(gradient, common[name], atol=1e-6, rtol=1e-4, msg=name)


def test_frozen_attention_and_the_full_block_leave_the_depth_guided_loss_nothing_to_train():
    changes = {"joint_attention": False, "weight_distill": 0.0}
    with_it, without = gradients_after(**changes), gradients_after(**changes, weight_depth_guided=0.0)
    for name, gradient in with_it.items():
        torch.testing.assert_close(gradient, without[name], msg=name)


@pytest.mark.parametrize("sizes", [{"classes": 0}, {"classes": 3}, {"classes": 3, "head": "rays"}])
def test_the_losses_that_need_depth_are_those_that_the_model_names(sizes):
    model = tiny_model(**sizes, weight_depth=1.0)
    seen, blind = (losses_of(model, tiny_example(depth=depth))[0] for depth in (True, False))
    assert set(seen) - set(blind) == set(model.depth_losses)


def test_true_depth_trains_the_attention_and_is_skipped_without_depth_maps():
    model = tiny_model(weight_depth=1.0)
    losses, _ = losses_of(model, tiny_example())
    assert set(losses) == {"photometric", "semantic", "distill", "depth_guided", "depth"}
    assert gradient_size(losses["depth"], model.transformer.ray_layers[-1].query) > 1e-6
    assert gradient_size(losses["depth"], model.transformer.field_layers[0].key) > 1e-6
    without, _ = losses_of(model, tiny_example(depth=False))
    assert "depth" not in without


def test_the_mean_attention_guides_fine_samples_or_the_published_row_does():
    example = tiny_example()
    rays = rays_of(example, torch.tensor([[4, 5], [20, 9]]))
    mean, published = (
        model.render_rays(*prepared(model, example), rays, semantics=False)
        for model in (tiny_model(ray_weights=kind).eval() for kind in ("mean", "published"))
    )
    coarse = mean[0]
    torch.testing.assert_close(coarse.depth, (coarse.weights * coarse.depths).sum(dim=1))
    assert not torch.allclose(coarse.weights, published[0].weights)
