"""Measures the viewer without a browser: frames per second of a moving camera, seconds to the first fine one.

    python benchmarks/viewer_speed.py rooms data/rooms/v6_96x128_24/room_1000

The camera follows the photographs in a window of their shape. Core seconds are those of all threads together,
which depend less than seconds on what else the machine does.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import torch

import gpnerf
from gpnerf.config.parser import Parser
from gpnerf.geometry.trajectories import interpolate
from gpnerf.system.scripting import run_script
from gpnerf.system.usage import core_seconds
from gpnerf.viewer.renderer import Rendering, SceneRenderer, SourceChoice
from gpnerf.viewer.session import COARSE, FINE, Session
from gpnerf.viewer.viewpoint import Viewpoint
from gpnerf.viewer.worker import RenderWorker

FRAMES, SOURCES = 20, 4


class Count:
    """Counts frames, and the time that they take."""

    def __init__(self) -> None:
        self.frames = 0
        self.start, self.core_start = time.monotonic(), core_seconds()

    def add(self, rendering: Rendering) -> None:
        self.frames += 1

    def tell(self, what: str) -> None:
        seconds, cores = time.monotonic() - self.start, core_seconds() - self.core_start
        print(
            f"{what}: {self.frames} frames in {seconds:.2f} s and {cores:.2f} core seconds, "
            f"{self.frames / seconds:.2f} and {self.frames / cores:.2f} per second"
        )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("model", help="as for --checkpoint of render.py")
    parser.add_argument("scene", type=Path, help="folder of the scene")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    model, scene = gpnerf.load(options.model).method, gpnerf.open_scene(options.scene)
    height, width = scene.size(0)
    renderer = SceneRenderer(model, scene, SourceChoice(height, width, SOURCES, "overlap"), "float32")
    fov, shape = Viewpoint.of(renderer.cameras[0]).fov, width / height
    path = [Viewpoint(pose, fov, shape) for pose in interpolate(scene.poses, FRAMES + 1, 2.0)]
    worker = RenderWorker(renderer.render)
    print(f"{torch.get_num_threads()} threads, source views of {height}x{width} pixels")
    for what, places, levels in (
        ("first coarse and fine frame", path[:1], (COARSE, FINE)),
        ("moving, source views read on the way", path[1:], (COARSE,)),
        ("moving, source views kept", path[1:], (COARSE,)),
        ("at rest", path[:1], (FINE,)),
    ):
        count = Count()
        session = Session(levels, count.add, print, worker.wake)
        worker.join(session)
        for place in places:
            session.look(place)
            while worker.step():
                pass
        worker.leave(session)
        count.tell(what)
    return 0


if __name__ == "__main__":
    run_script(main)
