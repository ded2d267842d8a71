"""MVSNeRF as a method: gradients, what does not change the result, the volume of one scene, bad input."""

from dataclasses import replace

import pytest
import torch
from helpers import gradient_size, rays_of, tiny_example
from mvsnerf_arrays import TINY, tiny_mvsnerf
from torch.testing import assert_close

from gpnerf.api import Model
from gpnerf.commands.options import parse_options
from gpnerf.datasets.labels import IGNORE
from gpnerf.geometry.cameras import pixel_grid
from gpnerf.methods.settings import Settings
from gpnerf.rendering.view import render_example
from gpnerf.system.errors import ConfigError
from gpnerf.training.checkpoint import Checkpoint
from gpnerf.training.weights_folder import read_weights, write_weights


def tuned_mvsnerf(example, **changes):
    """A model that has taken over the sources of an example."""
    model = tiny_mvsnerf(tune_volume=True, **changes)
    model.adopt_scene(example.sources, example.near, example.far)
    return model


def step(model, example):
    return model.losses(example, 24, torch.Generator().manual_seed(0)).losses


def test_every_parameter_learns_from_the_losses():
    model = tiny_mvsnerf()
    losses = step(model, tiny_example())
    assert set(losses) == {"photometric", "semantic"}
    for network in (model.encoder.features, model.encoder.volume, model.field.density):
        assert gradient_size(losses["photometric"], network) > 1e-9
        # Labels are rendered with live weights: they move surfaces too.
        assert gradient_size(losses["semantic"], network) > 1e-9
    assert gradient_size(losses["photometric"], model.field.labels) == 0.0
    model.backward(losses)
    (parameters,) = model.parameter_groups().values()
    assert len(parameters) == len(list(model.parameters()))
    assert all(one.grad is not None for one in parameters)


def test_a_tuned_model_learns_its_volume_instead_of_the_networks_that_made_it():
    example = tiny_example()
    model = tuned_mvsnerf(example)
    model.backward(step(model, example))
    (parameters,) = model.parameter_groups().values()
    assert {id(one) for one in parameters} == {
        id(one) for one in (*model.field.parameters(), model.scene.volume)
    }
    assert model.scene.volume.grad.abs().max() > 0 and model.field.scale.weight.grad.abs().max() > 0
    assert all(one.grad is None for one in model.encoder.parameters())


@torch.no_grad()
def test_a_model_that_takes_over_a_scene_renders_as_before_and_needs_the_sources_no_more():
    example = tiny_example()
    before = render_example(tiny_mvsnerf().eval(), example, "float32")
    model = tuned_mvsnerf(example).eval()
    others = replace(example.sources, images=1.0 - example.sources.images)
    for sources in (example.sources, others):
        after = render_example(model, replace(example, sources=sources), "float32")
        for name in ("color", "depth", "features"):
            assert torch.equal(getattr(after, name), getattr(before, name))
    camera = example.target.camera
    alone = Model(model, ("a", "b", "c"), "float32").render(None, None, camera, example.near, example.far)
    assert torch.equal(alone.color, before.color)
    assert model.sizes == replace(tiny_mvsnerf().sizes, scene_size=(24, 32))
    # 24 / 4 + 4 = 10 rows and 32 / 4 + 4 = 12 columns, both rounded up to 16.
    assert model.scene.volume.shape == (4, 16, 16, 16)


@torch.no_grad()
def test_a_tuned_model_is_rebuilt_from_its_checkpoint_and_from_an_exported_folder(tmp_path):
    example = tiny_example()
    offset = torch.tensor([3e5, -2e5, 1e4], dtype=torch.float64)
    far_away = moved(example, torch.eye(3).double(), offset)
    model = tuned_mvsnerf(far_away).eval()
    settings = Settings("mvsnerf", model.sizes, model.function, model.recipe)
    kept = Checkpoint(1, settings, ("a", "b", "c"), model.state_dict(), {}, {})
    assert Settings.from_record(settings.record()) == settings
    write_weights(tmp_path / "weights", kept, "")
    read = read_weights(tmp_path / "weights")
    # Poses far from the origin, and a range, which float16 could not hold.
    for name in ("scene.poses", "scene.intrinsics", "scene.range"):
        assert torch.equal(read.model[name], kept.model[name])
    expected = render_example(model, far_away, "float32").color
    assert torch.equal(render_example(kept.build().eval(), far_away, "float32").color, expected)
    assert_close(render_example(read.build().eval(), far_away, "float32").color, expected, atol=0.02, rtol=0)


def moved(example, rotation, offset):
    """The example in another world."""

    def camera(one):
        pose = one.camera_to_world.double().clone()
        pose[..., :3, :] = rotation @ pose[..., :3, :]
        pose[..., :3, 3] += offset
        return replace(one, camera_to_world=pose)

    sources = replace(example.sources, cameras=camera(example.sources.cameras))
    return replace(
        example, sources=sources, target=replace(example.target, camera=camera(example.target.camera))
    )


@torch.no_grad()
def test_a_world_that_is_turned_and_moved_far_away_renders_the_same():
    model, example = tiny_mvsnerf().eval(), tiny_example()
    # Out of the line in which they stand, where rows of pixels lie on the borders of images, up to rounding.
    example.sources.cameras.camera_to_world[:, 1, 3] = torch.tensor([0.03, -0.05, 0.02])
    axes, _ = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=torch.manual_seed(1)))
    rotation = axes * torch.linalg.det(axes)
    there = moved(example, rotation, torch.tensor([3e5, -2e5, 1e4], dtype=torch.float64))
    here, there = (render_example(model, one, "float32") for one in (example, there))
    for name in ("color", "features"):
        assert_close(getattr(here, name), getattr(there, name), atol=2e-3, rtol=2e-3)
    assert_close(here.depth, there.depth, atol=5e-3, rtol=2e-3)


