"""Measures how much a video flickers where its source views change, on a generated room.

    python benchmarks/flicker.py rooms --seed 1000 --path orbit

Every way to choose source views renders the same path, of which the room maker draws the true frames.
flicker: mean |difference of consecutive renderings - difference of the true frames|, in levels of 255;
largest: of any pair of frames; labels: share of the pixels whose label changes though the true one does not.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path

import torch
from torch import Tensor

from gpnerf.commands.video_path import KINDS
from gpnerf.config.parser import Parser
from gpnerf.config.types import positive
from gpnerf.datasets import rooms
from gpnerf.datasets.frame_reader import FrameReader
from gpnerf.datasets.path_sources import KEPT_UNTIL, sources_along
from gpnerf.datasets.policies import OVERLAP, Candidates
from gpnerf.geometry.cameras import Camera
from gpnerf.metrics.image import psnr
from gpnerf.rendering.fade import blend, fade_weights
from gpnerf.rendering.view import Quality, RenderedView, SourceCache, render_view
from gpnerf.rooms.layout import make_room
from gpnerf.rooms.tracer import Tracer
from gpnerf.system.scripting import run_script
from gpnerf.training.find_model import find_model

VIEWS_PER_ROOM = 24
Sources = tuple[int, ...]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("model", help="as for --checkpoint of render.py")
    add("--seed", type=positive, default=1000, help="of the room")
    add("--data_root", default="data/rooms", help="folder of the rooms")
    add("--path", choices=tuple(KINDS), default="orbit", help="camera path")
    add("--keys", type=positive, default=8, help="photographs from the first on that interpolate passes")
    add("--frames", type=positive, default=60, help="frames of the path")
    add("--half", type=positive, default=3, help="a fade takes 2 HALF + 1 frames")
    add("--count", type=positive, default=4, help="source views of a frame")
    add("--height", type=positive, default=96, help="of photographs and frames, pixels")
    add("--width", type=positive, default=128, help="of photographs and frames, pixels")
    return parser.parse_args(arguments)


class Video:
    """The frames of a path through a room: true ones, and renderings from any source views, each once."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.size = options.height, options.width
        self.scene = rooms.load(Path(options.data_root), options.seed, *self.size, VIEWS_PER_ROOM)
        self.model = find_model(options.model).build().eval()
        reader = FrameReader(*self.size)
        self.cameras, read = reader.cameras(self.scene), partial(reader.sources, self.scene)
        self.sources = SourceCache(self.model, read, self.scene.near, self.scene.far)
        keys = self.scene.poses[: options.keys] if options.path == "interpolate" else self.scene.poses
        depth = math.sqrt(self.scene.near * self.scene.far)
        self.poses = KINDS[options.path](keys, options.frames, depth)
        self.tracer, self.views = Tracer(make_room(options.seed)), {}

    def candidates(self, number: int) -> Candidates:
        camera = Camera(self.cameras.intrinsics[0], self.poses[number], *self.size)
        return Candidates(camera, self.cameras, self.scene.near, self.scene.far)

    @cached_property
    def truth(self) -> tuple[Tensor, Tensor]:
        """Colours [F, 3, H, W] in [0, 1] and labels [F, H, W]."""
        drawn = [self.tracer.draw(self.candidates(number).target) for number in range(len(self.poses))]
        colors = torch.stack([torch.from_numpy(one.color).permute(2, 0, 1) / 255.0 for one in drawn])
        return colors, torch.stack([torch.from_numpy(one.semantic) for one in drawn])

    def chosen(self, count: int, kept_until: float) -> list[Sources]:
        frames = (self.candidates(number) for number in range(len(self.poses)))
        return sources_along(frames, count, OVERLAP, self.scene.name, kept_until)

    def render(self, number: int, sources: Sources) -> RenderedView:
        if (number, sources) not in self.views:
            camera, range_ = self.candidates(number).target, (self.scene.near, self.scene.far)
            prepared = self.sources.prepared(sources)
            self.views[number, sources] = render_view(self.model, prepared, camera, *range_, Quality())
        return self.views[number, sources]

    def blended(self, number: int, chosen: list[Sources], half: int) -> RenderedView:
        weights = fade_weights(chosen, number, half)
        views = [self.render(number, sources) for sources in weights]
        return blend(self.model, views, list(weights.values()))


def report(name: str, video: Video, chosen: list[Sources], half: int) -> None:
    views = [video.blended(number, chosen, half) for number in range(len(chosen))]
    colors, labels = (torch.stack([getattr(view, part) for view in views]) for part in ("color", "labels"))
    true_colors, true_labels = video.truth
    steps = (colors.clamp(0, 1).diff(dim=0) - true_colors.diff(dim=0)).abs().mean(dim=(1, 2, 3)) * 255.0
    still = true_labels[1:] == true_labels[:-1]
    changed = (labels[1:] != labels[:-1])[still].float().mean()
    quality = sum(psnr(one, true) for one, true in zip(colors, true_colors, strict=True)) / len(views)
    changes = sum(first != second for first, second in zip(chosen, chosen[1:], strict=False))
    cost = sum(len(fade_weights(chosen, number, half)) for number in range(len(chosen))) / len(chosen)
    numbers = (
        f"{changes:7d} {steps.mean():8.3f} {steps.max():8.3f} {changed:7.4f} {quality:6.2f} {cost:10.2f}"
    )
    print(f"{name:22s} {numbers}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    video = Video(options)
    anew, kept = (video.chosen(options.count, until) for until in (math.inf, KEPT_UNTIL))
    print(f"{'source views':22s} changes  flicker  largest  labels   PSNR  renderings")
    report("fixed", video, [anew[len(anew) // 2]] * len(anew), 0)
    report("chosen anew", video, anew, 0)
    report("chosen anew, faded", video, anew, options.half)
    report("kept", video, kept, 0)
    report("kept, faded", video, kept, options.half)
    return 0


if __name__ == "__main__":
    run_script(main)
