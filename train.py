"""Trains a model on many scenes, or finetunes it on one. The same command resumes a stopped run."""

from __future__ import annotations

from collections.abc import Sequence

from gpnerf.commands.options import parse_options
from gpnerf.execution.numerics import make_repeatable
from gpnerf.system.distributed import join_processes, leave_processes
from gpnerf.system.scripting import run_script
from gpnerf.training.trainer import Trainer


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse_options(__doc__, arguments, "train")
    make_repeatable(options.deterministic, options.device)
    processes = join_processes(options.device)
    code = Trainer(options, processes).train()
    leave_processes()
    return code


if __name__ == "__main__":
    run_script(main)