@torch.no_grad()
def test_twice_as_large_a_scene_renders_the_same_at_twice_the_depth():
    model, example = tiny_mvsnerf().eval(), tiny_example()

    def larger(camera):
        pose = camera.camera_to_world.clone()
        pose[..., :3, 3] *= 2.0
        return replace(camera, camera_to_world=pose)

    sources = replace(example.sources, cameras=larger(example.sources.cameras))
    target = replace(example.target, camera=larger(example.target.camera))
    doubled = replace(example, sources=sources, target=target, near=1.0, far=10.0)
    small, large = (render_example(model, one, "float32") for one in (example, doubled))
    assert_close(large.color, small.color, atol=1e-3, rtol=1e-3)
    assert_close(large.depth, 2.0 * small.depth, atol=1e-2, rtol=1e-3)


@pytest.mark.parametrize("size", [(24, 32), (33, 41), (17, 90), (5, 5)])
def test_any_size_is_rendered_and_learnt_from(size):
    model, example = tiny_mvsnerf(margin=0), tiny_example(*size)
    losses = step(model, example)
    model.backward(losses)
    assert all(torch.isfinite(one.grad).all() for one in model.parameters())
    view = render_example(model.eval(), example, "float32")
    assert view.color.shape == (3, *size) and view.labels.shape == size
    assert torch.isfinite(view.color).all() and view.color.min() >= 0.0 and view.color.max() <= 1.0


def turned_away(example, views):
    """The example with some of its sources looking back."""
    poses = example.sources.cameras.camera_to_world.clone()
    poses[views, :3, :3] = torch.diag(torch.tensor([-1.0, 1.0, -1.0]))
    cameras = replace(example.sources.cameras, camera_to_world=poses)
    return replace(example, sources=replace(example.sources, cameras=cameras))


@pytest.mark.parametrize("views", [[0], [1, 2], [0, 1, 2]])
def test_sources_that_see_nothing_of_the_target_do_not_end_the_training(views):
    example = turned_away(tiny_example(), views)
    for model in (tiny_mvsnerf(), tuned_mvsnerf(example)):
        losses = step(model, example)
        model.backward(losses)
        assert all(torch.isfinite(loss) for loss in losses.values())
        assert all(torch.isfinite(one.grad).all() for one in model.parameters() if one.grad is not None)


@torch.no_grad()
def test_what_lies_behind_the_first_view_reads_nothing_of_the_volume():
    example = turned_away(tiny_example(), [0])
    model = tuned_mvsnerf(example).eval()
    view = render_example(model, example, "float32")
    model.scene.volume.add_(1.0)
    assert torch.equal(render_example(model, example, "float32").color, view.color)


@torch.no_grad()
def test_half_precision_renders_about_the_same():
    model, example = tiny_mvsnerf().eval(), tiny_example()
    single, half = (render_example(model, example, precision) for precision in ("float32", "bfloat16"))
    assert half.color.dtype == half.depth.dtype == torch.float32
    assert (half.color - single.color).abs().mean() < 0.02
    assert (half.depth - single.depth).abs().mean() < 0.1


@torch.no_grad()
def test_a_ray_has_one_pass_of_evenly_spaced_samples_and_one_logit_more_than_classes():
    model, example = tiny_mvsnerf().eval(), tiny_example()
    rays = rays_of(example, pixel_grid(24, 32)[:5])
    prepared = model.prepare(example.sources, example.near, example.far)
    (found,) = model.render_rays(prepared, example.sources.cameras, rays, semantics=True)
    assert_close(found.depths, torch.linspace(0.5, 5.0, 10).expand(5, 10))
    assert found.semantic.shape == (5, 4)
    labels, *_ = model.labels(torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0], [1.0, 3.0]])[:, None], 1, 2)
    assert labels.tolist() == [[0, IGNORE]]


def test_the_method_has_the_released_recipe_and_the_names_of_the_tables():
    options = parse_options("", ["--method", "mvsnerf"])
    assert (options.lr_network, options.num_rays, options.num_source_views) == (5e-4, 1024, 3)
    assert (options.decay, options.decay_steps) == ("cosine", options.steps)
    assert options.lr_network * options.lowest_rate == pytest.approx(1e-7)
    names = [tiny_mvsnerf(classes=classes).paper_row for classes in (3, 0)]
    assert names == ["MVSNeRF + Semantic Head", "MVSNeRF"]


def test_two_source_views_are_too_few():
    with pytest.raises(ConfigError, match="Expected 3 source views, the only number that --method mvsnerf"):
        parse_options("", ["--method", "mvsnerf", "--num_source_views", "2"])
    example = tiny_example(views=2)
    given = example.sources.images, example.sources.cameras, example.target.camera, 0.5, 5.0
    with pytest.raises(ConfigError, match="Expected a batch of 3 cameras, found a batch of 2"):
        Model(tiny_mvsnerf().eval(), ("a", "b", "c"), "float32").render(*given)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"planes": 20}, "--planes to be a multiple of .*, found 20 and 8; change one"),
        ({"planes": 8}, "--planes of at least 16, found 8; increase it"),
        ({"mlp_layers": 1}, "--mlp_layers of at least 2, found 1; increase it"),
    ],
)
def test_sizes_that_the_networks_cannot_take_are_a_sentence(changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        Settings.of("mvsnerf", **{**TINY, **changes})
