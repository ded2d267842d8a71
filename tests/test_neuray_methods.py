"""NeuRay and Semantic-Ray as methods: gradients, what does not change the result, recipes, bad input."""

from dataclasses import replace

import pytest
import torch
from helpers import gradient_size, load_folder, rays_of, tiny_example, tiny_model
from torch.testing import assert_close

from gpnerf.api import Model
from gpnerf.commands.options import parse_options
from gpnerf.datasets.labels import IGNORE
from gpnerf.geometry.cameras import pixel_grid
from gpnerf.geometry.sampling import Guide
from gpnerf.methods.settings import Settings
from gpnerf.rendering.view import Quality, render_example
from gpnerf.system.errors import ConfigError, DataError

TINY = {
    "classes": 3,
    "encoder_width": 4,
    "encoder_blocks": (1, 1, 1),
    "image_features": 8,
    "ray_features": 8,
    "depth_width": 4,
    "depth_blocks": (1, 1, 1),
    "aggregation_width": 16,
    "samples": 8,
    "fine_samples": 6,
    "seen_samples": 2,
}
METHODS = ("neuray", "semantic_ray")


def tiny(method, **changes):
    torch.manual_seed(0)
    model = Settings.of(method, **{**TINY, **changes}).build()
    for field in (model.coarse, model.fine):
        # A network as small as this may start with empty samples alone, which have no gradient.
        torch.nn.init.constant_(field.aggregation.density[2].bias, 0.5)
    return model


def example_with_depth(**sizes):
    """A wall, and the depth maps of its source views."""
    example = tiny_example(**sizes)
    images = example.sources.images
    depths = torch.full((len(images), *images.shape[2:]), 2.0)
    return replace(example, sources=replace(example.sources, depths=depths))


@pytest.mark.parametrize("method", METHODS)
def test_every_parameter_of_a_method_learns_from_its_losses(method):
    model, example = tiny(method), example_with_depth()
    losses, psnr = model.losses(example, 24, torch.Generator().manual_seed(0))
    assert set(losses) == {"photometric", "semantic"} and torch.isfinite(psnr)
    for network in (model.encoder.image, model.encoder.depth, model.encoder.visibility):
        assert gradient_size(losses["photometric"], network) > 1e-9
    for field in (model.coarse, model.fine):
        assert gradient_size(losses["photometric"], field.aggregation.labels) == 0.0
        # Labels are not detached from anything: they move surfaces too.
        for network in (field.aggregation.labels, field.aggregation.density, field.hits):
            assert gradient_size(losses["semantic"], network) > 1e-9
    model.backward(losses)
    (parameters,) = model.parameter_groups().values()
    assert sum(one.grad is not None for one in parameters) == len(list(model.parameters()))


