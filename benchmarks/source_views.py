"""Compares policies of choosing source views: how much of a test view do its sources see?

    python benchmarks/source_views.py FOLDER [FOLDER ...] --count 8 --pool 5

A source sees a pixel of a test view if the point at its true depth lies in the source image, and the true
depth there agrees within 5 %. Test views are frames between those of the pool, at most --views of them.
Without folders, it measures the time in which training chooses its source views in large data sets.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gpnerf.config.parser import Parser
from gpnerf.config.types import positive
from gpnerf.datasets.discover import find_scenes
from gpnerf.datasets.examples import TrainingExamples, TrainingScene
from gpnerf.datasets.frame_reader import FrameReader
from gpnerf.datasets.index.scene_index import SceneIndex
from gpnerf.datasets.layouts import load_scene
from gpnerf.datasets.policies import POLICIES
from gpnerf.datasets.scene import Frame, Scene
from gpnerf.datasets.views import test_sources
from gpnerf.geometry.cameras import Camera, pixel_grid
from gpnerf.geometry.projection import visible
from gpnerf.geometry.rays import Rays
from gpnerf.system.scripting import run_script

# Relative difference of two depths of the same point.
TOLERANCE = 0.05
# A large data set: scenes, frames of each, and choices that are timed.
SCENES, FRAMES, CHOICES = 200, 1000, 300


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "folders", nargs="*", type=Path, help="folders of scenes with depth maps; none: measure times"
    )
    parser.add_argument("--count", type=positive, default=8, help="source views per test view")
    parser.add_argument("--pool", type=positive, default=5, help="every so many frames may be source views")
    parser.add_argument("--views", type=positive, default=20, help="test views per scene")
    parser.add_argument("--height", type=positive, default=120, help="of the maps, pixels")
    parser.add_argument("--width", type=positive, default=160, help="of the maps, pixels")
    return parser.parse_args(arguments)


def times_seen(target: Frame, cameras: Camera, depths: Sequence[Tensor]) -> Tensor:
    """How many sources see each pixel of known depth of the target: [N]."""
    pixels = pixel_grid(target.camera.height, target.camera.width)
    true = target.depth.flatten()
    pixels, true = pixels[true > 0], true[true > 0]
    points = Rays.through(pixels, target.camera, 1.0, 2.0).points(true[:, None])
    places, found = (one[..., 0, :] if one.ndim == 4 else one[..., 0] for one in cameras.project(points))
    inside = visible(places, found, cameras.height, cameras.width)
    cells = places.round().long()
    cells[..., 0].clamp_(0, cameras.width - 1)
    cells[..., 1].clamp_(0, cameras.height - 1)
    there = torch.stack([depth[cell[:, 1], cell[:, 0]] for depth, cell in zip(depths, cells, strict=True)])
    agree = ((there - found).abs() < TOLERANCE * found) & (there > 0)
    return (inside & agree).sum(dim=0)


def walked_scene(seed: int, height: int, width: int) -> TrainingScene:
    """A scene of FRAMES cameras without images, which look around while they wander through 5 m."""
    random = np.random.default_rng(seed)
    turns = np.cumsum(random.normal(0.0, 0.1, FRAMES))
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    poses[:, 0, 0] = poses[:, 2, 2] = np.cos(turns)
    poses[:, 0, 2], poses[:, 2, 0] = np.sin(turns), -np.sin(turns)
    poses[:, :3, 3] = np.cumsum(random.normal(0.0, 0.05, (FRAMES, 3)), axis=0)
    middle = (width - 1) / 2, (height - 1) / 2
    intrinsics = np.array([[0.6 * width, 0.0, middle[0]], [0.0, 0.6 * width, middle[1]], [0.0, 0.0, 1.0]])
    index = SceneIndex(
        names=tuple(map(str, range(FRAMES))),
        files={},
        intrinsics=np.tile(intrinsics, (FRAMES, 1, 1)),
        poses=poses,
        sizes=np.tile([height, width], (FRAMES, 1)),
        distortion=np.zeros((FRAMES, 8)),
        near=0.3,
        far=5.0,
        watched=(),
    )
    scene = Scene(f"walk {seed}", Path(), index, 0.3, 5.0)
    return TrainingScene(scene, range(FRAMES), range(FRAMES))


def time_choices(options: argparse.Namespace) -> None:
    """Writes how long training takes to choose the views of an example: the first one, then each."""
    size = options.height, options.width
    scenes = [walked_scene(seed, *size) for seed in range(SCENES)]
    sys.stdout.write(f"{SCENES} scenes of {FRAMES} frames, threads: {torch.get_num_threads()}\n")
    sys.stdout.write("policy       first, s   then median, ms   slowest of 100, ms\n")
    for policy in POLICIES:
        start = time.perf_counter()
        examples = TrainingExamples(scenes, *size, options.count, policy, seed=0, length=CHOICES + 1)
        moments = [start]
        for step in range(CHOICES + 1):
            examples.choice(step)
            moments.append(time.perf_counter())
        first, *then = np.diff(moments)
        middle, slow = 1000 * np.quantile(then, [0.5, 0.99])
        sys.stdout.write(f"{policy:10s} {first:10.3f} {middle:17.2f} {slow:20.2f}\n")
        sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    if options.folders:
        compare_policies(options)
    else:
        time_choices(options)
    return 0


def compare_policies(options: argparse.Namespace) -> None:
    """Writes how much of their test views the sources of each policy see, scene by scene."""
    sys.stdout.write(f"{'scene':24s} {'policy':10s} seen by 1   by 2   sources per pixel   ms per choice\n")
    for found in [scene for folder in options.folders for scene in find_scenes(folder)]:
        scene = load_scene(*found)
        reader = FrameReader(options.height, options.width)
        pool = list(range(0, len(scene.views), options.pool))
        others = [frame for frame in range(len(scene.views)) if options.pool == 1 or frame % options.pool]
        picked = np.linspace(0, len(others) - 1, min(options.views, len(others))).round().astype(int)
        for policy in POLICIES:
            counts, seconds = [], 0.0
            for target in (others[number] for number in picked):
                rest = [frame for frame in pool if frame != target]
                candidates = reader.candidates(scene, target, rest)
                start = time.perf_counter()
                chosen = test_sources(candidates, options.count, policy, scene.name).tolist()
                seconds += time.perf_counter() - start
                frames = [reader.frame(scene, rest[rank]) for rank in chosen]
                cameras = Camera.stack([frame.camera for frame in frames])
                counts.append(
                    times_seen(reader.frame(scene, target), cameras, [frame.depth for frame in frames])
                )
            seen = torch.cat(counts).float()
            shares = [(seen >= least).float().mean().item() for least in (1, 2)]
            sys.stdout.write(
                f"{scene.name:24s} {policy:10s} {shares[0]:9.3f} {shares[1]:6.3f} {seen.mean().item():13.2f} "
                f"{1000 * seconds / len(picked):17.1f}\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    run_script(main)
