"""Renders videos of a scene along a camera path: colour, depth, labels and semantic features."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from gpnerf.commands.options import parse_options
from gpnerf.commands.video import VideoRenderer
from gpnerf.execution.numerics import make_repeatable
from gpnerf.system.distributed import join_processes, leave_processes
from gpnerf.system.scripting import run_script

log = logging.getLogger("render")


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse_options(__doc__, arguments, "render")
    make_repeatable(options.deterministic, options.device)
    processes = join_processes(options.device)
    videos = VideoRenderer(options, processes).run()
    leave_processes()
    for video, folder in videos.items():
        log.info(f"{video} is written; its frames are in {folder}.")
    return 0


if __name__ == "__main__":
    run_script(main)
