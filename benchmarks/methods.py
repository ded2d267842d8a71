"""Measures all methods in one run: seconds per frame and per training step, peak memory, parameters.

    python benchmarks/methods.py --height 60 --width 80              # minutes on two CPU cores
    python benchmarks/methods.py --device cuda                       # whole frames
    python benchmarks/methods.py configs/scannet.txt configs/scannet.txt+configs/variants/ours.txt

Without configs, each row of the paper that a method gives is measured at published sizes (its config of
ScanNet or Replica, or else the defaults of the method) and at demo sizes (its config of the rooms), and
GP-NeRF at published sizes also with our choices. A config may be followed by +VARIANT.

All have random weights and see the same generated room. A frame includes its source views and its labels.
Layers are not compiled. Parameters are those that a step trains. Every config is measured in a process of its
own: memory is what PyTorch allocates on a GPU, and on a CPU the whole process with its libraries.
"""

from __future__ import annotations

import argparse
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch
from benchmark_tools import CLASSES, FASTEST, say, seconds_of

from gpnerf.commands.options import parse_options
from gpnerf.config.fields import from_options
from gpnerf.config.parser import Parser
from gpnerf.config.types import REPOSITORY, positive
from gpnerf.datasets.examples import TestExamples, TrainingExamples
from gpnerf.datasets.options import NOTHING
from gpnerf.datasets.run_scenes import load_scenes
from gpnerf.execution.numerics import make_repeatable
from gpnerf.methods.gpnerf.model import GPNeRF
from gpnerf.methods.method import Method
from gpnerf.methods.registry import METHODS
from gpnerf.methods.settings import Settings
from gpnerf.rendering.view import GUIDE, Quality, render_example
from gpnerf.system.devices import allow_tf32, choose_device
from gpnerf.system.scripting import run_script
from gpnerf.training.data import load_training_data
from gpnerf.training.schedule import Schedule, build_optimizer
from gpnerf.training.updater import StepOptions, Updater

CONFIGS = REPOSITORY / "configs"
# Data sets whose configs have published sizes, and those whose configs have demo sizes; the first one counts.
PUBLISHED, DEMO = ("scannet", "replica"), ("rooms",)
DEMO_FILE = "_demo"
# The paper's method with our choices, which can be guided.
OURS = f"{CONFIGS / 'scannet.txt'}+{CONFIGS / 'variants' / 'ours.txt'}"
# The frame of a method that no config of PUBLISHED names: that of ScanNet.
FRAME = ["--height", "240", "--width", "320"]
# One room takes the place of all scenes; its frames are split as those of a scene that is finetuned.
ROOM, VIEWS = "1000", 24
# Seconds after which a first run counts; a shorter one only warms up.
LONG = 10.0
BYTES_PER_GIB = 2**30


class Case(NamedTuple):
    """What is measured: the config file, or the defaults of a method if it has none, and its options."""

    name: str
    arguments: list[str]

    @staticmethod
    def of(config: str) -> Case:
        """The case of CONFIG or CONFIG+VARIANT."""
        file, plus, variant = config.partition("+")
        path = Path(file).resolve()
        name = path.relative_to(REPOSITORY).as_posix() if path.is_relative_to(REPOSITORY) else path.name
        chosen = ["--variant", variant] if plus else []
        return Case(f"{name}{plus}{Path(variant).name}", ["--config", file, *chosen])

    def options(self, given: Namespace) -> Namespace:
        """The options of the case, on the room."""
        scene = ["--dataset", "rooms", "--data_root", given.data_root, "--views_per_room", str(VIEWS)]
        scene += ["--train_scenes", ROOM, "--test_scenes", ROOM, "--test_frames", "::8", "--border", "0"]
        scene += ["--source_frames", ":", "--train_frames", ":", "--depth_range", "scene"]
        for side in ("height", "width"):
            if getattr(given, side):
                scene += [f"--{side}", str(getattr(given, side))]
        return parse_options("", [*self.arguments, *scene])


class Measured(NamedTuple):
    """A row of the table; guided is None for a method that is not guided."""

    row: str
    config: str
    frame: str
    seconds: float
    guided: float | None
    step: float
    rays: int
    memory: int
    parameters: int


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("configs", nargs="*", help="CONFIG or CONFIG+VARIANT to measure (default: all rows, at both sizes)")
    add("--device", default="auto", help="auto (CUDA if there is one), cpu, cuda, ...")
    add("--rounds", type=positive, default=3, help="runs of each work, of which the median is reported")
    add("--height", type=positive, help="of all frames, pixels (default: that of each config)")
    add("--width", type=positive, help="of all frames, pixels (default: that of each config)")
    add("--data_root", default=str(REPOSITORY / "data" / "rooms"), help="folder of generated rooms")
    return parser.parse_args(arguments)


