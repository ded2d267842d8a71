"""The assembled model: the fused map, the gradient block, whole views in chunks, models without classes."""

import pytest
import torch
from helpers import camera_at, gradient_size, photograph, prepared, rays_of, tiny_example, tiny_model

from gpnerf.datasets.frame_reader import SourceViews
from gpnerf.geometry.cameras import Camera, pixel_grid
from gpnerf.methods.gpnerf import model as gpnerf_module
from gpnerf.methods.gpnerf.fused_map import fuse, teacher_at
from gpnerf.rendering import view as rendering
from gpnerf.rendering.view import Quality, SourceCache, render_example, render_view
from gpnerf.training.schedule import step_generator

PIXELS = torch.tensor([[0, 0], [5, 2], [31, 23], [2, 9]])
CELLS = [(0, 0), (1, 2), (11, 15), (4, 1)]


def losses_of(model, **changes):
    generator = torch.Generator().manual_seed(0)
    return model.losses(tiny_example(**changes), 32, generator)[0]


def distillation(losses):
    return losses["distill"] + losses["depth_guided"]


def test_the_fused_map_holds_rendered_features_at_their_cells_and_the_teacher_elsewhere():
    teacher, rendered = torch.randn(6, 12, 16), torch.randn(4, 6)
    fused = fuse(teacher, rendered, PIXELS)
    untouched = torch.ones(12, 16, dtype=torch.bool)
    for (row, column), features in zip(CELLS, rendered, strict=True):
        assert torch.equal(fused[:, row, column], features)
        untouched[row, column] = False
    assert untouched.sum() == 12 * 16 - 4
    assert torch.equal(fused[:, untouched], teacher[:, untouched])


def test_fusing_leaves_the_teacher_as_it_is_and_sends_gradients_to_both():
    teacher = torch.zeros(6, 12, 16, requires_grad=True)
    rendered = torch.ones(4, 6, requires_grad=True)
    fuse(teacher, rendered, PIXELS).sum().backward()
    assert torch.equal(rendered.grad, torch.ones(4, 6))
    assert teacher.grad.sum() == 6 * (12 * 16 - 4)
    assert teacher.abs().max() == 0.0


def test_of_two_rays_in_a_cell_the_first_gives_the_value_and_gets_the_gradient():
    """Also of four, and wherever they stand among the others: not the last one to be written."""
    pixels = torch.tensor([[5, 3], [8, 6], [4, 2], [9, 7], [5, 2], [4, 3], [0, 0]])
    teacher = torch.zeros(2, 12, 16)
    rendered = torch.arange(1.0, 8.0)[:, None].repeat(1, 2).requires_grad_()
    fused = fuse(teacher, rendered, pixels)
    assert fused[0, 1, 2] == 1 and fused[0, 3, 4] == 2 and fused[0, 0, 0] == 7
    assert fused.count_nonzero() == 2 * 3
    fused.sum().backward()
    assert rendered.grad[:, 0].tolist() == [1, 1, 0, 0, 0, 0, 1]


def test_teacher_at_reads_the_cell_of_each_pixel():
    teacher = torch.randn(6, 12, 16)
    expected = torch.stack([teacher[:, row, column] for row, column in CELLS])
    assert torch.equal(teacher_at(teacher, PIXELS), expected)


def test_with_the_block_distillation_trains_the_transformer_and_never_the_pyramid():
    model = tiny_model()
    losses = losses_of(model)
    for name in ("distill", "depth_guided"):
        assert gradient_size(losses[name], model.transformer) > 1e-6
        assert gradient_size(losses[name], model.extractor.pyramid) == 0.0
    # What still reaches the rest of the extractor comes through the attention, from the colour features.
    frozen = tiny_model(joint_attention=False)
    assert gradient_size(distillation(losses_of(frozen)), frozen.extractor) == 0.0


def test_without_the_block_distillation_trains_the_extractor_too():
    model = tiny_model(gradient_block="none")
    losses = losses_of(model)
    for name in ("distill", "depth_guided"):
        assert gradient_size(losses[name], model.extractor.pyramid) > 1e-6
    frozen = tiny_model(gradient_block="none", joint_attention=False)
    assert gradient_size(distillation(losses_of(frozen)), frozen.extractor.encoder) > 1e-6


