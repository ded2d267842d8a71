"""The golden arrays of the methods for one scene in the project's terms, and a tiny example for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from helpers import tensors, weights
from script_runs import VIEWS_PER_ROOM, run_here
from torch import Tensor

from gpnerf.geometry.rays import Rays
from gpnerf.methods.method import RayPass
from gpnerf.methods.radiance_field import RadianceField
from gpnerf.methods.settings import Settings
from gpnerf.training.checkpoint import Checkpoint, latest_checkpoint

TOLERANCE = 2e-5
# Fine depths divide by the weights of coarse samples, which may be small.
DEPTH_TOLERANCE = 1e-4
STAGES = ("coarse", "fine")
# Names of the reference's tensors in both files and ours, in the order in which they are replaced.
NAMES = (
    (r"\.(pts_linears|mlps)\.", ".trunk."),
    (r"\.(alpha_linear|density_linear)\.", ".density."),
    (r"\.(feature_linear|rgb_feature_linear)\.", ".feature."),
    (r"\.(views_linears|rgb_feature_linears)\.0\.", ".color.0."),
    (r"\.rgb_linear\.", ".color.2."),
    (r"\.semantic_linear\.0\.0\.", ".labels.0."),
    (r"\.semantic_linear\.1\.", ".labels.2."),
    (r"\.ins_feature_linear\.", ".labels.0."),
    (r"\.ins_feature_linears\.0\.", ".labels.1."),
    (r"\.ins_linear\.", ".labels.3."),
)
# Small enough for a step in milliseconds.
TINY = {"mlp_width": 8, "mlp_layers": 3, "frequencies": 2, "samples": 6, "fine_samples": 4}


def tiny_field(method: str, **changes: float | str) -> RadianceField:
    """A small model of three classes, whose space is not empty."""
    torch.manual_seed(0)
    model = Settings.of(method, **{"classes": 3, **TINY, **changes}).build()
    for network in (model.coarse, model.fine):
        torch.nn.init.constant_(network.density.bias, 0.5)
    return model


# A room of which one view is tested.
RUN = {
    "dataset": "rooms",
    "views_per_room": VIEWS_PER_ROOM,
    "train_scenes": "0",
    "test_scenes": "0",
    "test_frames": "1::5",
    "height": 24,
    "width": 32,
    "num_rays": 32,
    "steps": 4,
    "checkpoint_every": 2,
    "picture_every": 2,
    "workers": 0,
    "frames": 2,
    "lpips": "no",
    "device": "cpu",
    "precision": "float32",
    "compile": "no",
}


def write_field_config(folder: Path, rooms_config: Path, method: str, **changes: object) -> Path:
    """A config file that trains a tiny field on a room; it writes to folder/out/METHOD."""
    places = {"data_root": rooms_config.parent / "rooms", "out": folder / "out"}
    options = {"method": method, "expname": method, **places, **TINY, **RUN, **changes}
    path = folder / f"{method}.txt"
    path.write_text("".join(f"{name} = {value}\n" for name, value in options.items()))
    return path


def assert_resumes(config: Path) -> Checkpoint:
    """A training in two parts ends with the weights of one in a single part; returns its last checkpoint."""
    folder = config.parent / "out"
    run_here("train.py", "--config", config, "--steps", 2)
    assert "Resuming" in run_here("train.py", "--config", config)
    run_here("train.py", "--config", config, "--expname", "whole")
    resumed, whole = latest_checkpoint(folder / config.stem), latest_checkpoint(folder / "whole")
    assert resumed.step == whole.step == RUN["steps"]
    assert all(torch.equal(whole.model[name], resumed.model[name]) for name in whole.model)
    return resumed


def parameters(network: torch.nn.Module) -> int:
    return sum(one.numel() for one in network.parameters())


class Golden:
    """Arrays by name, and a method with their weights.

    depths: name of the depths of a pass, `out/DEPTHS_coarse` and `out/DEPTHS_fine`.
    """

    def __init__(self, method: str, arrays: Mapping[str, np.ndarray], classes: int, depths: str) -> None:
        self.arrays = tensors(arrays)
        self.depths = {stage: self[f"out/{depths}_{stage}"] for stage in STAGES}
        coarse, both = (self.depths[stage].shape[1] for stage in STAGES)
        found = weights(self.arrays, NAMES)
        width, place = found["coarse.trunk.0.weight"].shape
        direction = found["coarse.color.0.weight"].shape[1] - width
        settings = Settings.of(
            method,
            classes=classes,
            mlp_width=width,
            mlp_layers=sum(name.startswith("coarse.trunk.") for name in found) // 2,
            frequencies=(place - 3) // 6,
            direction_frequencies=(direction - 3) // 6,
            samples=coarse,
            fine_samples=both - coarse,
        )
        self.model: RadianceField = settings.build()
        self.model.load_state_dict(found)

    def __getitem__(self, name: str) -> Tensor:
        return self.arrays[name]

    def at_golden_depths(self, rays: Rays) -> list[RayPass]:
        """The passes at the golden depths, so that rounding in the sampler does not matter."""
        return [
            self.model._render(getattr(self.model, stage), rays, depths, semantics=True, generator=None)
            for stage, depths in self.depths.items()
        ]

    def assert_depths(self, rays: Rays) -> None:
        """The depths of both passes are the golden ones."""
        passes = self.model.render_rays(None, None, rays, semantics=False)
        for rendered, golden in zip(passes, self.depths.values(), strict=True):
            torch.testing.assert_close(rendered.depths, golden, atol=DEPTH_TOLERANCE, rtol=DEPTH_TOLERANCE)

    def assert_gradients(self, loss: Tensor) -> None:
        """The gradients of `loss` are the golden ones."""
        self.model.zero_grad()
        loss.backward()
        own, start = dict(self.model.named_parameters()), "out/grad_"
        named = {
            "w/" + name.removeprefix(start).replace("/", ".", 1): array
            for name, array in self.arrays.items()
            if name.startswith(start)
        }
        golden = weights(named, NAMES)
        assert len(golden) == len(named) > 0
        for name, array in golden.items():
            assert_near(own[name].grad, array)


def assert_near(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=TOLERANCE, rtol=TOLERANCE)
