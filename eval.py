"""Evaluates a trained model on the test views: scores per view and scene, the paper's tables, a page."""

from __future__ import annotations

import logging
import shlex
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from gpnerf.commands.options import parse_options
from gpnerf.evaluation.evaluator import Evaluator
from gpnerf.evaluation.gsnerf_table import write_gsnerf_table
from gpnerf.evaluation.label_scoring import label_origin
from gpnerf.evaluation.paper_tables import run_of, write_paper_tables
from gpnerf.evaluation.protocols import GSNERF
from gpnerf.evaluation.report import write_report
from gpnerf.evaluation.results import EvaluationResult
from gpnerf.execution.numerics import make_repeatable
from gpnerf.system.distributed import Processes, join_processes, leave_processes
from gpnerf.system.scripting import EXIT_USER_FAULT, commit, run_script

log = logging.getLogger("eval")


def facts(evaluator: Evaluator, views: int) -> dict[str, object]:
    """How the numbers were made, for the tables and the page."""
    options, checkpoint = evaluator.options, evaluator.checkpoint
    shared = evaluator.labels.shared
    return {
        "protocol": options.protocol,
        "method": options.method,
        "row of the paper": evaluator.model.paper_row,
        "target": options.target,
        "setting": evaluator.setting,
        "dataset": options.dataset,
        "run": f"{options.out}/{options.expname}",
        **({"checkpoint": options.checkpoint} if options.checkpoint else {}),
        "depth in training": evaluator.model.trained_depth,
        "step": checkpoint.step,
        "seed": checkpoint.options.get("seed"),
        "commit": commit(),
        "views": views,
        **({"views trained on": sum(evaluator.trained.values())} if evaluator.trained else {}),
        "size": f"{options.width}x{options.height}",
        "stride": options.stride,
        "guide": options.guide,
        "segment": options.segment,
        **({"classes scored": shared} if shared else {}),
        **label_origin(evaluator.scenes),
        "source views": options.num_source_views,
        "command": shlex.join(["python", *sys.argv]),
    }


def evaluate(options: Namespace, processes: Processes) -> tuple[Evaluator, str]:
    """Evaluates all test views; the first process writes the report.

    Returns the evaluator and the table of scenes, which is empty in the other processes.
    """
    evaluator = Evaluator(options, processes)
    views = evaluator.run()
    if not processes.is_first:
        return evaluator, ""
    result = EvaluationResult(views, facts(evaluator, len(views)), evaluator.labels.class_names)
    run = Path(options.out) / options.expname
    table = write_report(run, evaluator.folder, result)
    write_paper_tables(evaluator.folder, options.table, run_of(options.expname, result), result.facts)
    if options.protocol == GSNERF:
        write_gsnerf_table(evaluator.folder, Path(options.out), result.facts)
    return evaluator, table


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse_options(__doc__, arguments, "eval")
    make_repeatable(options.deterministic, options.device)
    processes = join_processes(options.device)
    evaluator, table = evaluate(options, processes)
    leave_processes()
    code = EXIT_USER_FAULT if evaluator.faults.sentences else 0
    if not processes.is_first:
        return code
    if evaluator.seconds:
        rest = 1.0 - evaluator.network_seconds / evaluator.seconds
        log.info(f"The views took {evaluator.seconds:.1f} s, {rest:.1%} of it outside the network.")
    log.info(f"{table}\nTables, report.html and pictures are in {evaluator.folder}.")
    for sentence in evaluator.faults.sentences:
        log.error(f"Not evaluated: {sentence}")
    return code


if __name__ == "__main__":
    run_script(main)