@pytest.mark.parametrize("method", METHODS)
@torch.no_grad()
def test_a_coarse_pass_of_other_rays_guides_where_it_is_asked_to(method):
    model, example = tiny(method).eval(), example_with_depth()
    sources = model.prepare(example.sources, 0.5, 5.0), example.sources.cameras
    rays = rays_of(example, pixel_grid(24, 32))
    own = model.coarse_pass(*sources, rays)
    (fine,) = model.render_rays(*sources, rays, True, guide=Guide(own.depths, own.weights))
    coarse, plain = model.render_rays(*sources, rays, True)
    assert_close(own.weights, coarse.weights)
    assert_close(fine.color, plain.color)
    assert_close(fine.semantic, plain.semantic)
    usual, best, rough = (
        render_example(model, example, "float32", quality).color
        for quality in (Quality(guide=model.defaults["guide"]), Quality(guide=1), Quality(guide=2))
    )
    assert torch.equal(usual, best) and (rough - best).abs().max() > 1e-5
    assert_close(rough[:, ::2, ::2], best[:, ::2, ::2], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
@torch.no_grad()
def test_the_order_of_the_source_views_does_not_matter(method):
    model, example = tiny(method).eval(), example_with_depth(views=4)
    order = [2, 0, 3, 1]
    sources = example.sources
    turned = replace(
        sources, images=sources.images[order], cameras=sources.cameras[order], depths=sources.depths[order]
    )
    first, second = (
        render_example(model, replace(example, sources=one), "float32") for one in (sources, turned)
    )
    for name in ("color", "depth", "features"):
        assert_close(getattr(first, name), getattr(second, name), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_world_that_is_moved_far_away_renders_the_same():
    model, example = tiny("semantic_ray").eval(), example_with_depth()
    offset = torch.tensor([3e5, -2e5, 1e4], dtype=torch.float64)

    def moved(camera):
        pose = camera.camera_to_world.double().clone()
        pose[..., :3, 3] += offset
        return replace(camera, camera_to_world=pose)

    sources = replace(example.sources, cameras=moved(example.sources.cameras))
    target = replace(example.target, camera=moved(example.target.camera))
    here = render_example(model, example, "float32")
    there = render_example(model, replace(example, sources=sources, target=target), "float32")
    assert_close(there.color, here.color, atol=1e-4, rtol=1e-4)
    assert_close(there.depth, here.depth, atol=1e-3, rtol=1e-4)


@torch.no_grad()
def test_twice_as_large_a_scene_renders_the_same_at_twice_the_depth():
    model, example = tiny("semantic_ray").eval(), example_with_depth()

    def larger(camera):
        pose = camera.camera_to_world.clone()
        pose[..., :3, 3] *= 2.0
        return replace(camera, camera_to_world=pose)

    sources = example.sources
    sources = replace(sources, cameras=larger(sources.cameras), depths=2.0 * sources.depths)
    target = replace(example.target, camera=larger(example.target.camera))
    doubled = replace(example, sources=sources, target=target, near=1.0, far=10.0)
    small, large = (render_example(model, one, "float32") for one in (example, doubled))
    assert_close(large.color, small.color, atol=1e-4, rtol=1e-4)
    assert_close(large.depth, 2.0 * small.depth, atol=1e-3, rtol=1e-4)


@torch.no_grad()
def test_depth_maps_decide_what_is_rendered_unless_they_are_left_out():
    example = example_with_depth()
    nearer = replace(example, sources=replace(example.sources, depths=0.5 * example.sources.depths))
    for depth_init, same in ((True, False), (False, True)):
        model = tiny("neuray", depth_init=depth_init).eval()
        assert model.needs_depth is depth_init
        first, second = (render_example(model, one, "float32").color for one in (example, nearer))
        assert torch.equal(first, second) is same
    without = replace(example, sources=replace(example.sources, depths=None))
    assert torch.equal(render_example(model, without, "float32").color, first)


@torch.no_grad()
def test_half_precision_renders_about_the_same():
    model, example = tiny("semantic_ray").eval(), example_with_depth()
    single, half = (render_example(model, example, precision) for precision in ("float32", "bfloat16"))
    assert half.color.dtype == half.depth.dtype == torch.float32
    assert (half.color - single.color).abs().mean() < 0.02
    assert (half.depth - single.depth).abs().mean() < 0.1


def test_from_python_depth_maps_are_given_beside_the_photographs():
    example, method = example_with_depth(), tiny("neuray").eval()
    sources, camera = example.sources, example.target.camera
    model = Model(method, ("a", "b", "c"), "float32")
    given = sources.images, sources.cameras, camera, example.near, example.far
    found = model.render(*given, depths=sources.depths)
    assert torch.equal(found.color, render_example(method, example, "float32").color)
    for depths in (None, sources.depths[:2]):
        with pytest.raises(ConfigError, match=r"depths of shape \[3, 24, 32\], from which NeuRay"):
            model.render(*given, depths=depths)


def test_a_scene_with_some_depth_maps_is_refused(scene_writer):
    writer = scene_writer(frames=3, depth=True)
    del writer.top["frames"][1]["depth_file_path"]
    scene = load_folder(writer.write())
    with pytest.raises(
        DataError, match="tiny: expected a depth map of every view, .* found 2 of 3; add them"
    ):
        tiny("semantic_ray").check_depth([scene])
    tiny("semantic_ray", depth_init=False).check_depth([scene])
    tiny_model().check_depth([scene])


@pytest.mark.parametrize("size", [(24, 32), (33, 41), (17, 17)])
@torch.no_grad()
def test_any_size_is_rendered(size):
    example = example_with_depth(height=size[0], width=size[1])
    view = render_example(tiny("semantic_ray").eval(), example, "float32")
    assert view.color.shape == (3, *size) and view.labels.shape == size
    assert torch.isfinite(view.color).all() and view.color.min() >= 0.0 and view.color.max() <= 1.0


@torch.no_grad()
def test_the_fine_pass_has_the_fine_samples_alone_and_rays_count_if_enough_is_seen():
    model, example = tiny("semantic_ray").eval(), example_with_depth()
    prepared = model.prepare(example.sources, example.near, example.far)
    rays = rays_of(example, torch.tensor([[16, 12], [0, 0]]))
    coarse, fine = model.render_rays(prepared, example.sources.cameras, rays, semantics=True)
    assert (coarse.depths.shape, fine.depths.shape) == ((2, 8), (2, 6))
    assert (coarse.semantic, fine.semantic.shape) == (None, (2, 4))
    assert (fine.depths[:, 1:] > fine.depths[:, :-1]).all()
    assert fine.depths.min() >= 0.5 - 1e-4 and fine.depths.max() <= 5.0 + 1e-4
    assert coarse.valid.tolist()[0] is True


def test_a_pixel_whose_last_output_is_the_largest_has_no_label():
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0], [1.0, 3.0]])[:, None]
    labels, confidence, _ = tiny("neuray").labels(logits, 1, 2)
    assert labels.tolist() == [[0, IGNORE]]
    assert confidence[0, 0].item() == pytest.approx(logits[:, 0, 0].softmax(dim=0)[0].item())


