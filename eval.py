"""Scores a trained model on the test views: a row per view, a table per scene, the paper's tables, a page."""

from __future__ import annotations

import logging
import shlex
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from gpnerf.commands.options import parse_options
from gpnerf.evaluation.evaluation import Evaluation
from gpnerf.evaluation.output import publish, write_paper_tables
from gpnerf.evaluation.paper_tables import Run
from gpnerf.evaluation.scores import Evaluated
from gpnerf.execution.numerics import make_repeatable
from gpnerf.system.distributed import Processes, join_processes, leave_processes
from gpnerf.system.scripting import EXIT_USER_FAULT, commit, run_script

log = logging.getLogger("eval")


def facts(evaluation: Evaluation, views: int) -> dict[str, object]:
    """What the numbers were made with, for the headers of tables."""
    options, checkpoint = evaluation.options, evaluation.checkpoint
    return {
        "protocol": options.protocol,
        "setting": evaluation.setting,
        "dataset": options.dataset,
        "run": f"{options.out}/{options.expname}",
        "step": checkpoint.step,
        "seed": checkpoint.options.get("seed"),
        "commit": commit(),
        "views": views,
        "size": f"{options.width}x{options.height}",
        "stride": options.stride,
        "segment": options.segment,
        "source views": options.num_source_views,
        "command": shlex.join(["python", *sys.argv]),
    }


def evaluate(options: Namespace, processes: Processes) -> tuple[Evaluation, str]:
    """Evaluates; the first process writes all files. Returns the evaluation and the table of scenes."""
    evaluation = Evaluation(options, processes)
    views = evaluation.run()
    if not processes.is_first:
        return evaluation, ""
    names = evaluation.checkpoint.class_names
    evaluated = Evaluated(views, facts(evaluation, len(views)), names)
    run = Path(options.out) / options.expname
    table = publish(run, evaluation.folder, evaluated)
    step = evaluation.checkpoint.step
    own = Run(options.expname, evaluation.setting, options.dataset, evaluated.scenes, step)
    write_paper_tables(evaluation.folder, options.table, own, evaluated.facts)
    return evaluation, table


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse_options(__doc__, arguments, "eval")
    make_repeatable(options.deterministic, options.device)
    processes = join_processes(options.device)
    evaluation, table = evaluate(options, processes)
    leave_processes()
    code = EXIT_USER_FAULT if evaluation.faults.sentences else 0
    if not processes.is_first:
        return code
    if evaluation.seconds:
        rest = 1.0 - evaluation.network_seconds / evaluation.seconds
        log.info(f"{evaluation.seconds:.1f} s for the views, of which {rest:.1%} outside the network.")
    log.info(f"{table}\nTables, report.html and pictures are in {evaluation.folder}.")
    for sentence in evaluation.faults.sentences:
        log.error(f"Not evaluated: {sentence}")
    return code


if __name__ == "__main__":
    run_script(main)
