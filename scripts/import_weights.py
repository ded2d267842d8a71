"""Turns published weights into a checkpoint for --load_weights and --checkpoint.

gpnerf: a GNT or GP-NeRF .pth. A GNT file has no semantic weights: they keep random initial values and are
listed as fresh. If it has a coarse and a fine network, the coarse one is used for both passes. mask_rcnn,
swin_t: a .pth or .safetensors of torchvision, of the trunk alone or, for mask_rcnn, of the whole detector.
Weights of the file that are not used are listed.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch

from gpnerf.config.fields import values_before
from gpnerf.config.parser import Parser
from gpnerf.datasets.options import NOTHING, SEMANTIC
from gpnerf.methods.detector.published import import_published
from gpnerf.methods.gpnerf.released_weights import (
    COARSE,
    FINE,
    check_shapes,
    implied_sizes,
    read_published,
)
from gpnerf.methods.gpnerf.settings import Function, Recipe
from gpnerf.methods.method import Method
from gpnerf.methods.registry import method_class
from gpnerf.methods.settings import Settings
from gpnerf.system.errors import CheckpointError
from gpnerf.system.scripting import make_folder, run_script
from gpnerf.system.wording import some
from gpnerf.training.checkpoint import Checkpoint, save_checkpoint

log = logging.getLogger("import_weights")

# The 20 classes of ScanNet's benchmark in the published order.
SCANNET_CLASSES = (
    "wall,floor,cabinet,bed,chair,sofa,table,door,window,bookshelf,picture,counter,desk,curtain,"
    "refrigerator,shower curtain,toilet,sink,bathtub,other furniture"
)
GPNERF, DETECTORS = "gpnerf", ("mask_rcnn", "swin_t")


class Imported(NamedTuple):
    """A model with published weights, and the names of its classes.

    fresh: tensors that are not in the file; unused: what the file has in vain. origin: facts for the
    checkpoint besides the file.
    """

    model: Method
    class_names: tuple[str, ...]
    fresh: Sequence[str]
    unused: Sequence[str]
    origin: dict[str, str]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("source", type=Path, help="published file")
    parser.add_argument("run", type=Path, help="folder of the run to make, e.g. out/published")
    parser.add_argument("--method", choices=(GPNERF, *DETECTORS), default=GPNERF, help="of the weights")
    parser.add_argument(
        "--class_names", default=SCANNET_CLASSES, help="a,b,c, for a file of GP-NeRF with a head"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the fresh weights")
    return parser.parse_args(arguments)


def import_gpnerf(options: argparse.Namespace) -> Imported:
    published = read_published(options.source)
    sizes = implied_sizes(published)
    names = tuple(options.class_names.split(",")) if sizes.classes else ()
    if len(names) != sizes.classes:
        raise CheckpointError(
            f"{options.source}: expected {sizes.classes} class names, found {len(names)}; name each class "
            "once with --class_names."
        )
    # What this project adds came after them, as after its own first checkpoints.
    model = Settings(GPNERF, sizes, Function(**values_before(Function)), Recipe()).build()
    check_shapes(published, model)
    fresh, _ = model.load_state_dict(published.tensors, strict=False)
    if FINE in published.unused:
        log.warning(f"Warning: {FINE} is not used: one network, {COARSE}, renders both passes.")
    target = SEMANTIC if sizes.classes else NOTHING
    return Imported(model, names, fresh, published.unused, {"target": target})


def import_detector(options: argparse.Namespace) -> Imported:
    """The classes of published detectors are those of COCO, which no scene of ours has."""
    found = import_published(method_class(options.method), options.source)
    names = tuple(f"published class {number}" for number in range(found.model.sizes.classes))
    return Imported(found.model, names, found.fresh, found.unused, {"target": found.model.targets[0]})


IMPORTERS: dict[str, Callable[[argparse.Namespace], Imported]] = {
    GPNERF: import_gpnerf,
    **dict.fromkeys(DETECTORS, import_detector),
}


def options_for_training(options: argparse.Namespace, settings: Settings, target: str) -> str:
    """The options of train.py that go with the weights."""
    kinds = type(settings.sizes), type(settings.function)
    defaults = asdict(kinds[0](classes=settings.sizes.classes)) | asdict(kinds[1]())
    values = asdict(settings.sizes) | asdict(settings.function)
    method = [] if options.method == GPNERF else [f"--method {options.method}"]
    changed = [f"--{name} {_text(value)}" for name, value in values.items() if value != defaults[name]]
    colors = [f"--target {NOTHING}"] if target == NOTHING else []
    return " ".join([*method, f"--load_weights {options.run}", *changed, *colors])


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    torch.manual_seed(options.seed)
    model, names, fresh, unused, origin = IMPORTERS[options.method](options)
    settings = Settings(options.method, model.sizes, model.function, model.recipe)
    origin = {"imported": str(options.source), **origin}
    checkpoint = Checkpoint(0, settings, names, model.state_dict(), {}, origin)
    path = save_checkpoint(make_folder(options.run), checkpoint)
    held = f"{path} holds {len(model.state_dict()) - len(fresh)} tensors of {options.source}"
    log.info(f"{held}; fresh: {some(fresh) or 'none'}; not used: {some(unused) or 'none'}.")
    log.info(f"Options for train.py: {options_for_training(options, settings, origin['target'])}")
    return 0


if __name__ == "__main__":
    run_script(main)
