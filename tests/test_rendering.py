"""Whole views: chunks of any size give the same picture, and smaller ones are tried where memory runs out."""

import pytest
import torch
from helpers import tiny_example, tiny_model

from gpnerf.metrics.image import psnr
from gpnerf.rendering import view as rendering
from gpnerf.rendering.view import Quality, render_example, suitable_chunk


@pytest.mark.parametrize("chunk_size", [7, 100, 10_000])
def test_the_chunk_size_changes_nothing(chunk_size):
    model, example = tiny_model().eval(), tiny_example()
    expected = render_example(model, example, "float32", Quality(64, guide=1))
    found = render_example(model, example, "float32", Quality(chunk_size, guide=1))
    torch.testing.assert_close(found.color, expected.color, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.features, expected.features, atol=1e-5, rtol=1e-5)


def test_chunks_are_halved_where_memory_runs_out(caplog):
    model, example = tiny_model().eval(), tiny_example()
    expected = render_example(model, example, "float32", Quality(200, guide=1))
    render_rays = model.render_rays

    def scarce(record, cameras, rays, *others, **wanted):
        if len(rays) > 60:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return render_rays(record, cameras, rays, *others, **wanted)

    model.render_rays = scarce
    found = render_example(model, example, "float32", Quality(200, guide=1))
    assert "Out of memory: continuing with 50 rays at a time (--chunk_size 50)." in caplog.text
    torch.testing.assert_close(found.color, expected.color, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.features, expected.features, atol=1e-5, rtol=1e-5)


def test_the_chunk_follows_from_the_size_of_a_layer_and_the_memory(monkeypatch):
    model = tiny_model()
    # 6 + 4 samples, 3 views, width 16, four bytes each.
    per_ray = 10 * 3 * 16 * 4
    monkeypatch.setattr(rendering, "memory_of", lambda device: None)
    assert suitable_chunk(model, 3) == 10 * 2**20 // per_ray
    monkeypatch.setattr(rendering, "memory_of", lambda device: 24 * 5 * per_ray)
    assert suitable_chunk(model, 3) == 5
    monkeypatch.setattr(rendering, "memory_of", lambda device: 0)
    assert suitable_chunk(model, 3) == 1


def test_bfloat16_is_close_to_float32():
    model, example = tiny_model().eval(), tiny_example()
    exact = render_example(model, example, "float32", Quality(100, guide=1))
    rounded = render_example(model, example, "bfloat16", Quality(100, guide=1))
    assert not torch.equal(rounded.color, exact.color)
    assert psnr(rounded.color, exact.color) > 35.0
    # Depths come from the same samples: geometry is never rounded.
    torch.testing.assert_close(rounded.depth, exact.depth, atol=0.05, rtol=0.02)