def all_cases() -> list[Case]:
    """Every row at published and at demo sizes, in the order of the methods."""
    files = [*sorted(CONFIGS.glob("*.txt")), *sorted((CONFIGS / "baselines").glob("*.txt"))]
    parsed = [(file, parse_options("", ["--config", str(file)])) for file in files]
    # A finetuning has the sizes of what it starts from.
    trained = [(file, options) for file, options in parsed if not options.load_weights]
    found: list[Case] = []
    for method in METHODS:
        own = [(file, options) for file, options in trained if options.method == method]
        # Where a method has published sizes on the rooms too, another of its files has demo sizes.
        own.sort(key=lambda one: DEMO_FILE not in one[0].stem)
        published, demo = (_first_of_each_row(own, datasets) for datasets in (PUBLISHED, DEMO))
        if not published:
            published = [Case(f"--method {method}", ["--method", method, *FRAME])]
        found += [*published, *([Case.of(OURS)] if METHODS[method] is GPNeRF else []), *demo]
    return found


def _first_of_each_row(configs: Sequence[tuple[Path, Namespace]], datasets: Sequence[str]) -> list[Case]:
    """The first config of each row of the paper on the first of the data sets that has one."""
    first: dict[str, Case] = {}
    for dataset in datasets:
        for file, options in configs:
            if options.dataset == dataset:
                first.setdefault(_row(options), Case.of(str(file)))
    return list(first.values())


def _row(options: Namespace) -> str:
    classes = 0 if options.target == NOTHING else CLASSES
    with torch.device("meta"):
        return Settings.from_options(options, classes).build().paper_row


def measure(case: Case, given: Namespace) -> Measured:
    """Renders and trains with random weights; meant for a process of its own, whose peak memory counts."""
    make_repeatable("auto", given.device)
    device, options = choose_device(given.device), case.options(given)
    allow_tf32(FASTEST[device.type])
    data = load_training_data(options)
    torch.manual_seed(0)
    model = Settings.from_options(options, len(data.class_names)).build().to(device)
    size = options.height, options.width, options.num_source_views, options.view_metric
    view = TestExamples(data.tested, *size, with_depth=model.needs_depth)[0]
    trained = TrainingExamples(data.trained, *size, 0, 1, with_depth=model.needs_depth)[0]
    model.eval()

    def frame(guide: int) -> float:
        quality = Quality(options.chunk_size, guide=guide)
        work = partial(render_example, model, view, FASTEST[device.type], quality)
        return median_seconds(work, given.rounds, device)

    seconds, guided = frame(1), frame(GUIDE) if model.guided else None
    step = median_seconds(training_step(model, options, trained), given.rounds, device)
    return Measured(
        model.paper_row,
        case.name,
        f"{options.width}x{options.height}",
        seconds,
        guided,
        step,
        options.num_rays,
        peak_memory(device),
        sum(one.numel() for one in model.parameters() if one.grad is not None),
    )


def training_step(model: Method, options: Namespace, example: object) -> Callable[[], object]:
    """A function that takes one step of training, and leaves its gradients behind."""
    model.train()
    schedule, steps = from_options(Schedule, options), from_options(StepOptions, options)
    precision = FASTEST[model.device.type]
    update = Updater(model, build_optimizer(model), schedule, steps, precision, options.seed)
    return partial(update, 0, [example] * options.accumulate)


def median_seconds(work: Callable[[], object], rounds: int, device: torch.device) -> float:
    first = seconds_of(work, device)
    return first if first > LONG else median(seconds_of(work, device) for _ in range(rounds))


def peak_memory(device: torch.device) -> int:
    """Peak memory in bytes: of the tensors on a GPU, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # Not known to Windows.
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 2**10


def alone(case: Case, given: Namespace) -> Measured | None:
    """Measures a case in a process of its own; None if that dies, which it does for lack of memory."""
    options = case.options(given)
    # Makes the room here, so that the other process only reads it.
    load_scenes(options, options.train_scenes)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        try:
            return pool.submit(measure, case, given).result()
        except BrokenProcessPool:
            return None


def cells(found: Measured) -> list[str]:
    guided = "-" if found.guided is None else f"{found.guided:.2f}"
    times = [f"{found.seconds:.2f}", guided, f"{found.step:.3f}", str(found.rays)]
    return [
        found.row,
        found.config,
        found.frame,
        *times,
        f"{found.memory / BYTES_PER_GIB:.2f}",
        f"{found.parameters:,}",
    ]


TITLES = ["method", "config", "frame", "s per frame", "s guided", "s per step", "rays per step"]
TITLES += ["peak GiB", "parameters"]


def main(arguments: Sequence[str] | None = None) -> int:
    given = parse(arguments)
    cases = [Case.of(config) for config in given.configs] or all_cases()
    say(f"device {given.device}, {torch.get_num_threads()} threads, torch {torch.__version__}\n")
    say(f"| {' | '.join(TITLES)} |\n|---|---|---|{'--:|' * (len(TITLES) - 3)}")
    for case in cases:
        found = alone(case, given)
        row = cells(found) if found else ["out of memory", case.name, *[""] * (len(TITLES) - 2)]
        say(f"| {' | '.join(row)} |")
    return 0


if __name__ == "__main__":
    run_script(main)
