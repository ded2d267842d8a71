"""Measures how long scenes take to open, and whether examples are read faster than training consumes them.

    python benchmarks/benchmark_data.py                # 200 scenes x 1000 frames; a step of the demo size
    python benchmarks/benchmark_data.py --scenes 20 --frames 100 --model configs/scannet.txt

Synthetic scenes in the layout of ScanNet are written to a temporary folder. Many scenes of tiny files are
opened; examples are read from one scene of full size (1296x968 photographs and labels, 640x480 depth). Frames
are not kept in memory, so that every image of every example is decoded.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from argparse import Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader
from tqdm import tqdm

from gpnerf.commands.options import parse_options
from gpnerf.config.parser import Parser
from gpnerf.config.types import positive
from gpnerf.datasets.examples import TrainingExamples, TrainingScene
from gpnerf.datasets.frame_reader import FrameReader, KeptFrames
from gpnerf.datasets.layouts import load_scene
from gpnerf.datasets.published.class_lists import SCANNET_CLASSES
from gpnerf.datasets.published.scannet import LABEL_MAP
from gpnerf.media.images import write_image
from gpnerf.methods.settings import Settings
from gpnerf.system.files import write_whole
from gpnerf.system.scripting import run_script
from gpnerf.training.schedule import step_generator

HEIGHT, WIDTH, NUM_SOURCES = 240, 320, 10
COLOR_SIZE, DEPTH_SIZE, TINY_SIZE = (968, 1296), (480, 640), (9, 12)
FULL_FRAMES = 40
EXAMPLES, STEPS = 24, 3
OPEN_ALL = """
import sys, time
from pathlib import Path
from gpnerf.datasets.layouts import load_scene
root = Path(sys.argv[1])
names = sorted(path.name for path in root.iterdir() if path.is_dir())
start = time.perf_counter()
scenes = [load_scene("scannet", root, name) for name in names]
print(time.perf_counter() - start, sum(len(scene.views) for scene in scenes))
"""


def parse(arguments: Sequence[str] | None) -> Namespace:
    parser = Parser(description=__doc__, formatter_class=RawDescriptionHelpFormatter, allow_abbrev=False)
    add = parser.add_argument
    add("--scenes", type=positive, default=200, help="tiny scenes to open (default: 200)")
    add("--frames", type=positive, default=1000, help="frames of each tiny scene (default: 1000)")
    add("--workers", type=positive, default=2, help="processes that read images (default: 2)")
    add("--model", default="configs/sizes/demo.txt", help="config whose training step is timed")
    return parser.parse_args(arguments)


def texture(size: tuple[int, int], seed: int, dtype: type, largest: int, channels: int = 1) -> np.ndarray:
    """A smooth random image [H, W] or [H, W, C], which compresses about as well as a photograph."""
    coarse = np.random.default_rng(seed).integers(0, largest, (48, 64, channels)).astype(np.float32)
    smooth = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC).clip(0, largest)
    return smooth.astype(dtype)


def make_scene(folder: Path, frames: int, color: tuple[int, int], depth: tuple[int, int]) -> None:
    """Writes a scene of ScanNet whose frames are hard links to the same images, taken 1 cm apart."""
    for name in ("color", "depth", "label-filt", "pose", "intrinsic"):
        (folder / name).mkdir(parents=True)
    labels = np.ones(color, np.uint16)
    labels[color[0] // 2 :] = 300
    write_image(folder / "color" / "0.jpg", texture(color, 0, np.uint8, 255, channels=3))
    write_image(folder / "depth" / "0.png", texture(depth, 1, np.uint16, 5000))
    write_image(folder / "label-filt" / "0.png", labels)
    for number in range(frames):
        pose = f"1 0 0 {0.01 * number:.2f}\n0 1 0 0\n0 0 1 0\n0 0 0 1\n"
        (folder / "pose" / f"{number}.txt").write_text(pose)
        for name in ("color/{}.jpg", "depth/{}.png", "label-filt/{}.png") if number else ():
            os.link(folder / name.format(0), folder / name.format(number))
    height, width = color
    matrix = f"{width} 0 {width / 2} 0\n0 {width} {height / 2} 0\n0 0 1 0\n0 0 0 1\n"
    (folder / "intrinsic" / "intrinsic_color.txt").write_text(matrix)
    write_whole(folder.parent / LABEL_MAP, "id\tnyu40id\n1\t1\n300\t5\n")


def start_up(root: Path, scenes: int, frames: int) -> None:
    """Reports how long a new process takes to open all scenes, first without an index, then with it."""
    for number in tqdm(range(scenes), desc="Making scenes", unit="scene"):
        make_scene(root / f"scene{number:04d}_00", frames, TINY_SIZE, TINY_SIZE)
    for title in ("first start (indexing)", "every later start"):
        done = subprocess.run(
            [sys.executable, "-c", OPEN_ALL, str(root)],
            capture_output=True,
            text=True,
            check=True,
        )
        seconds, count = done.stdout.split()
        report(f"{title:24s} {float(seconds):8.2f} s for {scenes} scenes, {count} frames")


def examples_per_second(root: Path, workers: int) -> tuple[float, TrainingExamples]:
    """Examples that the workers deliver per second after a warm-up, and the examples."""
    make_scene(root / "scene_full", FULL_FRAMES, COLOR_SIZE, DEPTH_SIZE)
    scene, frames = load_scene("scannet", root, "scene_full"), range(FULL_FRAMES)
    length = EXAMPLES + 2 * workers
    size = (HEIGHT, WIDTH, NUM_SOURCES, "distance")
    examples = TrainingExamples([TrainingScene(scene, frames, frames)], *size, seed=0, length=length)
    examples.reader = FrameReader(HEIGHT, WIDTH, KeptFrames(capacity=0))
    delivered = iter(DataLoader(examples, batch_size=None, num_workers=workers))
    for _ in islice(delivered, 2 * workers):
        pass
    start = time.perf_counter()
    count = sum(1 for _ in delivered)
    return count / (time.perf_counter() - start), examples


def steps_per_second(examples: TrainingExamples, config: str) -> float:
    """Training steps of the model of a config per second, on the CPU, without reading."""
    options = parse_options("", ["--config", config])
    model = Settings.from_options(options, len(SCANNET_CLASSES)).build()
    optimizer = torch.optim.Adam(model.parameters())
    example = examples[0]

    def step() -> None:
        losses, _ = model.losses(example, options.num_rays, step_generator(0, 0))
        optimizer.zero_grad(set_to_none=True)
        model.backward(losses)
        optimizer.step()

    step()
    return 1.0 / median(seconds_of(step) for _ in range(STEPS))


def seconds_of(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def report(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GPNERF_CACHE"] = str(Path(folder) / "cache")
        start_up(Path(folder) / "tiny", options.scenes, options.frames)
        read, examples = examples_per_second(Path(folder) / "full", options.workers)
        report(
            f"{'examples read':24s} {read:8.2f} per second, {NUM_SOURCES} + 1 photographs to {WIDTH}x{HEIGHT}"
        )
        consumed = steps_per_second(examples, options.model)
        report(f"{'training steps':24s} {consumed:8.2f} per second of the model of {options.model}")
        report(f"{'ratio':24s} {read / consumed:8.1f}")
    return 0


if __name__ == "__main__":
    run_script(main)
