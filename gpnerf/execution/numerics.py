"""How a run computes: machine, threads, precision and algorithms.

Runs with the same numerics, options and seed produce the same numbers, bit for bit (docs/reliability.md).
"""

from __future__ import annotations

import logging
import os
import platform
from argparse import Namespace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from gpnerf.execution.compilation import compile_layers, worth_compiling
from gpnerf.execution.workload import Sample, Workload
from gpnerf.methods.method import Method
from gpnerf.system.choices import WORTH_CHANGING, timed
from gpnerf.system.devices import PRECISIONS, allow_tf32, has_bfloat16
from gpnerf.system.distributed import Processes
from gpnerf.system.numerics_record import Numerics

log = logging.getLogger(__name__)

# Makes cuBLAS sum in one order; it reads this variable when CUDA starts.
CUBLAS_WORKSPACE = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def make_repeatable(wanted: str, device_name: str) -> bool:
    """Fixes the number of threads and, if wanted, the order of sums. Call it before a GPU is used.

    wanted: whether to use deterministic algorithms: yes, no, or auto, which uses them on a CPU, where they
    cost little. Returns whether they are used.
    """
    on_cuda = device_name.startswith("cuda") or (device_name == "auto" and torch.cuda.is_available())
    on = wanted == "yes" or (wanted == "auto" and not on_cuda)
    # PyTorch would otherwise fill all memory that it allocates; nothing here reads unwritten memory.
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.use_deterministic_algorithms(on, warn_only=True)
    # Without an explicit number, MKL may choose another number of threads at every call.
    torch.set_num_threads(torch.get_num_threads())
    if on and on_cuda:
        os.environ.setdefault(*CUBLAS_WORKSPACE)
        torch.backends.cudnn.benchmark = False
        log.info(
            "Sums have one order because of --deterministic yes. This is slower, since scattered sums are "
            "sorted first. PyTorch warns once of each operation that has no fixed order on a GPU; only "
            "these can make runs differ."
        )
    return on


def machine_name(device: torch.device) -> str:
    """The name of the GPU, or of the processor and its vector instructions; it decides the kernels."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return f"{_processor()} ({device.type})"
    return f"{_processor()} ({torch.backends.cpu.get_cpu_capability()})"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def settle(
    model: Method, options: Namespace, work: Workload, processes: Processes, before: Numerics | None = None
) -> Numerics:
    """Decides what --precision auto and --compile auto mean for this model and work, and compiles.

    before: the numerics of the run's last checkpoint; on a machine of the same kind, auto keeps its choices.
    All processes follow the choices of the first one.
    """
    machine, sample = machine_name(model.device), Sample(model, work)
    if before and before.machine != machine:
        before = None
    precision = processes.as_first(partial(_precision, options.precision, sample, machine, before))
    allow_tf32(precision)
    wanted = options.compile
    if wanted == "auto" and before:
        wanted = "yes" if before.compiled else "no"
    worth = processes.as_first(partial(worth_compiling, wanted, sample, precision, machine))
    compiled = worth and compile_layers(model)
    return Numerics(
        machine=machine,
        threads=torch.get_num_threads(),
        precision=precision,
        deterministic=torch.are_deterministic_algorithms_enabled(),
        compiled=compiled,
        torch=str(torch.__version__),
        numpy=np.__version__,
        opencv=cv2.__version__,
    )


def _precision(wanted: str, sample: Sample, machine: str, before: Numerics | None) -> str:
    if wanted != "auto":
        return wanted
    return before.precision if before else _faster_precision(sample, machine)


def _faster_precision(sample: Sample, machine: str) -> str:
    """bfloat16 on a GPU that supports it, and on a CPU if a timing of the model's layers finds it faster."""
    device = sample.model.device
    if device.type != "cpu":
        return "bfloat16" if device.type == "cuda" and has_bfloat16(device) else "float32"
    # A sample consists of rays.
    if not sample.model.renders:
        return "float32"
    candidates = {name: partial(sample.run, name) for name in PRECISIONS}
    seconds = timed("precision", sample.facts(machine), candidates)
    ratio = seconds["float32"] / seconds["bfloat16"]
    chosen = "bfloat16" if ratio >= WORTH_CHANGING else "float32"
    log.info(f"Computing in {chosen}: bfloat16 is {ratio:.2f} times as fast as float32 on this machine.")
    return chosen
