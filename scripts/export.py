"""Takes a scene along: maps of its rendered views, labelled points, Gaussians, or a mesh.

    python scripts/export.py weights/rooms --scene 1000 --format mesh       # a room by its seed
    python scripts/export.py out/kitchen --scene data/kitchen --format ply  # the folder of a scene

MODEL is a run, a checkpoint, a weights folder, the name of a shipped model, or hf://OWNER/NAME. Options that
are not given are those of --config, or else of the model's training. The files go to export/SCENE in the
folder of the run, or in out/MODEL. The rendered views stay there, in `maps`: the same views are not rendered
again, whatever the format.
"""

from __future__ import annotations

import logging
from argparse import Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path

from gpnerf.commands.export import SceneExport
from gpnerf.commands.opening import take_training_options
from gpnerf.commands.options import let_shape_follow
from gpnerf.config.fields import add_options
from gpnerf.config.parser import Parser, words_of
from gpnerf.config.types import positive
from gpnerf.datasets.options import add_data_options, add_place_options
from gpnerf.execution.numerics import make_repeatable
from gpnerf.export.options import ExportOptions
from gpnerf.rendering.view import GUIDE
from gpnerf.system.devices import PRECISIONS
from gpnerf.system.scripting import run_script
from gpnerf.training.checkpoint import Checkpoint, list_checkpoints
from gpnerf.training.find_model import find_model

log = logging.getLogger("export")


def build_parser() -> Parser:
    """The parser of the options, which are those of any training that choose scenes, and a few of its own."""
    parser = Parser(description=__doc__, formatter_class=RawDescriptionHelpFormatter, allow_abbrev=False)
    add = parser.add_argument
    add("model", metavar="MODEL", help="model to render with")
    add("--scene", help="folder of a scene, or its name in --data_root; for rooms, a seed")
    add("--config", help="file of options, which take the place of the training's")
    add("--out", type=Path, help="folder that gets export/SCENE (default: that of the run, or out/MODEL)")
    add("--device", default="auto", help="auto (CUDA if there is one), cpu, cuda, ...")
    add("--precision", choices=PRECISIONS, default=PRECISIONS[0], help="precision of the network")
    add("--guide", type=positive, default=GUIDE, help="coarse pass on every N-th row and column; 1: on all")
    add("--chunk_size", type=positive, help="rays at a time; bounds the memory")
    add_options(parser, "export", ExportOptions)
    add_place_options(parser)
    add_data_options(parser)
    return parser


def parse(arguments: Sequence[str] | None) -> tuple[Namespace, Checkpoint]:
    """The options and the model."""
    parser = build_parser()
    first = parser.parse_args(arguments)
    checkpoint = find_model(first.model)
    take_training_options(parser, checkpoint, first.scene, first.config)
    options = parser.parse_args(arguments)
    let_shape_follow(options, words_of(arguments))
    return options, checkpoint


def folder_of(options: Namespace) -> Path:
    """The folder of --out, of the run, or one named after the model."""
    model = Path(options.model)
    return options.out or (model if list_checkpoints(model) else Path("out") / model.stem)


def main(arguments: Sequence[str] | None = None) -> int:
    options, checkpoint = parse(arguments)
    make_repeatable("auto", options.device)
    for path in SceneExport(options, checkpoint, folder_of(options)).run():
        log.info(f"Wrote {path}.")
    return 0


if __name__ == "__main__":
    run_script(main)
