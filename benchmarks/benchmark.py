"""Measures this implementation against a literal transcription of the published formulas (literal.py).

    python benchmarks/benchmark.py                    # half an hour on two CPU cores
    python benchmarks/benchmark.py --device cuda --json speed.json

Both have the same weights and run in turn. The literal form runs in float32, as published; ours runs as by
default, but always compiled. Both render the same number of rays at a time; the literal form is also measured
with larger chunks, closer to those of the released configs. Ratios above 1 are in our favour.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import torch
from benchmark_memory import peak_memory
from benchmark_parity import DEMO_VIEWS, bfloat16_parity, largest_difference
from benchmark_tools import (
    FASTEST,
    LARGE_CHUNK,
    Subject,
    in_turn,
    report,
    say,
    seconds_of,
    subject,
)
from literal import literal_losses

from gpnerf.config.parser import Parser
from gpnerf.config.types import positive
from gpnerf.execution.compilation import compile_layers
from gpnerf.methods.gpnerf.model import GPNeRF
from gpnerf.rendering.view import Quality, render_view
from gpnerf.system.devices import allow_tf32, autocast, choose_device
from gpnerf.system.scripting import run_script
from gpnerf.training.schedule import build_optimizer, step_generator

log = logging.getLogger("benchmark")

Ratios = dict[str, float]

# Rays of a training step: ours, and two numbers for the literal form. Its activations for 512 rays take
# 17 GiB, which most GPUs have and most other machines do not.
TRAIN_RAYS, LITERAL_RAYS = 512, {"cpu": (32, 96), "cuda": (32, 512)}
# Side of the matrices whose product measures the machine's own rate.
PRODUCT = 2048


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--device", default="auto", help="auto (CUDA if there is one), cpu, cuda, ...")
    add("--json", type=Path, default=None, help="file for the median ratios and the parity")
    add("--rounds", type=positive, default=3, help="rounds, of which medians are reported (default: 3)")
    add("--demo", type=Path, default=Path("out/rooms"), help="trained run whose bfloat16 views are compared")
    return parser.parse_args(arguments)


def rays(name: str, given: Subject, rounds: int, device: torch.device) -> tuple[Ratios, Ratios, list[float]]:
    """Measures rays with and without semantics.

    Returns the ratios for equal chunks, the ratios for large chunks of the literal form, and the literal
    form's seconds per ray with semantics in equal and in large chunks.
    """
    count, ratios, larger = len(given.origins), {}, {}
    sources, maps = given.prepared(), given.literal_sources()
    large = given.with_rays(max(count, LARGE_CHUNK))
    for kind, semantics in (("rays_color", False), ("rays_semantic", True)):
        works = [partial(given.rays, sources, semantics)]
        works += [partial(form.literal, maps, semantics) for form in (given, large)]
        times = in_turn(works, rounds, device)
        ours = [one / count for one, _, _ in times]
        equal, many = (
            [row[column] / len(form.origins) for row in times] for column, form in ((1, given), (2, large))
        )
        ratios[kind] = report(f"{name}: {kind}, {count} at a time", "/s", ours, equal)
        larger[kind] = report(f"  the literal form {len(large.origins)} at a time", "/s", ours, many)
        if not semantics:
            arithmetic(given, count * median(ours), device)
    return ratios, larger, [median(equal), median(many)]


def arithmetic(given: Subject, seconds: float, device: torch.device) -> None:
    """Prints how much of the machine's own rate the arithmetic of a chunk of colour rays reaches."""
    each = operations_per_ray(given.model, len(given.example.sources.images))
    reached, own = each * len(given.origins) / seconds, product_rate(device)
    say(
        f"  {each / 1e6:.0f} million operations per ray: {reached / 1e9:.0f} GFLOP/s, {reached / own:.0%} "
        f"of a large matrix product's {own / 1e9:.0f} GFLOP/s"
    )


def operations_per_ray(model: GPNeRF, views: int) -> float:
    """Multiplications and additions in the matrix products of a colour ray: both passes of our form."""
    net = model.transformer
    width, inputs, encoding = net.width, net.embed[0].in_features, 3 + 6 * net.frequencies
    narrow = net.field_layers[0].weigh[0].out_features
    per_view = (width + narrow) ** 2 + 4 * narrow + narrow * width
    field = views * per_view + narrow * width + width**2 + 8 * width**2
    ray, mixing = 4 * width**2 + 8 * width**2, width * (width + encoding) + width**2
    embedding, layers = views * (inputs + width) * width, len(net.field_layers)
    coarse, fine = model.function.samples, model.function.fine_samples
    total = 0
    for seen in (coarse, coarse + fine) if fine else (coarse,):
        of_ray = layers * (ray + 2 * seen * width) + len(net.mixers) * mixing
        total += seen * (embedding + layers * field + of_ray)
    return 2.0 * total


