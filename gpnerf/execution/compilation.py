"""Compilation of a method's layers by torch.compile: the same formulas in fewer passes over memory."""

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

# Limit of graphs per function; each number of samples, semantics, gradients and mixer on or off adds one.
MOST_GRAPHS = 64
# Compiling takes about a minute on first use; runs shorter than this never compile by themselves.
WORTH_ASKING_S = 180.0

# Sums over fewer views than this become loops of one thread instead of reductions among threads.
GPU_OPTIONS = {"unroll_reductions_threshold": 33}

# Compiled or plain functions, by their module and name.
Functions = dict[tuple[torch.nn.Module, str], Callable]


def missing_compiler(device: torch.device) -> str | None:
    """The name of what torch.compile needs on a device and cannot find; None if nothing is missing."""
    if device.type == "cuda":
        return None if importlib.util.find_spec("triton") else "the package triton"
    candidates = (os.environ.get("CXX"), "g++", "clang++", "c++")
    found = any(name and shutil.which(name) for name in candidates)
    return None if found else "a C++ compiler (g++ or clang++)"


def compile_layers(model: Method) -> bool:
    """Compiles the layers of the model; the first use of each shape takes seconds.

    Without a compiler, or if compilation fails, a message is logged once and the layers run uncompiled.
    Returns whether the layers are compiled.
    """
    if not model.compiled_parts():
        log.info("Running without torch.compile: the method has no layers that it makes faster.")
        return False
    missing = missing_compiler(model.device)
    if missing:
        log.info(
            f"Running without torch.compile, which is slower: {missing} is not installed on this machine."
        )
        return False
    _install(_compiled(_layers(model), model.device))
    return True


def worth_compiling(wanted: str, sample: Sample, precision: str, machine: str) -> bool:
    """Decides whether to compile the layers of the sample's model.

    wanted: yes, no, or auto, which times both forms and takes the faster one. auto never compiles for short
    runs, which do not make up for the time of compiling, nor for work whose shapes vary, as every shape is
    compiled anew, nor for training on a CPU, which spends most of its time on tensors kept for the gradient
    (docs/performance.md). The model is left uncompiled.
    """
    model = sample.model
    if wanted != "auto":
        return wanted == "yes"
    if not sample.work.one_shape or (model.training and model.device.type == "cpu"):
        return False
    if not model.compiled_parts() or missing_compiler(model.device):
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
    """Times the sample with plain and with compiled layers: seconds by "plain" and "compiled"."""
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
    """The model's functions that are worth compiling, in their current form."""
    parts = model.compiled_parts()
    return {(owner, name): getattr(owner, name) for owner, names in parts.items() for name in names}


def _compiled(layers: Functions, device: torch.device) -> Functions:
    # This logger warns on every machine without a GPU.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    torch._dynamo.config.cache_size_limit = MOST_GRAPHS
    torch._dynamo.config.suppress_errors = True
    options = GPU_OPTIONS if device.type == "cuda" else None
    return {key: torch.compile(one, dynamic=False, options=options) for key, one in layers.items()}


def _install(functions: Functions) -> None:
    for (owner, name), one in functions.items():
        setattr(owner, name, one)
