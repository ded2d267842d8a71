"""Makes a weights folder of a run: float16 weights, settings and a model card, to pass on or to publish.

    python scripts/export_weights.py out/rooms --core_hours 0.5      # -> weights/rooms

The folder holds nothing that only training needs. It loads by its path, or by its name if it lies in
weights/, and it has the form of a model of the Hugging Face hub. Scores come from the run's eval folder.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gpnerf.config.parser import Parser
from gpnerf.config.types import amount
from gpnerf.evaluation.model_card import model_card
from gpnerf.evaluation.result_files import read_results
from gpnerf.evaluation.results import EvaluationResult
from gpnerf.methods.registry import method_class
from gpnerf.rendering.photograph import check_renders
from gpnerf.system.scripting import run_script
from gpnerf.training.find_model import SHIPPED, find_model
from gpnerf.training.weights_folder import MODEL, write_weights

log = logging.getLogger("export_weights")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add(
        "run",
        type=Path,
        metavar="RUN",
        help="folder of a run, whose newest checkpoint is used, or a checkpoint",
    )
    add("--name", help="name of the model (default: that of the run)")
    add("--out", type=Path, help=f"folder to make (default: {SHIPPED}/NAME)")
    add("--overwrite", action="store_true", help="replace a weights folder that exists")
    add("--core_hours", type=amount, help="CPU cores times hours of the training, for the model card")
    add("--commit", help="commit that trained the model, for checkpoints that do not record it")
    return parser.parse_args(arguments)


def scores_of(run: Path, step: int) -> EvaluationResult | None:
    """The run's evaluation of this step, None if there is none; warns of one of another step."""
    scores = read_results(run / "eval")
    if scores is None:
        log.info(f"{run / 'eval'} has no scores, so the model card has none; run eval.py first to add them.")
    elif scores.facts.get("step") != step:
        log.warning(
            f"Warning: the scores in {run / 'eval'} are of step {scores.facts.get('step')}, not {step}; they "
            "are left out. Run eval.py again to add them."
        )
        return None
    return scores


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    checkpoint = find_model(options.run)
    # The model card speaks of rendered views.
    method = checkpoint.settings.method
    check_renders(method_class(method), f"--method {method}")
    run = options.run if options.run.is_dir() else options.run.parent
    name = options.name or run.resolve().name
    given = {"core_hours": options.core_hours, "commit": options.commit}
    told = {fact: value for fact, value in given.items() if value is not None}
    checkpoint = replace(checkpoint, options=checkpoint.options | told)
    folder = options.out or Path(SHIPPED) / name
    card = model_card(name, checkpoint, scores_of(run, checkpoint.step))
    digest = write_weights(folder, checkpoint, card, options.overwrite)
    size = (folder / MODEL).stat().st_size / 1e6
    log.info(f"{folder} holds step {checkpoint.step} of {options.run}: {size:.2f} MB, sha256 {digest}.")
    return 0


if __name__ == "__main__":
    run_script(main)
