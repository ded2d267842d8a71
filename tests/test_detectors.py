"""Mask R-CNN and Swin-T: published sizes, what they learn from, pasting, and a picture learnt by heart."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from helpers import gradient_size, tiny_example
from tiny_segmenters import DETECTORS, tiny_segmenter
from torch.testing import assert_close
from torchvision.models import swin_t
from torchvision.models.detection import maskrcnn_resnet50_fpn

from gpnerf.commands.options import parse_options
from gpnerf.datasets.labels import IGNORE
from gpnerf.methods.detector.instances import boxes_and_masks, pasted
from gpnerf.methods.settings import Settings
from gpnerf.system.errors import ConfigError


def example_of(labels, colors):
    """An example whose image shows each label in a colour of its own."""
    example = tiny_example(*labels.shape)
    image = torch.tensor(colors)[labels].permute(2, 0, 1)
    target = replace(example.target, image=image, semantic=labels, instance=labels)
    return replace(example, target=target)


def two_objects():
    """Object 0 on the left, object 1 on the right, before a background without a label."""
    labels = torch.full((32, 48), 2)
    labels[6:26, 4:20], labels[10:28, 26:44] = 0, 1
    example = example_of(labels, [[0.9, 0.1, 0.1], [0.1, 0.2, 0.9], [0.5, 0.5, 0.5]])
    semantic = torch.where(labels == 2, IGNORE, labels)
    return replace(example, target=replace(example.target, semantic=semantic))


def losses_of(model, example):
    return model.losses(example, 1, torch.Generator()).losses


def published(method: str, **sizes):
    with torch.device("meta"):
        return Settings.of(method, classes=60, **sizes).build()


def parameters(network) -> int:
    return sum(one.numel() for one in network.parameters())


def test_mask_rcnn_has_the_published_number_of_parameters_and_their_names():
    model = published("mask_rcnn")
    assert parameters(model) == 44_293_053
    with torch.device("meta"):
        theirs = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=61)
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    expected = {name for name in theirs.state_dict() if not name.endswith(statistics)}
    assert set(model.network.state_dict()) == expected


def test_the_trunk_of_swin_t_has_the_published_number_of_parameters():
    body = published("swin_t").network.backbone.body
    assert parameters(body.features) == 27_517_818
    with torch.device("meta"):
        theirs = swin_t().features.state_dict()
    assert {name: one.shape for name, one in body.features.state_dict().items()} == {
        name: one.shape for name, one in theirs.items()
    }


@pytest.mark.parametrize("method", DETECTORS)
def test_defaults_are_the_published_sizes_on_instances_without_sources(method):
    options = parse_options("", ["--method", method])
    expected = {
        "target": "instance",
        "segment": "target",
        "num_source_views": 0,
        "min_size": 800,
        "max_size": 1333,
        "anchor_sizes": (32, 64, 128, 256, 512),
        "detections": 100,
        "score_threshold": 0.05,
        "mask_threshold": 0.5,
    }
    assert {name: getattr(options, name) for name in expected} == expected


def test_boxes_are_the_outer_edges_of_masks():
    labels = torch.tensor([[3, IGNORE, IGNORE], [3, 3, IGNORE], [IGNORE, 0, IGNORE]])
    found = boxes_and_masks(labels)
    assert found["labels"].tolist() == [1, 4]
    # One pixel in column 1 of row 2; rows 0 and 1 of columns 0 and 1.
    assert found["boxes"].tolist() == [[1.0, 2.0, 2.0, 3.0], [0.0, 0.0, 2.0, 2.0]]
    assert found["masks"].tolist()[1] == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]


def test_a_photograph_without_objects_has_no_boxes():
    found = boxes_and_masks(torch.full((4, 5), IGNORE))
    assert found["boxes"].shape == (0, 4) and found["masks"].shape == (0, 4, 5)


def detections(labels, scores, masks):
    masks = torch.tensor(masks)[:, None, None]
    return {"labels": torch.tensor(labels), "scores": torch.tensor(scores), "masks": masks}


def test_masks_are_pasted_in_the_order_of_rising_scores():
    """Rows of one line: the best one covers the others, whatever its place in the list."""
    found = detections(
        [3, 1, 2], [0.4, 0.9, 0.6], [[1.0, 1.0, 1.0, 0.0], [0.0, 0.7, 0.0, 0.4], [0.0, 0.8, 0.5, 0.0]]
    )
    slots, scores = pasted(found, 0.5)
    # Slots are labels - 1. The last pixel has a mask below the threshold alone.
    assert slots.tolist() == [[2, 0, 1, IGNORE]]
    assert_close(scores, torch.tensor([[0.4, 0.9, 0.6, 0.0]]))


def test_of_an_object_found_twice_the_best_detection_counts():
    found = detections(
        [2, 2, 1, 2], [0.3, 0.8, 0.5, 0.8], [[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1.0]]
    )
    slots, scores = pasted(found, 0.5)
    assert slots.tolist() == [[IGNORE, 1, 0, IGNORE]]
    assert_close(scores, torch.tensor([[0.0, 0.8, 0.5, 0.0]]))


def test_without_detections_no_pixel_has_a_label():
    nothing = {
        "labels": torch.zeros(0, dtype=torch.int64),
        "scores": torch.zeros(0),
        "masks": torch.zeros(0, 1, 2, 3),
    }
    slots, scores = pasted(nothing, 0.5)
    assert slots.tolist() == [[IGNORE] * 3] * 2 and scores.sum() == 0


@pytest.mark.parametrize("method", DETECTORS)
def test_every_loss_trains_the_trunk_and_its_own_head_alone(method):
    model = tiny_segmenter(method)
    losses, heads = losses_of(model, two_objects()), model.network.roi_heads
    assert set(losses) == set(model.loss_names)
    for name, loss in losses.items():
        assert gradient_size(loss, model.network.backbone.body) > 0
        assert (gradient_size(loss, model.network.rpn) > 0) == (name in ("objectness", "proposals"))
        assert (gradient_size(loss, heads.box_head) > 0) == (name in ("classes", "boxes"))
        assert (gradient_size(loss, heads.mask_head) > 0) == (name == "masks")


@pytest.mark.parametrize("method", DETECTORS)
def test_a_photograph_without_objects_teaches_that_there_are_none(method):
    model, example = tiny_segmenter(method), two_objects()
    target = replace(example.target, semantic=torch.full_like(example.target.semantic, IGNORE))
    losses = losses_of(model, replace(example, target=target))
    assert losses["objectness"] > 0 and losses["classes"] > 0
    assert losses["proposals"] == losses["boxes"] == losses["masks"] == 0


@pytest.mark.parametrize("method", DETECTORS)
def test_a_few_steps_learn_a_picture_by_heart(method):
    model, example = tiny_segmenter(method), two_objects()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3, fused=True)
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, total_iters=50)
    for _ in range(50):
        optimizer.zero_grad()
        model.total(losses_of(model, example)).backward()
        optimizer.step()
        falling.step()
    model.eval()
    with torch.no_grad():
        labels, confidence, _ = model.labels(model.target_map(example.target.image), 32, 48)
    truth = example.target.semantic
    for slot in (0, 1):
        both, either = ((labels == slot) & (truth == slot)), ((labels == slot) | (truth == slot))
        assert both.sum() / either.sum() > 0.6
        assert confidence[labels == slot].unique().numel() == 1
    assert confidence[labels == IGNORE].max() == 0


@pytest.mark.parametrize(
    ("method", "change", "sentence"),
    [
        ("mask_rcnn", {"trunk_blocks": (3, 4, 6)}, "Expected --trunk_blocks to be 4 whole numbers .* 3,4,6;"),
        ("swin_t", {"trunk_layers": (2, 2, 0, 2)}, "Expected --trunk_layers to be 4 whole numbers"),
        ("swin_t", {"head_width": 5}, "Expected --trunk_width to be a multiple of --head_width"),
        ("swin_t", {"layer_drop": 1.0}, "Expected --layer_drop below 1, found 1"),
        ("mask_rcnn", {"anchor_sizes": (8, 16)}, "Expected --anchor_sizes to be 5 whole numbers"),
        ("mask_rcnn", {"max_size": 16}, "Expected --max_size of at least --min_size, found 16 and 32"),
    ],
)
def test_a_setting_that_no_detector_has_is_refused(method, change, sentence):
    with pytest.raises(ConfigError, match=sentence):
        tiny_segmenter(method, **change)
