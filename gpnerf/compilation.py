"""Layers compiled by torch.compile: the same formulas in fewer passes over memory, where that can be had."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil

import torch

from gpnerf.models.gpnerf import GPNeRF

log = logging.getLogger(__name__)

# Graphs of one function: per number of samples, with and without semantics, gradients and mixer.
MOST_GRAPHS = 64
# Compiling takes about a minute on first use; this many channels of samples seen by views make up for it.
PAYS_FROM = {"cpu": 5e9, "cuda": 1e12}

# Sums over fewer views than this are loops of one thread, not reductions among threads.
GPU_OPTIONS = {"unroll_reductions_threshold": 33}

WHEN = ("auto", "yes", "no")


def missing_compiler(device: torch.device) -> str | None:
    """What torch.compile needs on a device and cannot find, in words; None if it is all there."""
    if device.type == "cuda":
        return None if importlib.util.find_spec("triton") else "the package triton"
    candidates = (os.environ.get("CXX"), "g++", "clang++", "c++")
    found = any(name and shutil.which(name) for name in candidates)
    return None if found else "a C++ compiler (g++ or clang++)"


def work_per_ray(model: GPNeRF, views: int) -> int:
    """Channels of samples seen by views, over all layers and passes: the time of a ray in some unit."""
    samples = model.samples if model.fine_samples == 0 else 2 * model.samples + model.fine_samples
    return samples * views * len(model.transformer.field_layers) * model.transformer.width


def pays(model: GPNeRF, rays: int, views: int) -> bool:
    """Whether compiling makes up for itself. It does not for training on a CPU, where most of the time goes
    into what a layer keeps for its gradient (docs/performance.md)."""
    if model.training and model.device.type == "cpu":
        return False
    least = PAYS_FROM.get(model.device.type, PAYS_FROM["cpu"])
    return rays * work_per_ray(model, views) >= least


def compile_layers(model: GPNeRF, wanted: str, rays: int, views: int) -> None:
    """Compiles what runs for every sample of every ray; the first use of each shape takes seconds.

    wanted: yes, no, or auto: if as many `rays`, with V source views, as are going to be rendered make up for
    these seconds. What is missing, or fails while compiling, is said once, and the layers run as they are.
    """
    if wanted == "no" or (wanted == "auto" and not pays(model, rays, views)):
        return
    missing = missing_compiler(model.device)
    if missing:
        log.info(f"Running without torch.compile, slower: it needs {missing}, which is not on this machine.")
        return
    # It warns of every machine without a GPU.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    torch._dynamo.config.cache_size_limit = MOST_GRAPHS
    torch._dynamo.config.suppress_errors = True
    net = model.transformer
    parts = {
        model: ("begin", "corners", "weigh_view"),
        net: ("aggregate_views", "aggregate_ray", "add_joint"),
    }
    options = GPU_OPTIONS if model.device.type == "cuda" else None
    for owner, names in parts.items():
        for name in names:
            setattr(owner, name, torch.compile(getattr(owner, name), dynamic=False, options=options))
