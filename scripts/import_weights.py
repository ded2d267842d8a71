"""Turns a published GNT or GP-NeRF .pth into a checkpoint for --load_weights and --checkpoint.

A GNT file has no semantic weights: they keep random initial values and are listed as fresh. Weights of the
file that are not used are listed too. If it has a coarse and a fine network, the coarse one is used for both
passes.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from gpnerf.config.fields import values_before
from gpnerf.config.parser import Parser
from gpnerf.datasets.options import NOTHING, SEMANTIC
from gpnerf.methods.gpnerf.released_weights import (
    COARSE,
    FINE,
    check_shapes,
    implied_sizes,
    read_published,
)
from gpnerf.methods.gpnerf.settings import Function, Recipe, Sizes
from gpnerf.methods.settings import Settings
from gpnerf.system.errors import CheckpointError
from gpnerf.system.scripting import make_folder, run_script
from gpnerf.training.checkpoint import Checkpoint, save_checkpoint

log = logging.getLogger("import_weights")

# The 20 classes of ScanNet's benchmark in the published order.
SCANNET_CLASSES = (
    "wall,floor,cabinet,bed,chair,sofa,table,door,window,bookshelf,picture,counter,desk,curtain,"
    "refrigerator,shower curtain,toilet,sink,bathtub,other furniture"
)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("source", type=Path, help="published .pth file")
    parser.add_argument("run", type=Path, help="folder of the run to make, e.g. out/published")
    parser.add_argument("--class_names", default=SCANNET_CLASSES, help="a,b,c, for a file with a head")
    parser.add_argument("--seed", type=int, default=0, help="seed of the fresh weights")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    published = read_published(options.source)
    sizes = implied_sizes(published)
    names = tuple(options.class_names.split(",")) if sizes.classes else ()
    if len(names) != sizes.classes:
        raise CheckpointError(
            f"{options.source}: expected {sizes.classes} class names, found {len(names)}; name each class "
            "once with --class_names."
        )
    torch.manual_seed(options.seed)
    # What this project adds came after them, as after its own first checkpoints.
    settings = Settings("gpnerf", sizes, Function(**values_before(Function)), Recipe())
    target = SEMANTIC if sizes.classes else NOTHING
    model = settings.build()
    check_shapes(published, model)
    fresh, _ = model.load_state_dict(published.tensors, strict=False)
    origin = {"imported": str(options.source), "target": target}
    checkpoint = Checkpoint(0, settings, names, model.state_dict(), {}, origin)
    path = save_checkpoint(make_folder(options.run), checkpoint)
    held = f"{path} holds {len(published.tensors)} tensors of {options.source}"
    log.info(
        f"{held}; fresh: {', '.join(fresh) or 'none'}; not used: {', '.join(published.unused) or 'none'}."
    )
    if FINE in published.unused:
        log.warning(f"Warning: {FINE} is not used: one network, {COARSE}, renders both passes.")
    defaults = asdict(Sizes(classes=sizes.classes)) | asdict(Function())
    values = asdict(sizes) | asdict(settings.function)
    changed = [f"--{name} {value}" for name, value in values.items() if value != defaults[name]]
    given = [f"--load_weights {options.run}", *changed, *([] if sizes.classes else [f"--target {NOTHING}"])]
    log.info(f"Options for train.py: {' '.join(given)}")
    return 0


if __name__ == "__main__":
    run_script(main)
