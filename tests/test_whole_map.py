"""Maps rendered in all cells, from which the head may learn beside the fused map."""

import pytest
import torch
from helpers import gradient_size, tiny_example, tiny_model

from gpnerf.methods.gpnerf.whole_map import whole_map
from gpnerf.metrics.semantic import semantic_loss
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


def test_it_adds_to_the_loss_of_the_head_alone():
    fused, whole = tiny_model(), tiny_model(whole_maps=1.0)
    expected, losses = losses_of(fused), losses_of(whole)
    assert losses.keys() == expected.keys()
    for name in losses.keys() - {"semantic"}:
        torch.testing.assert_close(losses[name], expected[name])
    example = tiny_example()
    features = whole_map(whole, whole.prepare(example.sources, example.near, example.far), example)
    of_map = semantic_loss(whole.segment(features, 24, 32), example.target.semantic)
    torch.testing.assert_close(losses["semantic"], expected["semantic"] + of_map)
    for part in ("extractor", "transformer", "adaptor"):
        sizes = [
            gradient_size(one["semantic"], getattr(model, part))
            for one, model in ((expected, fused), (losses, whole))
        ]
        assert sizes[0] == pytest.approx(sizes[1], rel=1e-4)


def test_a_share_of_the_steps_has_it(monkeypatch):
    found = []
    monkeypatch.setattr(
        "gpnerf.methods.gpnerf.objective.whole_map", lambda *given: found.append(1) or whole_map(*given)
    )
    for seed in range(40):
        losses_of(tiny_model(whole_maps=0.25), seed)
    assert 4 <= len(found) <= 17


def test_nothing_is_rendered_for_a_head_that_does_not_learn(monkeypatch):
    monkeypatch.setattr("gpnerf.methods.gpnerf.objective.whole_map", lambda *_: pytest.fail("rendered"))
    assert "semantic" not in losses_of(tiny_model(whole_maps=1.0), semantic=False)
    assert "semantic" not in losses_of(tiny_model(whole_maps=1.0, weight_semantic=0.0))
    assert "semantic" in losses_of(tiny_model(whole_maps=1.0, head="rays"))
