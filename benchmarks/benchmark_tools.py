"""Tools that the benchmarks share: the models that they measure, a clock, and lines of a table."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import torch
from literal import LiteralSources, literal_rays, literal_sources
from torch import Tensor

from gpnerf.commands.options import parse_options
from gpnerf.config.fields import from_options
from gpnerf.config.types import REPOSITORY
from gpnerf.datasets.examples import Example, TestExamples
from gpnerf.datasets.run_scenes import load_scenes, test_views
from gpnerf.datasets.views import FrameRule
from gpnerf.geometry.cameras import pixel_grid
from gpnerf.geometry.rays import Rays
from gpnerf.methods.gpnerf.model import GPNeRF
from gpnerf.methods.method import RayPass
from gpnerf.methods.settings import Settings
from gpnerf.rendering.view import Prepared, suitable_chunk
from gpnerf.system.devices import autocast

ROOMS = REPOSITORY / "configs" / "rooms.txt"
SIZES = {
    "published": ["--config", str(ROOMS), "--height", "240", "--width", "320", "--num_source_views", "10"],
    "demo": ["--config", str(ROOMS)],
}
CLASSES = 16
# What the literal form computes.
AS_PUBLISHED = {"coordinates": "world", "ray_weights": "published", "last_pass": "all"}
# Rays at a time in a large chunk. The released configs render 2,000, whose features [R, S, V, 512] alone take
# 2.6 GB, and most machines lack the memory for all the rest. 512 rays fit, and also exceed every cache.
LARGE_CHUNK = 512
# Default precision of our form on each device.
FASTEST = {"cpu": "float32", "cuda": "bfloat16"}
# Least seconds that each work runs before it is timed, and in every round.
WARM_UP, MEASURED = {"cpu": 10.0, "cuda": 2.0}, {"cpu": 3.0, "cuda": 1.0}


@dataclass(frozen=True)
class Subject:
    """One model and a chunk of rays to render, from a held-out view of an embedded room."""

    model: GPNeRF
    example: Example
    origins: Tensor
    directions: Tensor

    def with_rays(self, count: int) -> Subject:
        """The same subject with `count` rays, spread evenly over the pixels of its view."""
        camera = self.example.target.camera
        pixels = pixel_grid(camera.height, camera.width)
        chosen = pixels[:: max(1, len(pixels) // count)][:count].to(self.origins.device)
        origins, directions = camera.rays(chosen)
        return replace(self, origins=origins, directions=directions)

    @torch.no_grad()
    def rays(self, prepared: Prepared, semantics: bool, precision: str | None = None) -> RayPass:
        device = self.model.device
        example = self.example
        pose = example.target.camera.camera_to_world
        rays = Rays(self.origins, self.directions, example.near, example.far, pose)
        with autocast(device, precision or FASTEST[device.type]):
            return self.model.render_rays(*prepared, rays, semantics)[-1]

    @torch.no_grad()
    def literal(self, sources: LiteralSources, semantics: bool) -> RayPass:
        near, far = self.example.near, self.example.far
        return literal_rays(self.model, sources, self.origins, self.directions, near, far, semantics)[-1]

    @torch.no_grad()
    def prepared(self, precision: str | None = None) -> Prepared:
        example, device = self.example, self.model.device
        with autocast(device, precision or FASTEST[device.type]):
            record = self.model.prepare(example.sources, example.near, example.far)
            return Prepared(record, example.sources.cameras)

    @torch.no_grad()
    def literal_sources(self) -> LiteralSources:
        return literal_sources(self.model, self.example.sources.images, self.example.sources.cameras)


def subject(name: str, device: torch.device, views: int | None = None, **changes: Any) -> Subject:
    """Builds the published or the demo model with random weights; changes: settings that replace its own.

    It computes what the literal form does.
    """
    changes = AS_PUBLISHED | changes
    options = parse_options("", SIZES[name])
    scenes = load_scenes(options, options.test_scenes[:1])
    size = (options.height, options.width, views or options.num_source_views, options.view_metric)
    example = TestExamples(test_views(scenes, from_options(FrameRule, options)), *size)[0].to(device)
    if name == "published":
        settings = Settings.of("gpnerf", classes=CLASSES, gradient_block="features", **changes)
    else:
        settings = Settings.from_options(Namespace(**{**vars(options), **changes}), CLASSES)
    torch.manual_seed(0)
    model = settings.build().to(device).eval()
    none = torch.zeros(0, 3, device=device)
    return Subject(model, example, none, none).with_rays(suitable_chunk(model, len(example.sources.images)))


def seconds_of(work: Callable[[], Any], device: torch.device) -> float:
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def in_turn(works: Sequence[Callable], rounds: int, device: torch.device) -> list[list[float]]:
    """Seconds of each work in every round, [rounds, works], as in the middle of a long run.

    Short works are repeated. The first runs are not counted, since they allocate memory and fill caches.
    """
    for work in works:
        long_enough(work, WARM_UP[device.type], device)
    return [[long_enough(work, MEASURED[device.type], device) for work in works] for _ in range(rounds)]


def long_enough(work: Callable[[], Any], least: float, device: torch.device) -> float:
    """Mean seconds of a run, repeated until `least` seconds have passed."""
    runs, total = 0, 0.0
    while total < least:
        runs, total = runs + 1, total + seconds_of(work, device)
    return total / runs


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def report(what: str, unit: str, ours: Sequence[float], literal: Sequence[float]) -> float:
    """Prints a line of the table from the seconds of each round; returns the median of literal / ours."""
    ratios = [one / other for other, one in zip(ours, literal, strict=True)]
    both = [median(seconds) if unit == "s" else 1.0 / median(seconds) for seconds in (ours, literal)]
    spread = f"{min(ratios):.1f} to {max(ratios):.1f}"
    say(f"{what:36s} {both[0]:10.3g} {both[1]:10.3g} {unit:8s} {median(ratios):7.1f} ({spread})")
    return median(ratios)