def product_rate(device: torch.device) -> float:
    """Operations per second of a large matrix product, in the precision of our form."""
    left, right = (torch.randn(PRODUCT, PRODUCT, device=device) for _ in range(2))
    with autocast(device, FASTEST[device.type]):
        if torch.is_autocast_enabled(device.type):
            left, right = left.bfloat16(), right.bfloat16()
        best = min(seconds_of(lambda: left @ right, device) for _ in range(8))
    return 2.0 * PRODUCT**3 / best


def frame(given: Subject, literal_rays: Sequence[float], rounds: int, device: torch.device) -> list[float]:
    """Ratios for a whole view with labels, one for each of the literal form's seconds per ray.

    Ours renders the view, or a twentieth of its rows on a CPU. The literal form's time is computed from its
    seconds per ray.
    """
    camera, example = given.example.target.camera, given.example
    parts = 1 if device.type == "cuda" else 20
    strip = replace(camera, height=camera.height // parts)
    encoding, literal_encoding = (
        seconds_of(work, device) for work in (given.prepared, given.literal_sources)
    )
    sources = given.prepared()

    def view() -> None:
        with autocast(device, FASTEST[device.type]):
            render_view(given.model, sources, strip, example.near, example.far, Quality(len(given.origins)))

    ours = [encoding + parts * seconds_of(view, device) for _ in range(rounds)]
    ratios = []
    for what, each in zip(("", ", large chunks"), literal_rays, strict=True):
        literal = [literal_encoding + camera.height * camera.width * each] * rounds
        ratios.append(report(f"frame {camera.width}x{camera.height}{what}", "s", ours, literal))
        if not what:
            report(
                "frame 640x480 (4 times that)", "s", [4 * one for one in ours], [4 * one for one in literal]
            )
    return ratios


def training_step(name: str, rays: int, literal: bool, device: torch.device) -> Callable[[], None]:
    """Returns a function that takes one training step, with weights and an optimiser of its own."""
    given = subject(name, device)
    model, optimizer = given.model.train(), build_optimizer(given.model)
    if not literal:
        compile_layers(model)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        if literal:
            losses = literal_losses(model, given.example, rays, step_generator(0, 0))
        else:
            with autocast(device, FASTEST[device.type]):
                losses, _ = model.losses(given.example, rays, step_generator(0, 0))
        model.backward(losses)
        optimizer.step()

    return step


def training(name: str, rounds: int, device: torch.device) -> float:
    """Ratio literal / ours of a step with TRAIN_RAYS rays.

    The literal form's time lies on the line through the times of its two numbers of rays.
    """
    few, many = LITERAL_RAYS[device.type]
    works = [training_step(name, TRAIN_RAYS, False, device)]
    works += [training_step(name, rays, True, device) for rays in (few, many)]
    ours, least, most = zip(*in_turn(works, rounds, device), strict=True)
    literal = [
        low + (high - low) * (TRAIN_RAYS - few) / (many - few) for low, high in zip(least, most, strict=True)
    ]
    return report(f"{name}: train_step, {TRAIN_RAYS} rays", "/s", ours, literal)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    device, rounds = choose_device(options.device), options.rounds
    allow_tf32(FASTEST[device.type])
    say(f"device {device}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    say(f"{'':36s} {'ours':>10s} {'literal':>10s} {'':8s} {'ratio':>7s} (lowest to highest)")
    given = subject("published", device)
    difference = largest_difference(given)
    compile_layers(given.model)
    ratio, larger, literal_rays = rays("published", given, rounds, device)
    ratio["frame"], larger["frame"] = frame(given, literal_rays, rounds, device)
    ratio["train_step"] = training("published", rounds, device)
    ratio["peak_memory"], larger["peak_memory"] = peak_memory(given, device)
    demo = subject("demo", device)
    compile_layers(demo.model)
    rays("demo", demo, rounds, device)
    training("demo", rounds, device)
    say(f"float32, ours against literal: largest difference {difference:.1e}")
    parity = {"float32_max": difference, **bfloat16_parity(options.demo, device)}
    say(
        f"bfloat16 against float32, trained demo: {parity['bf16_psnr']:.1f} dB, "
        f"{parity['bf16_labels']:.2%} of labels equal (the worst of {DEMO_VIEWS} views)"
    )
    if options.json:
        options.json.write_text(
            json.dumps({"ratio": ratio, "ratio_large_chunks": larger, "parity": parity}, indent=2) + "\n"
        )
        log.info(f"Written: {options.json}.")
    return 0


if __name__ == "__main__":
    run_script(main)