def test_the_block_changes_no_value():
    blocked, free = losses_of(tiny_model()), losses_of(tiny_model(gradient_block="none"))
    for name, loss in blocked.items():
        torch.testing.assert_close(loss, free[name])


def test_the_semantic_loss_trains_extractor_transformer_adaptor_and_head():
    model = tiny_model()
    semantic = losses_of(model)["semantic"]
    for part in (model.extractor.pyramid, model.extractor.encoder, model.transformer, model.head):
        assert gradient_size(semantic, part) > 1e-6
    assert gradient_size(semantic, model.adaptor) > 1e-6


def test_the_photometric_loss_trains_colors_but_neither_pyramid_nor_head():
    model = tiny_model()
    photometric = losses_of(model)["photometric"]
    for part in (model.extractor.encoder, model.extractor.decoder, model.transformer):
        assert gradient_size(photometric, part) > 1e-6
    for part in (model.extractor.pyramid, model.adaptor, model.head):
        assert gradient_size(photometric, part) == 0.0


@pytest.mark.parametrize(("last_pass", "samples"), [("all", 10), ("fine", 4)])
def test_the_fine_pass_renders_semantics_and_the_coarse_one_does_not(last_pass, samples):
    model, example = tiny_model(last_pass=last_pass).eval(), tiny_example()
    rays = rays_of(example, PIXELS)
    coarse, fine = model.render_rays(*prepared(model, example), rays, True, point_semantics=True)
    assert (coarse.semantic, coarse.point_semantics) == (None, None)
    assert coarse.depths.shape == coarse.weights.shape == (4, 6)
    assert fine.depths.shape == fine.weights.shape == (4, samples)
    assert fine.semantic.shape == (4, 32) and fine.point_semantics.shape == (4, samples, 32)
    assert fine.depth.min() > 0.5 and fine.depth.max() < 5.0


@torch.no_grad()
def test_a_view_does_not_depend_on_the_chunk_size():
    model, example = tiny_model().eval(), tiny_example()
    camera = example.target.camera
    sources = prepared(model, example)
    views = [
        render_view(model, sources, camera, 0.5, 5.0, Quality(size, guide=1)) for size in (7, 64, 10_000)
    ]
    for view in views[1:]:
        for name in ("color", "depth", "features"):
            torch.testing.assert_close(getattr(view, name), getattr(views[0], name), atol=1e-5, rtol=1e-4)
        assert torch.equal(view.labels, views[0].labels)


