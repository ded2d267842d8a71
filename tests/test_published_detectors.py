"""Weights that torchvision publishes: where they go, what a training makes of them, and bad files."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from script_runs import refusal, run_here
from tiny_segmenters import SIZES, tiny_segmenter, write_segmenter_config
from torch.testing import assert_close
from torchvision.models.detection import maskrcnn_resnet50_fpn

from gpnerf.config.fields import option_names
from gpnerf.methods.detector.published import import_published, read_tensors
from gpnerf.methods.mask_rcnn.model import MaskRCNN
from gpnerf.methods.swin_t.model import SwinT
from gpnerf.system.errors import CheckpointError
from gpnerf.training.checkpoint import latest_checkpoint

TRUNK = "network.backbone.body."


@pytest.fixture
def small(monkeypatch):
    """Published files are of tiny networks here."""
    names = set(option_names(SwinT.Sizes))
    sizes = {name: value for name, value in SIZES["swin_t"].items() if name in names}
    monkeypatch.setattr(SwinT, "published_sizes", lambda classes: SwinT.Sizes(classes=classes, **sizes))


def write_trunk(path, **changes):
    """A file of a trunk as torchvision publishes it, with its classifier; returns the tensors."""
    trunk = tiny_segmenter("swin_t").network.backbone.body
    for one in trunk.parameters():
        torch.nn.init.normal_(one)
    tensors = {name: one for name, one in trunk.state_dict().items() if name.startswith("features.")}
    tensors |= {"norm.weight": torch.ones(64), "head.weight": torch.ones(1000, 64), **changes}
    tensors = {name: one.contiguous() for name, one in tensors.items() if one is not None}
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path)
    return tensors


@pytest.mark.parametrize("name", ["swin_t.pth", "swin_t.safetensors"])
def test_a_training_starts_from_a_published_trunk(name, small, rooms_config, tmp_path):
    tensors, run = write_trunk(tmp_path / name), tmp_path / "out" / "trunk"
    told = run_here("scripts/import_weights.py", tmp_path / name, run, "--method", "swin_t")
    assert "not used: head.weight, norm.weight." in told
    assert f"Options for train.py: --method swin_t --load_weights {run}" in told
    kept = latest_checkpoint(run).model
    assert all(torch.equal(kept[TRUNK + key], one) for key, one in tensors.items() if "features" in key)
    config = write_segmenter_config(tmp_path, rooms_config, "swin_t", steps=1)
    told = run_here("train.py", "--config", config, "--load_weights", run)
    assert "The weights know other classes (published class 0)" in told
    assert "new tensors: network.roi_heads.box_predictor.bbox_pred.bias, " in told
    run_here("eval.py", "--config", config)
    sentence = refusal("eval.py", "--config", config, "--checkpoint", run)
    assert "Expected a model of --method swin_t that has learnt a scene, found imported weights" in sentence


@pytest.mark.slow
def test_a_published_mask_rcnn_gives_the_published_outputs(tmp_path):
    torch.manual_seed(0)
    published = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, min_size=96, max_size=128)
    torch.save(published.state_dict(), tmp_path / "coco.pth")
    found = import_published(MaskRCNN, tmp_path / "coco.pth")
    assert (found.fresh, found.unused, found.model.sizes.classes) == ([], [], 90)
    image = torch.rand(3, 96, 128)
    found.model.network.transform.min_size, found.model.network.transform.max_size = (96,), 128
    with torch.no_grad():
        (ours,), (theirs,) = found.model.eval().network([image]), published.eval()([image])
    assert len(ours["scores"]) > 0
    assert all(torch.equal(ours[name], theirs[name]) for name in ("labels", "boxes", "scores"))
    assert_close(ours["masks"], theirs["masks"])


def test_a_missing_file_gets_a_sentence(tmp_path):
    arguments = tmp_path / "no.pth", tmp_path / "run", "--method", "mask_rcnn"
    sentence = refusal("scripts/import_weights.py", *arguments)
    assert (
        "no.pth does not exist; download a file of weights that torchvision publishes, or train" in sentence
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"features.0.0.weight": None}, "features.0.0.weight in only one of them"),
        ({"layer1.0.conv1.weight": torch.zeros(1)}, "layer1.0.conv1.weight in only one of them"),
        ({"features.0.0.bias": torch.zeros(5)}, "tensors of other shapes"),
        ({"roi_heads.box_head.fc6.bias": torch.zeros(5)}, "tensors of other shapes"),
    ],
)
def test_weights_of_another_network_get_a_sentence(changes, reason, small, tmp_path):
    write_trunk(tmp_path / "other.pth", **changes)
    sentence = rf"other.pth: expected torchvision's weights of Swin-T \(swin_t\), found .* \({reason}\)"
    with pytest.raises(CheckpointError, match=sentence):
        import_published(SwinT, tmp_path / "other.pth")


@pytest.mark.parametrize("content", [b"not weights at all", None], ids=["foreign", "nested"])
def test_a_file_without_weights_gets_a_sentence(content, tmp_path):
    path = tmp_path / "model.pth"
    if content:
        path.write_bytes(content)
    else:
        torch.save({"model": {"features.0.0.weight": torch.zeros(1)}}, path)
    with pytest.raises(CheckpointError, match="model.pth.*(cannot be read|expected tensors by name)"):
        read_tensors(path)
