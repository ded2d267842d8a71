"""Maps rendered in all cells, from which the head may learn instead of the fused map."""

import pytest
import torch
from helpers import gradient_size, tiny_example, tiny_model

from gpnerf.methods.gpnerf.whole_map import whole_map
from gpnerf.rendering.view import Quality, render_example


def losses_of(model, seed=0, **changes):
    generator = torch.Generator().manual_seed(seed)
    return model.losses(tiny_example(**changes), 32, generator)[0]


@pytest.mark.parametrize("last_pass", ["all", "fine"])
def test_it_is_the_map_that_a_rendering_gives_the_head(last_pass, monkeypatch):
    """Also in a model in training, which has dropout, and a few rays at a time."""
    model, example = tiny_model(last_pass=last_pass, dropout=0.5, guide_distance=3).train(), tiny_example()
    prepared = model.prepare(example.sources, example.near, example.far)
    monkeypatch.setattr(model, "recomputed_rays", lambda views: 50)
    found = whole_map(model, prepared, example)
    assert model.training and not found.requires_grad
    view = render_example(model.eval(), example, "float32", Quality(guide=6))
    torch.testing.assert_close(found, view.features, atol=1e-5, rtol=1e-4)


def test_it_trains_the_head_alone_and_leaves_the_other_losses():
    fused, whole = tiny_model(), tiny_model(whole_maps=1.0)
    expected, losses = losses_of(fused), losses_of(whole)
    assert losses.keys() == expected.keys()
    for name in losses.keys() - {"semantic"}:
        torch.testing.assert_close(losses[name], expected[name])
    assert (losses["semantic"] - expected["semantic"]).abs() > 1e-6
    assert gradient_size(losses["semantic"], whole.head) > 1e-6
    for part in (whole.extractor, whole.transformer, whole.adaptor):
        assert gradient_size(losses["semantic"], part) == 0.0


def test_a_share_of_the_steps_has_it():
    model = tiny_model(whole_maps=0.25)
    whole = [gradient_size(losses_of(model, seed)["semantic"], model.transformer) == 0 for seed in range(40)]
    assert 4 <= sum(whole) <= 17


def test_nothing_is_rendered_for_a_head_that_does_not_learn(monkeypatch):
    monkeypatch.setattr("gpnerf.methods.gpnerf.objective.whole_map", lambda *_: pytest.fail("rendered"))
    assert "semantic" not in losses_of(tiny_model(whole_maps=1.0), semantic=False)
    assert "semantic" not in losses_of(tiny_model(whole_maps=1.0, weight_semantic=0.0))
    assert "semantic" in losses_of(tiny_model(whole_maps=1.0, head="rays"))
