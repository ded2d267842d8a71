"""GNT with a semantic head: labels rendered as colours are, without field, teacher or perception head."""

import json
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from helpers import gradient_size, prepared, rays_of, tiny_example, tiny_model, tiny_settings
from script_runs import refusal, run_here

from gpnerf.commands.options import parse_options
from gpnerf.datasets.labels import IGNORE
from gpnerf.geometry.cameras import pixel_grid
from gpnerf.methods.gpnerf.ray_head import RayHead
from gpnerf.rendering.view import Quality, render_example
from gpnerf.training.checkpoint import Checkpoint, latest_checkpoint
from gpnerf.training.resume import adopt_sizes

PIXELS = torch.tensor([[0, 0], [5, 2], [31, 23], [12, 9]])


def model_with_head(**changes):
    return tiny_model(head="rays", **changes)


def losses_of(model, example=None):
    return model.losses(example or tiny_example(), 32, torch.Generator().manual_seed(0))[0]


def test_logits_of_a_ray_by_hand():
    head = RayHead(2, 2)
    with torch.no_grad():
        head.hidden.weight.copy_(torch.tensor([[1.0, 2.0], [3.0, -1.0]]))
        head.hidden.bias.copy_(torch.tensor([0.5, -10.0]))
        head.classify.weight.copy_(torch.tensor([[2.0, 7.0], [-1.0, 7.0]]))
        head.classify.bias.copy_(torch.tensor([0.0, 4.0]))
    # Hidden: relu(1 + 4 + 0.5) = 5.5 and relu(3 - 2 - 10) = 0.
    assert head(torch.tensor([[1.0, 2.0]])).tolist() == [[11.0, -1.5]]


@torch.no_grad()
def test_labels_are_read_from_the_feature_from_which_the_colour_is_read():
    model, example = model_with_head().eval(), tiny_example()
    found = []
    model.transformer.register_forward_hook(lambda module, inputs, outputs: found.append(outputs))
    coarse, last = model.render_rays(*prepared(model, example), rays_of(example, PIXELS), semantics=True)
    assert torch.equal(last.color, model.transformer.color(found[-1].features))
    assert torch.equal(last.semantic, model.head(found[-1].features))
    assert last.semantic.shape == (4, 3) and coarse.semantic is None
    assert found[-1].joint_weights is None and found[-1].field_weights is None


def test_there_is_no_semantic_field_no_adaptor_and_no_distillation():
    model = model_with_head(weight_distill=1.0, weight_depth_guided=1.0, weight_depth=1.0)
    assert model.adaptor is None and model.paper_row == "GNT + Semantic Head"
    sources, teacher = model.encode(tiny_example().sources, tiny_example().target.image)
    assert sources.semantics is None and teacher is None
    assert losses_of(model).keys() == {"photometric", "depth", "semantic"}
    assert model.parameter_groups().keys() == {"extractor", "transformer", "head"}


def test_the_head_is_all_that_gnt_lacks():
    head, plain = model_with_head().state_dict(), tiny_model(classes=0).state_dict()
    shapes = {name: tensor.shape for name, tensor in head.items() if name not in plain}
    assert plain.keys() < head.keys()
    assert shapes == {
        "head.hidden.weight": (16, 16),
        "head.hidden.bias": (16,),
        "head.classify.weight": (3, 16),
        "head.classify.bias": (3,),
    }


@pytest.mark.parametrize("last_pass", ["fine", "all"])
def test_the_label_loss_is_the_mean_cross_entropy_of_the_labelled_rays(last_pass):
    model, example = model_with_head(last_pass=last_pass), tiny_example()
    example.target.semantic[:12] = IGNORE
    rendered, render_rays = [], model.render_rays

    def watched(record, cameras, rays, semantics, **others):
        rendered.append((rays, render_rays(record, cameras, rays, semantics, **others)[-1]))
        return [rendered[-1][1]]

    model.render_rays = watched
    found = losses_of(model, example)["semantic"]
    ((rays, last),) = rendered
    # The camera of the target: x = (column - 15.5) / 32, y = (row - 11.5) / 32.
    columns, rows = (32 * rays.directions[:, :2] + torch.tensor([15.5, 11.5])).round().long().T
    labels = torch.div(columns * 3, 32, rounding_mode="floor")
    expected = F.cross_entropy(last.semantic[rows >= 12], labels[rows >= 12])
    assert 0 < (rows < 12).sum() < len(rows)
    torch.testing.assert_close(found, expected)