@torch.no_grad()
def test_a_view_holds_the_rays_of_its_pixels_and_semantics_of_the_even_ones():
    model, example = tiny_model().eval(), tiny_example()
    sources, camera = prepared(model, example), example.target.camera
    view = render_view(model, sources, camera, 0.5, 5.0, Quality(100, guide=1))
    rays = model.render_rays(*sources, rays_of(example, pixel_grid(24, 32)), semantics=True)[-1]
    torch.testing.assert_close(view.color, rays.color.T.reshape(3, 24, 32), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(view.depth, rays.depth.reshape(24, 32), atol=1e-5, rtol=1e-4)
    features = rays.semantic.T.reshape(32, 24, 32)[:, ::2, ::2]
    torch.testing.assert_close(view.features, features, atol=1e-5, rtol=1e-4)
    assert torch.equal(view.labels, model.segment(view.features, 24, 32).argmax(dim=0))


@pytest.mark.parametrize(("height", "width"), [(33, 47), (34, 45)])
@torch.no_grad()
def test_views_of_odd_sizes_are_whole(height, width):
    model, example = tiny_model(fine_samples=0, samples=3).eval(), tiny_example(height, width)
    view = render_example(model, example, "float32", Quality(4096, guide=1))
    assert view.color.shape == (3, height, width)
    assert view.depth.shape == view.labels.shape == (height, width)
    assert view.features.shape == (32, (height + 1) // 2, (width + 1) // 2)
    assert (view.depth > 0.4).all()


@pytest.mark.parametrize("stride", [2, 3])
@torch.no_grad()
def test_a_stride_skips_colors_and_depths_and_no_label(stride):
    model, example = tiny_model(samples=3).eval(), tiny_example()
    sources, camera = prepared(model, example), example.target.camera
    full = render_view(model, sources, camera, 0.5, 5.0)
    sparse = render_view(model, sources, camera, 0.5, 5.0, Quality(stride=stride, guide=1))
    torch.testing.assert_close(sparse.color, full.color[:, ::stride, ::stride], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(sparse.depth, full.depth[::stride, ::stride], atol=1e-5, rtol=1e-4)
    assert torch.equal(sparse.labels, full.labels)


@torch.no_grad()
def test_a_model_without_classes_renders_color_and_depth_only():
    model, example = tiny_model(classes=0).eval(), tiny_example()
    assert not model.has_classes
    sources, teacher = model.encode(example.sources, example.target.image)
    assert sources.semantics is None and teacher is None
    view = render_example(model, example, "float32", Quality(4096, guide=1))
    assert view.color.shape == (3, 24, 32) and view.depth.shape == (24, 32)
    assert view.features is None and view.labels is None


@torch.no_grad()
def test_the_target_image_changes_the_teacher_and_no_source():
    model, example = tiny_model().eval(), tiny_example()
    alone = model.encode(example.sources)[0]
    sources, teacher = model.encode(example.sources, example.target.image)
    for name in ("images", "colors", "semantics"):
        torch.testing.assert_close(getattr(sources, name), getattr(alone, name), atol=1e-5, rtol=1e-4)
    other = model.encode(example.sources, 1.0 - example.target.image)[1]
    assert teacher.shape == (32, 12, 16)
    assert (other - teacher).abs().max() > 0.01


@pytest.mark.parametrize("classes", [0, 3])
@torch.no_grad()
def test_the_source_cache_gives_what_encoding_gives_and_reads_each_view_once(classes):
    model, asked = tiny_model(classes=classes).eval(), []

    def read(indices):
        asked.extend(indices)
        places = [0.1 * index for index in indices]
        images = torch.stack([photograph(x, 24, 32) for x in places])
        return SourceViews(images, Camera.stack([camera_at(x, 24, 32) for x in places]))

    cache = SourceCache(model, read, 0.5, 5.0)
    cache.prepared([4, 1])
    found, cameras = cache.prepared([1, 2, 4])
    assert asked == [4, 1, 2]
    sources = read([1, 2, 4])
    expected = model.encode(sources)[0]
    assert found.masks is None
    assert torch.equal(cameras.camera_to_world, sources.cameras.camera_to_world)
    assert torch.equal(found.images, expected.images)
    torch.testing.assert_close(found.colors, expected.colors, atol=1e-5, rtol=1e-4)
    if classes:
        torch.testing.assert_close(found.semantics, expected.semantics, atol=5e-5, rtol=1e-4)
    else:
        assert found.semantics is None


def test_the_source_cache_forgets_the_views_that_were_used_longest_ago(monkeypatch):
    monkeypatch.setattr(rendering, "VIEWS_KEPT", 2)
    asked = []

    def read(indices):
        asked.extend(indices)
        cameras = Camera.stack([camera_at(0.1 * index, 24, 32) for index in indices])
        return SourceViews(torch.rand(len(indices), 3, 24, 32), cameras)

    cache = SourceCache(tiny_model().eval(), read, 0.5, 5.0)
    for views in ([0, 1], [0], [2], [0]):
        cache.prepared(views)
    assert asked == [0, 1, 2] and len(cache.kept) == 2
    cache.prepared([1])
    assert asked == [0, 1, 2, 1]


@pytest.mark.parametrize("block", ["full", "features", "none"])
def test_rendering_again_for_the_gradient_changes_no_loss_and_no_gradient(monkeypatch, block):
    # Seven rays at a time: the last chunk is smaller.
    monkeypatch.setitem(gpnerf_module.RECOMPUTED_BYTES, "cpu", 7 * tiny_model().bytes_per_ray(3))
    found = {}
    for recompute in (False, True):
        model = tiny_model(recompute=recompute, gradient_block=block)
        losses, psnr = model.losses(tiny_example(), 20, step_generator(0, 0))
        model.backward(losses)
        gradients = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
        found[recompute] = {"psnr": psnr, **losses, **gradients}
    assert found[True].keys() == found[False].keys()
    for name, value in found[False].items():
        torch.testing.assert_close(found[True][name], value, atol=1e-5, rtol=1e-3, msg=name)
