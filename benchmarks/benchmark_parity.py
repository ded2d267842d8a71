"""How far the two forms differ, and bfloat16 from float32."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from benchmark_tools import FASTEST, REPOSITORY, ROOMS, SIZES, Subject, say

from gpnerf.commands.options import parse_options
from gpnerf.config.fields import from_options
from gpnerf.datasets.examples import TestExamples
from gpnerf.datasets.run_scenes import load_scenes, test_views
from gpnerf.datasets.views import FrameRule
from gpnerf.metrics.image import psnr
from gpnerf.rendering.view import render_example
from gpnerf.system.devices import allow_tf32
from gpnerf.training.checkpoint import latest_checkpoint
from gpnerf.training.resume import checkpoint_to_use

DEMO_VIEWS, DEMO_STEPS = 4, 300


def largest_difference(given: Subject) -> float:
    """Largest difference of the float32 outputs of both forms.

    The outputs are colours, ray weights, and semantic features relative to their largest entry.
    """
    allow_tf32("float32")
    ours = given.rays(given.prepared("float32"), True, "float32")
    literal = given.literal(given.literal_sources(), True)
    allow_tf32(FASTEST[given.model.device.type])
    differences = [
        (ours.color - literal.color).abs().max(),
        (ours.weights - literal.weights).abs().max(),
        (ours.semantic - literal.semantic).abs().max() / literal.semantic.abs().max(),
    ]
    return max(one.item() for one in differences)


def bfloat16_parity(run: Path, device: torch.device) -> dict[str, float]:
    """Compares views of the trained demo in bfloat16 with float32.

    Returns the lowest PSNR in dB and the lowest share of equal labels.
    """
    with tempfile.TemporaryDirectory() as folder:
        if latest_checkpoint(run) is None:
            say(f"{run} has no checkpoint: training the demo for {DEMO_STEPS} steps first")
            run = Path(folder) / "rooms"
            command = [sys.executable, str(REPOSITORY / "train.py"), "--config", str(ROOMS)]
            command += ["--out", folder, "--steps", str(DEMO_STEPS), "--picture_every", "10000"]
            subprocess.run(command, check=True)
        model = checkpoint_to_use(run, None, "gpnerf").build().to(device).eval()
    options = parse_options("", SIZES["demo"])
    scenes = load_scenes(options, options.test_scenes)
    size = (options.height, options.width, options.num_source_views, options.view_metric)
    examples = TestExamples(test_views(scenes, from_options(FrameRule, options)), *size)
    decibels, equal = [], []
    for index in range(0, len(examples), len(examples) // DEMO_VIEWS):
        exact, rounded = (
            render_example(model, examples[index], precision) for precision in ("float32", "bfloat16")
        )
        decibels.append(float(psnr(rounded.color, exact.color)))
        equal.append((exact.labels == rounded.labels).float().mean().item())
    return {"bf16_psnr": min(decibels), "bf16_labels": min(equal)}
