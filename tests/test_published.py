"""Published checkpoints: every tensor finds its place; an imported model gives the reference's outputs."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import assert_golden
from script_runs import run, run_here

from gpnerf.methods.gpnerf.released_weights import check_shapes, implied_sizes, read_published
from gpnerf.methods.gpnerf.settings import Sizes
from gpnerf.methods.settings import Settings
from gpnerf.system.errors import CheckpointError
from gpnerf.training.checkpoint import load_checkpoint

REPOSITORY = Path(__file__).resolve().parent.parent
PARTS = {
    "net_coarse": "gpnerf_transformer",
    "feature_net": "feature_net",
    "feature_fpn": "fpn",
    "sem_seg_head": "head",
}


def random_published(path: Path, kind: str) -> Path:
    """A file with all tensors of a published checkpoint, random, and the rest that such files hold."""
    content: dict = {"optimizer": {"state": {}, "param_groups": []}, "scheduler": {"last_epoch": 3}}
    generator = torch.Generator().manual_seed(0)
    with open(REPOSITORY / "tests" / "golden" / f"state_dict_{kind}.tsv") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            shape = [int(side) for side in row["shape"].split("x")]
            tensor = torch.randn(shape, generator=generator)
            content.setdefault(row["checkpoint_key"], {})[row["name"]] = tensor
    torch.save(content, path)
    return path


@pytest.fixture
def golden_checkpoint(golden, tmp_path: Path) -> Path:
    """A published checkpoint (two layers) of the golden weights, as saved from DistributedDataParallel."""
    content = {
        part: {f"module.{k[2:]}": torch.from_numpy(v) for k, v in golden(name).items() if k.startswith("w/")}
        for part, name in PARTS.items()
    }
    torch.save(content, tmp_path / "golden.pth")
    return tmp_path / "golden.pth"


def test_gpnerf_file_fills_the_published_sizes_completely(tmp_path: Path):
    path = random_published(tmp_path / "model.pth", "gpnerf")
    published = read_published(path)
    assert implied_sizes(published) == Sizes(classes=20, head="published")
    model = Settings.of("gpnerf", classes=20, head="published").build()
    model.load_state_dict(published.tensors, strict=True)
    assert sum(p.numel() for p in model.parameters()) == 11_715_480


def test_gnt_file_leaves_only_semantic_parts_fresh(tmp_path: Path):
    path = random_published(tmp_path / "model.pth", "gnt")
    published = read_published(path)
    assert implied_sizes(published) == Sizes()
    model = Settings.of("gpnerf", classes=20).build()
    fresh, unused = model.load_state_dict(published.tensors, strict=False)
    assert not unused and published.unused == ("optimizer", "scheduler")
    assert {name.split(".")[0] for name in fresh} == {"extractor", "adaptor", "head"}
    assert all(name.startswith(("extractor.pyramid.", "adaptor.", "head.")) for name in fresh)


def two_networks(path: Path) -> Path:
    """A GNT whose two networks have 32 channels of the features each."""
    content = torch.load(random_published(path, "gnt"))
    content["net_fine"] = {name: tensor + 1 for name, tensor in content["net_coarse"].items()}
    for name in ("out_conv.weight", "out_conv.bias"):
        part = content["feature_net"][name]
        content["feature_net"][name] = torch.cat([part, part + 1])
    torch.save(content, path)
    return path


def test_of_two_networks_the_coarse_one_and_its_features_are_taken(tmp_path: Path):
    one = read_published(random_published(tmp_path / "one.pth", "gnt"))
    two = read_published(two_networks(tmp_path / "two.pth"))
    assert implied_sizes(two) == Sizes()
    assert two.unused == ("optimizer", "scheduler", "net_fine")
    assert one.tensors.keys() == two.tensors.keys()
    assert all(torch.equal(tensor, two.tensors[name]) for name, tensor in one.tensors.items())
    said = run_here("scripts/import_weights.py", tmp_path / "two.pth", tmp_path / "run")
    assert "net_fine is not used: one network, net_coarse, renders both" in said
    assert "not used: optimizer, scheduler, net_fine." in said
    saved = load_checkpoint(tmp_path / "run").model["extractor.decoder.out.weight"]
    assert torch.equal(saved, one.tensors["extractor.decoder.out.weight"])


@pytest.mark.parametrize(
    "part, name, change, sentence",
    (
        ("feature_net", "out_conv.weight", lambda t: torch.cat([t, t]), r"out_conv.weight of shape \[32, 32"),
        (
            "net_coarse",
            "rgb_fc.weight",
            lambda t: t[:, :60],
            r"rgb_fc.weight of shape \[3, 64\].*found \[3, 60\]",
        ),
        ("net_coarse", "rgbfeat_fc.0.weight", lambda t: t[:, :3], "imply color_features 0"),
        ("net_coarse", "rgbfeat_fc.0.weight", lambda t: t[0], "tensors of other dimensions"),
        ("net_coarse", "rgbfeat_fc.0.weight", lambda t: t[:62], "unsupported sizes: .*multiple"),
        ("net_coarse", "q_fcs.0.0.weight", lambda t: t[:, :64], "imply frequencies -1"),
        ("feature_net", "conv1.weight", lambda t: t[:0], "imply encoder_width 0"),
    ),
)
def test_sizes_that_do_not_fit_together_are_a_sentence(part, name, change, sentence, tmp_path: Path):
    content = torch.load(random_published(tmp_path / "model.pth", "gnt"))
    content[part][name] = change(content[part][name]).clone()
    torch.save(content, tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match=rf"model\.pth.*{sentence}"):
        published = read_published(tmp_path / "model.pth")
        check_shapes(published, Settings.of("gpnerf", **asdict(implied_sizes(published))).build())


def test_imported_golden_weights_give_the_golden_outputs(golden, golden_checkpoint: Path, tmp_path: Path):
    stderr = run("scripts/import_weights.py", golden_checkpoint, tmp_path / "run")
    assert "fresh: none" in stderr and "--layers 2" in stderr
    checkpoint = load_checkpoint(tmp_path / "run")
    assert checkpoint.class_names[0] == "wall" and len(checkpoint.class_names) == 20
    model = checkpoint.build().eval()

    def arrays(name: str) -> dict[str, torch.Tensor]:
        return {key: torch.from_numpy(np.asarray(array)) for key, array in golden(name).items()}

    with torch.no_grad():
        images = arrays("feature_net")
        levels = model.extractor.encoder(images["in/image"])
        assert_golden(model.extractor.colors(levels), images["out/rgb_feat"])
        pyramid = arrays("fpn")
        assert_golden(model.extractor.pyramid([pyramid[f"in/x{i}"] for i in range(4)]), pyramid["out/concat"])
        head = arrays("head")
        assert_golden(model.segment(head["in/feat"][0], 32, 48), head["out/logits"][0])
        rays = arrays("gpnerf_transformer")
        found = model.transformer(
            *(rays[name].movedim(2, 0) for name in ("in/rgb_feat", "in/ray_diff")),
            rays["in/mask"][..., 0].movedim(2, 0) > 0,
            rays["in/pts"],
            rays["in/ray_d"],
            semantics=True,
        )
        assert_golden(found.color, rays["out/rgb"])
        assert_golden(found.ray_weights, rays["out/weights"])
        assert_golden(model.adaptor(rays["mid/sem_before_adaptor"]), rays["out/sem_feat"])


def test_imported_model_trains_evaluates_and_renders_like_any_other(
    golden_checkpoint: Path, rooms_config: Path, tmp_path: Path
):
    """Rooms have 16 classes, the file 20: only the last layer of the head starts afresh."""
    run_here("scripts/import_weights.py", golden_checkpoint, tmp_path / "imported")
    sizes = "--encoder_width 64 --encoder_blocks 3,4,6 --color_features 32 --level_width 128"
    sizes += " --transformer_width 64 --layers 2 --head published --steps 1 --frames 1"
    arguments = ["--config", rooms_config, "--out", tmp_path, "--expname", "tuned", *sizes.split()]
    stderr = run_here("train.py", *arguments, "--load_weights", tmp_path / "imported")
    assert "new tensors: head.predictor.bias, head.predictor.weight." in stderr
    run_here("eval.py", *arguments)
    run_here("render.py", *arguments)
    overall = json.loads((tmp_path / "tuned" / "eval" / "metrics.json").read_text())["overall"]
    assert 0.0 <= overall["miou"] <= 1.0
    assert (tmp_path / "tuned" / "render" / "room_1000_interpolate.mp4").is_file()


class RunsCode:
    def __reduce__(self):
        return os.mkdir, ("never_made",)


@pytest.mark.parametrize(
    "fault", ["missing", "truncated", "foreign", "hostile", "other keys", "odd tensor", "no tensors"]
)
def test_bad_file_gets_a_sentence(fault: str, tmp_path: Path):
    path = tmp_path / "model.pth"
    if fault in ("truncated", "odd tensor"):
        random_published(path, "gnt")
    if fault == "truncated":
        path.write_bytes(path.read_bytes()[:100_000])
    elif fault == "foreign":
        path.write_bytes(b"not weights at all")
    elif fault == "hostile":
        torch.save({"net_coarse": RunsCode()}, path)
    elif fault == "other keys":
        torch.save({"state_dict": {}}, path)
    elif fault == "odd tensor":
        content = torch.load(path)
        content["net_coarse"]["surprise.weight"] = torch.zeros(3)
        torch.save(content, path)
    elif fault == "no tensors":
        torch.save({"net_coarse": {}, "feature_net": [1]}, path)
    with pytest.raises(CheckpointError, match="model.pth"):
        read_published(path)
    assert not Path("never_made").exists()
