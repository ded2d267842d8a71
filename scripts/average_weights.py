"""Averages models that started from the same weights, into a run to score and to export.

    python scripts/average_weights.py out/rooms out/photographs --shares 0.7 0.3 --out out/averaged
    python eval.py --config configs/rooms.txt --out out --expname averaged
    python scripts/export_weights.py out/averaged --name rooms

Models that learnt from different data are each better on their own; the mean keeps much of what each learnt.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from gpnerf.config.parser import Parser
from gpnerf.config.types import amount
from gpnerf.system.errors import CheckpointError
from gpnerf.system.scripting import run_script
from gpnerf.training.averaging import averaged
from gpnerf.training.checkpoint import list_checkpoints, save_checkpoint
from gpnerf.training.find_model import find_model

log = logging.getLogger("average_weights")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("models", nargs="+", metavar="MODEL", help="run, checkpoint, weights folder or shipped model")
    add("--shares", nargs="+", type=amount, help="share of each model, 1 in all (default: all the same)")
    add("--out", type=Path, required=True, help="folder of the run to make")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    if list_checkpoints(options.out):
        raise CheckpointError(
            f"--out: expected a folder without checkpoints, found some in {options.out}; name another."
        )
    if len(set(options.models)) < len(options.models):
        raise CheckpointError("MODEL: expected each model once, found one twice; give it a larger share.")
    shares = options.shares or [1 / len(options.models)] * len(options.models)
    mean = averaged({name: find_model(name) for name in options.models}, shares)
    path = save_checkpoint(options.out, mean)
    log.info(f"{path} holds {'; '.join(mean.options['averaged'])}.")
    return 0


if __name__ == "__main__":
    run_script(main)
