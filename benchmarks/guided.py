"""Measures what guided rendering gains and costs, against the same passes at every pixel.

    python benchmarks/guided.py --config configs/rooms.txt     # a trained run: seconds per view and quality
    python benchmarks/guided.py                                # the published sizes: seconds per view

All ways of rendering run in turn. Options other than --rounds are those of eval.py. Without them, a model
with random weights renders one small view, as its seconds do not depend on the weights; the published two
passes at every pixel are measured too.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from benchmark_tools import ROOMS, say
from torch import Tensor

from gpnerf.commands.options import parse_options
from gpnerf.config.fields import from_options
from gpnerf.config.types import positive
from gpnerf.datasets.examples import Example, TestExamples, TestView
from gpnerf.datasets.run_scenes import load_scenes, test_views
from gpnerf.datasets.views import FrameRule
from gpnerf.evaluation.scorer import Scorer
from gpnerf.methods.gpnerf.model import GPNeRF
from gpnerf.methods.gpnerf.settings import ALL
from gpnerf.methods.settings import Settings
from gpnerf.metrics.image import psnr
from gpnerf.rendering.view import Quality, RenderedView, render_example
from gpnerf.system.devices import choose_device
from gpnerf.system.scripting import run_script
from gpnerf.training.resume import checkpoint_to_use

GUIDES = (1, 2, 4, 8)
# Neighbouring pixels whose true depths differ by more than this share form a depth edge.
EDGE = 0.1
# The view of the published sizes: small, as time grows with the number of pixels.
HEIGHT, WIDTH, VIEWS, CLASSES = 120, 160, 10, 16


class Way(NamedTuple):
    """A way of rendering: its name, a model, and a quality."""

    name: str
    model: GPNeRF
    quality: Quality

    def evaluations(self) -> float:
        """Sample evaluations per ray."""
        function = self.model.function
        last = function.fine_samples + (function.samples if function.last_pass == ALL else 0)
        rays_per_guide = self.quality.guide**2 if self.model.guided else 1
        return function.samples / rays_per_guide + last


def depth_edges(depth: Tensor) -> Tensor:
    """Whether the known depths [H, W] within one pixel of a pixel differ by more than EDGE: bool [H, W]."""
    farthest = F.max_pool2d(depth[None], 3, 1, 1)
    nearest = -F.max_pool2d(-torch.where(depth > 0, depth, torch.inf)[None], 3, 1, 1)
    return (farthest > (1.0 + EDGE) * nearest)[0]


def in_turn(ways: Sequence[Way], examples: Sequence[Example], rounds: int) -> dict[str, list[float]]:
    """Seconds per view of each way, once per example and round."""
    seconds = {way.name: [] for way in ways}
    for example in list(examples) * rounds:
        for way in ways:
            start = time.perf_counter()
            render_example(way.model, example, "float32", way.quality)
            seconds[way.name].append(time.perf_counter() - start)
    return seconds


def report_speed(ways: Sequence[Way], seconds: dict[str, list[float]]) -> None:
    """Writes seconds per view and, per way, the ratio of frames per second to the first way."""
    count = len(seconds[ways[0].name])
    say(f"{'way':22s} samples per ray   s per view   times as fast (medians of {count})")
    for way in ways:
        own = seconds[way.name]
        ratio = statistics.median(a / b for a, b in zip(seconds[ways[0].name], own, strict=True))
        say(f"{way.name:22s} {way.evaluations():15.1f} {statistics.median(own):12.2f} {ratio:15.2f}")


def report_quality(ways: Sequence[Way], examples: Sequence[Example]) -> None:
    say(f"{'way':22s}   PSNR   at depth edges   depth abs. rel.   mIoU   labels as at every pixel")
    views: dict[str, list[RenderedView]] = {}
    for way in ways:
        views[way.name] = [render_example(way.model, one, "float32", way.quality) for one in examples]
        scorer = Scorer(way.model.sizes.classes, objects=None, lpips=None)
        scores = [
            scorer(view, one.target, None).scores for view, one in zip(views[way.name], examples, strict=True)
        ]
        mean = {
            name: statistics.fmean(one[name] for one in scores) for name in ("psnr", "depth_abs_rel", "miou")
        }
        edges = statistics.fmean(
            psnr(view.color, one.target.image, depth_edges(one.target.depth))
            for view, one in zip(views[way.name], examples, strict=True)
        )
        same = statistics.fmean(
            (view.labels == first.labels).float().mean().item()
            for view, first in zip(views[way.name], views[ways[0].name], strict=True)
        )
        say(
            f"{way.name:22s} {mean['psnr']:6.2f} {edges:16.2f} {mean['depth_abs_rel']:17.4f} "
            f"{mean['miou']:6.3f} {same:26.3f}"
        )


def published(rounds: int) -> None:
    """Measures the published sizes."""
    example = TestExamples(_room_views(), HEIGHT, WIDTH, VIEWS, "distance")[0]
    models = []
    for changes in ({}, {"last_pass": ALL}):
        torch.manual_seed(0)
        models.append(Settings.of("gpnerf", classes=CLASSES, **changes).build().eval())
    ways = [Way(f"guide {guide}", models[0], Quality(guide=guide)) for guide in GUIDES]
    ways.append(Way("published two passes", models[1], Quality()))
    report_speed(ways, in_turn(ways, [example], rounds))


def _room_views() -> list[TestView]:
    options = parse_options("", ["--config", str(ROOMS)], "eval")
    scenes = load_scenes(options, options.test_scenes[:1])
    return test_views(scenes, from_options(FrameRule, options))


def trained(arguments: Sequence[str], rounds: int) -> None:
    """Measures the run that options of eval.py name."""
    options = parse_options("", arguments, "eval")
    checkpoint = checkpoint_to_use(Path(options.out) / options.expname, options.checkpoint, options.method)
    model = checkpoint.build().to(choose_device(options.device)).eval()
    views = test_views(load_scenes(options, options.test_scenes), from_options(FrameRule, options))
    size = options.height, options.width, options.num_source_views, options.view_metric
    loaded = TestExamples(views, *size)
    examples = [loaded[number] for number in range(len(loaded))]
    quality = Quality.of(options)
    ways = [Way(f"guide {guide}", model, quality._replace(guide=guide)) for guide in GUIDES]
    report_speed(ways, in_turn(ways, examples[:1], rounds))
    report_quality(ways, examples)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--rounds", type=positive, default=3, help="renderings of each way that are timed")
    own, others = parser.parse_known_args(arguments)
    if others:
        trained(others, own.rounds)
    else:
        published(own.rounds)
    return 0


if __name__ == "__main__":
    run_script(main)
