"""Measures how the cost of a ray grows with the numbers of views and samples and with the width.

    python benchmarks/benchmark_growth.py --device cuda

The table gives exponents: 1 means that twice as many views cost twice as much. All other sizes are the
published ones; weights are random, layers compiled.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from statistics import median

import numpy as np
import torch
from benchmark_tools import Subject, say, seconds_of, subject

from gpnerf.config.parser import Parser
from gpnerf.config.types import positive
from gpnerf.execution.compilation import compile_layers
from gpnerf.system.devices import choose_device
from gpnerf.system.scripting import run_script

VIEWS, SAMPLES, WIDTHS = (4, 8, 16), (24, 48, 96), (32, 64, 128)


def seconds_per_ray(given: Subject, rounds: int, device: torch.device) -> float:
    compile_layers(given.model)
    work = partial(given.rays, given.prepared(), True)
    work()
    return median(seconds_of(work, device) for _ in range(rounds)) / len(given.origins)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--device", default="auto", help="auto (CUDA if there is one), cpu, cuda, ...")
    parser.add_argument("--rounds", type=positive, default=3, help="runs of each size (default: 3)")
    options = parser.parse_args(arguments)
    device = choose_device(options.device)
    sizes = {
        "views": [(views, {"views": views}) for views in VIEWS],
        "samples": [
            (samples * 4 // 3, {"samples": samples, "fine_samples": samples // 3}) for samples in SAMPLES
        ],
        "width": [(width, {"transformer_width": width}) for width in WIDTHS],
    }
    for name, tried in sizes.items():
        costs = [
            seconds_per_ray(subject("published", device, **changes), options.rounds, device)
            for _, changes in tried
        ]
        exponent = np.polyfit(np.log([size for size, _ in tried]), np.log(costs), 1)[0]
        cells = ", ".join(
            f"{size}: {1e3 * cost:.2f} ms" for (size, _), cost in zip(tried, costs, strict=True)
        )
        say(f"{name:8s} {cells}; exponent {exponent:.2f}")
    return 0


if __name__ == "__main__":
    run_script(main)
