"""Serves a web page to look around in a scene: colour, depth, labels, features and confidence.

    python scripts/view.py weights/rooms --scene 1000        # a room by its seed
    python scripts/view.py out/kitchen --scene data/kitchen  # the folder of a scene

MODEL is a run, a checkpoint, a weights folder, the name of a shipped model, or hf://OWNER/NAME. Options that
are not given are those of --config, or else of the model's training. Needs viser: pip install -e ".[viewer]".
"""

from __future__ import annotations

import logging
import time
from argparse import Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence

from gpnerf.commands.opening import take_training_options
from gpnerf.commands.options import let_shape_follow
from gpnerf.config.parser import Parser, words_of
from gpnerf.config.types import count
from gpnerf.datasets.options import add_data_options, add_place_options
from gpnerf.system.devices import PRECISIONS
from gpnerf.system.scripting import StopRequest, run_script
from gpnerf.training.checkpoint import Checkpoint
from gpnerf.training.find_model import find_model
from gpnerf.viewer.opening import open_stage
from gpnerf.viewer.server import Viewer, check_free, viser_module

log = logging.getLogger("view")

HOST, PORT = "127.0.0.1", 8080
# Seconds between two looks at whether Ctrl-C was pressed.
PAUSE_S = 0.2


def build_parser() -> Parser:
    """The parser of the options, which are those of any training that choose scenes, and a few of its own."""
    parser = Parser(description=__doc__, formatter_class=RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("model", metavar="MODEL", help="model to look with")
    parser.add_argument("--scene", help="folder of a scene, or its name in --data_root; for rooms, a seed")
    parser.add_argument("--config", help="file of options, which take the place of the training's")
    parser.add_argument("--host", default=HOST, help="address to listen on; 0.0.0.0: every network")
    parser.add_argument("--port", type=count, default=PORT, help="port to listen on; 0: any free one")
    parser.add_argument("--device", default="auto", help="auto (CUDA if there is one), cpu, cuda, ...")
    parser.add_argument(
        "--precision", choices=PRECISIONS, default=PRECISIONS[0], help="precision of the network"
    )
    add_place_options(parser)
    add_data_options(parser)
    return parser


def parse(arguments: Sequence[str] | None) -> tuple[Namespace, Checkpoint]:
    """The options and the model."""
    parser = build_parser()
    first = parser.parse_args(arguments)
    viser_module()
    check_free(first.host, first.port)
    checkpoint = find_model(first.model)
    take_training_options(parser, checkpoint, first.scene, first.config)
    options = parser.parse_args(arguments)
    let_shape_follow(options, words_of(arguments))
    return options, checkpoint


def main(arguments: Sequence[str] | None = None) -> int:
    options, checkpoint = parse(arguments)
    stop = StopRequest()
    viewer = Viewer(*open_stage(options, checkpoint), options.host, options.port)
    log.info(f"Open {viewer.address} in a browser to look around in {options.scene}; Ctrl-C ends the viewer.")
    while not stop.wanted:
        time.sleep(PAUSE_S)
    viewer.stop()
    return 0


if __name__ == "__main__":
    run_script(main)