def test_methods_have_the_published_recipes():
    semantic_ray, neuray = (parse_options("", ["--method", method]) for method in reversed(METHODS))
    assert (semantic_ray.lr_network, semantic_ray.num_rays, semantic_ray.clip_gradient) == (1e-3, 1024, 10.0)
    assert (semantic_ray.decay, semantic_ray.decay_rate, semantic_ray.decay_steps) == ("steps", 0.2, 5_000)
    assert semantic_ray.lr_network * semantic_ray.lowest_rate == pytest.approx(5e-5)
    assert (semantic_ray.weight_decay, semantic_ray.num_source_views) == (1e-5, 8)
    assert (neuray.lr_network, neuray.num_rays, neuray.weight_decay) == (4e-4, 512, 0.0)
    assert neuray.lr_network * neuray.lowest_rate == pytest.approx(1e-5)
    assert parse_options("", []).decay == "continuous"


@pytest.mark.parametrize("method", METHODS)
def test_two_source_views_are_too_few(method):
    with pytest.raises(ConfigError, match=f"at least 3, which --method {method} needs, found 2; raise it"):
        parse_options("", ["--method", method, "--num_source_views", "2"])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"seen_samples": 8}, "--seen_samples below --samples, or no ray counts, found 8 and 8; lower it"),
        ({"samples": 1}, "--samples of at least 2"),
        ({"encoder_blocks": (1, 2)}, "--encoder_blocks to be three whole numbers .*, found 1,2"),
        (
            {"ray_features": 6},
            "--ray_features to be a multiple of the smallest share of it in a layer, found 6 and 4",
        ),
        ({"heads": 3}, "half of --aggregation_width to be a multiple of --heads, found 8 and 3"),
    ],
)
def test_sizes_that_do_not_go_together_are_a_sentence(changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        tiny("semantic_ray", **changes)