def test_the_label_loss_trains_head_transformer_and_colour_features_and_not_the_pyramid():
    model = model_with_head()
    semantic = losses_of(model)["semantic"]
    for part in (model.head, model.transformer, model.extractor.encoder, model.extractor.decoder):
        assert gradient_size(semantic, part) > 1e-6
    assert gradient_size(semantic, model.extractor.pyramid) == 0.0
    assert gradient_size(semantic, model.transformer.color) == 0.0


def test_without_joint_attention_the_label_loss_trains_the_head_alone():
    model = model_with_head(joint_attention=False)
    losses = losses_of(model)
    assert gradient_size(losses["semantic"], model.head) > 1e-6
    assert gradient_size(losses["semantic"], model.transformer) == 0.0
    assert gradient_size(losses["photometric"], model.transformer) > 1e-6


def test_a_wrong_gradient_of_the_head_would_be_seen():
    head = RayHead(3, 2).double()
    features = torch.randn(4, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(head, features)


def test_views_without_labels_train_the_colours_alone():
    assert losses_of(model_with_head(), tiny_example(semantic=False)).keys() == {"photometric"}


@torch.no_grad()
def test_every_pixel_has_the_label_of_its_own_ray():
    model, example = model_with_head().eval(), tiny_example()
    view = render_example(model, example, "float32", Quality(100, guide=1))
    rays = rays_of(example, pixel_grid(24, 32))
    last = model.render_rays(*prepared(model, example), rays, semantics=True)[-1]
    torch.testing.assert_close(view.features, last.semantic.T.reshape(3, 24, 32), atol=1e-5, rtol=1e-4)
    assert torch.equal(view.labels, view.features.argmax(dim=0))
    torch.testing.assert_close(view.confidence, view.features.softmax(dim=0).amax(dim=0))


def test_objects_are_matched_to_outputs_among_the_rays():
    """Ids 7, 8 and 9 take the outputs that fit them, whatever these are."""
    example = tiny_example()
    target = replace(example.target, instance=example.target.semantic + 7)
    example, model = replace(example, target=target), model_with_head(instance_matching="hungarian")
    order = torch.tensor([2, 0, 1])
    found = losses_of(model, example)["semantic"]
    with torch.no_grad():
        for one in (model.head.classify.weight, model.head.classify.bias):
            one.copy_(one[order].clone())
    torch.testing.assert_close(losses_of(model, example)["semantic"], found)


def test_it_goes_through_all_scripts_from_the_weights_of_gnt(rooms_config, tmp_path):
    """Colours are learnt first, without classes and so without a head; then labels from those weights."""
    common = ["--config", rooms_config, "--out", tmp_path]
    run_here("train.py", *common, "--expname", "stage_1", "--target", "none")
    head = [*common, "--head", "rays", "--load_weights", tmp_path / "stage_1", "--expname"]
    stderr = run_here("train.py", *head, "two", "--steps", 3)
    assert "new tensors: head.classify.bias, head.classify.weight, head.hidden.bias, head.hidden" in stderr
    assert "Using the sizes of the weights" not in stderr
    assert latest_checkpoint(tmp_path / "two").settings.sizes.head == "rays"
    assert "Resuming" in run_here("train.py", *head, "two")
    run_here("train.py", *head, "whole")
    whole, resumed = (latest_checkpoint(tmp_path / name).model for name in ("whole", "two"))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    sentence = refusal("eval.py", *head, "two", "--segment", "target")
    assert "Expected a model that labels a true image with --segment target" in sentence
    run_here("eval.py", *head, "two", "--table", "1,3")
    overall = json.loads((tmp_path / "two" / "eval" / "metrics.json").read_text())["overall"]
    assert 0.0 < overall["miou"] < 1.0 and overall["psnr"] > 1.0
    assert "GNT + Semantic Head" in (tmp_path / "two" / "eval" / "table_1.md").read_text()
    run_here("render.py", *head, "two")
    assert (tmp_path / "two" / "render" / "room_1000_interpolate.mp4").is_file()


@pytest.mark.parametrize(("classes", "head"), [(0, "rays"), (3, "unet")])
def test_weights_leave_the_head_open_only_if_they_have_no_classes(classes, head):
    options = parse_options("", ["--head", "rays", "--layers", "5"])
    adopt_sizes(options, Checkpoint(1, tiny_settings(classes=classes), (), {}, {}, {}))
    assert (options.head, options.layers) == (head, 2)
