"""Trains and evaluates variants of a config with several seeds; writes one table with mean and spread.

    python scripts/run_ablations.py --config configs/rooms.txt --seeds 0,1,2 table4
    python scripts/run_ablations.py --config configs/rooms.txt --seeds 0,1 heads -- --steps 500

A variant is a file in configs/variants; a set is a name for several of them. Finished runs are not repeated.
Options after -- go to train.py and eval.py.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gpnerf.config.parser import Parser
from gpnerf.config.types import REPOSITORY
from gpnerf.evaluation.table import mean_and_spread
from gpnerf.system.errors import ConfigError
from gpnerf.system.scripting import make_folder, run_script

log = logging.getLogger("run_ablations")

VARIANTS = REPOSITORY / "configs" / "variants"
SETS = {
    "table4": [f"table4_id{number}" for number in range(1, 6)],
    "heads": ["head_concat", "head_add", "head_linear"],
}
METRICS = ("miou", "total_accuracy", "average_accuracy", "psnr")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="the config that the variants change")
    parser.add_argument("--seeds", default="0", help="seeds a,b,c (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("out/ablations"), help="folder of all runs")
    parser.add_argument("variants", nargs="+", help=f"sets ({', '.join(SETS)}) or names of configs/variants")
    return parser.parse_passing_on(arguments)


def resolve(names: Sequence[str]) -> list[str]:
    """Replaces sets by their variants. Raises ConfigError for an unknown name."""
    variants = [variant for name in names for variant in SETS.get(name, [name])]
    for variant in variants:
        if not (VARIANTS / f"{variant}.txt").is_file():
            known = ", ".join([*SETS, *sorted(path.stem for path in VARIANTS.glob("*.txt"))])
            raise ConfigError(f"Unknown variant {variant}; expected one of {known}.")
    return variants


def run_one(options: argparse.Namespace, variant: str, seed: str) -> dict[str, float]:
    """Returns the overall metrics of one variant and seed; trains and evaluates it unless that is done."""
    name = f"{variant}_seed{seed}"
    metrics = options.out / name / "eval" / "metrics.json"
    for script in ("train.py", "eval.py") if not metrics.is_file() else ():
        command = [sys.executable, str(REPOSITORY / script), "--config", options.config]
        command += ["--variant", str(VARIANTS / f"{variant}.txt"), "--seed", seed]
        command += ["--out", str(options.out), "--expname", name, *options.passed_on]
        code = subprocess.call(command)
        if code:
            raise ConfigError(f"{script} of {name} ended with code {code}, see above; mend it and run again.")
    return json.loads(metrics.read_text())["overall"]


def table(results: dict[str, list[dict[str, float]]]) -> str:
    """Mean and, from two seeds on, standard deviation of every metric per variant, as markdown."""
    lines = ["| variant | seeds | " + " | ".join(METRICS) + " |", "|---|" + "--:|" * (len(METRICS) + 1)]
    for variant, runs in results.items():
        cells = [mean_and_spread([run[metric] for run in runs], 3, "-") for metric in METRICS]
        lines.append(f"| {variant} | {len(runs)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    variants, seeds = resolve(options.variants), options.seeds.split(",")
    make_folder(options.out)
    results: dict[str, list[dict[str, float]]] = {}
    for variant in variants:
        results[variant] = [run_one(options, variant, seed) for seed in seeds]
    text = table(results)
    command = f"python scripts/run_ablations.py --config {options.config} --seeds {options.seeds} "
    command += " ".join([*options.variants, *(["--", *options.passed_on] if options.passed_on else [])])
    (options.out / "table.md").write_text(f"{text}\n`{command}`\n")
    log.info(f"{text}\nThe table is in {options.out / 'table.md'}.")
    return 0


if __name__ == "__main__":
    run_script(main)
