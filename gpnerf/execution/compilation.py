"""Layers compiled by torch.compile: the same formulas in fewer passes over memory, where that can be had."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
from collections.abc import Callable, Sequence

import torch

from gpnerf.execution.workload import Sample
from gpnerf.methods.method import Method
from gpnerf.system.choices import WORTH_CHANGING, timed

log = logging.getLogger(__name__)

# Graphs of one function: per number of samples, with and without semantics, gradients and mixer.
MOST_GRAPHS = 64
# Compiling takes about a minute on first use: shorter runs do not ask whether it would be faster.
WORTH_ASKING_S = 180.0

# Sums over fewer views than this are loops of one thread, not reductions among threads.
GPU_OPTIONS = {"unroll_reductions_threshold": 33}

# Functions of a module by their names.
Functions = dict[tuple[torch.nn.Module, str], Callable]


def missing_compiler(device: torch.device) -> str | None:
    """What torch.compile needs on a device and cannot find, in words; None if it is all there."""
    if device.type == "cuda":
        return None if importlib.util.find_spec("triton") else "the package triton"
    candidates = (os.environ.get("CXX"), "g++", "clang++", "c++")
    found = any(name and shutil.which(name) for name in candidates)
    return None if found else "a C++ compiler (g++ or clang++)"


def compile_layers(model: Method) -> bool:
    """Compiles what runs for every sample of every ray; the first use of each shape takes seconds.

    What is missing, or fails while compiling, is said once, and the layers run as they are. Returns whether
    they are compiled.
    """
    missing = missing_compiler(model.device)
    if missing:
        log.info(f"Running without torch.compile, slower: it needs {missing}, which is not on this machine.")
        return False
    _install(_compiled(_layers(model), model.device))
    return True


def worth_compiling(wanted: str, sample: Sample, precision: str, machine: str) -> bool:
    """Whether to compile the layers of the sample's model: yes, no, or auto: where they are then faster.

    auto times both, for a run that is long enough to make up for the minute that compiling takes. It leaves
    training on a CPU as it is, where most of the time goes into what a layer keeps for its gradient
    (docs/performance.md). The layers are then as they were.
    """
    model = sample.model
    if wanted != "auto":
        return wanted == "yes"
    if (model.training and model.device.type == "cpu") or missing_compiler(model.device):
        return False
    facts = [*sample.facts(machine), precision]
    plain = timed("plain", facts, {"plain": lambda: sample.run(precision)})["plain"]
    if plain * sample.count < WORTH_ASKING_S:
        return False
    seconds = _timed_both(sample, precision, facts)
    ratio = seconds["plain"] / seconds["compiled"]
    faster = ratio >= WORTH_CHANGING
    chosen = "compiled" if faster else "not compiled"
    log.info(f"Layers are {chosen}: compiling makes them {ratio:.2f} times as fast on this machine.")
    return faster


def _timed_both(sample: Sample, precision: str, facts: Sequence[object]) -> dict:
    """The seconds of the sample "plain" and "compiled"."""
    layers = _layers(sample.model)
    compiled = _compiled(layers, sample.model.device)

    def run(functions: Functions) -> None:
        _install(functions)
        sample.run(precision)

    try:
        return timed("compile", facts, {"plain": lambda: run(layers), "compiled": lambda: run(compiled)})
    finally:
        _install(layers)


def _layers(model: Method) -> Functions:
    """The functions that are worth compiling, as they are."""
    parts = model.compiled_parts()
    return {(owner, name): getattr(owner, name) for owner, names in parts.items() for name in names}


def _compiled(layers: Functions, device: torch.device) -> Functions:
    # It warns of every machine without a GPU.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    torch._dynamo.config.cache_size_limit = MOST_GRAPHS
    torch._dynamo.config.suppress_errors = True
    options = GPU_OPTIONS if device.type == "cuda" else None
    return {key: torch.compile(one, dynamic=False, options=options) for key, one in layers.items()}


def _install(functions: Functions) -> None:
    for (owner, name), one in functions.items():
        setattr(owner, name, one)
