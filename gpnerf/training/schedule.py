"""The optimiser, its learning rates over the steps, and the random numbers of a step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from gpnerf.config.fields import option
from gpnerf.config.types import amount, count, positive
from gpnerf.methods.method import Method

# How the learning rates fall: by a factor per decay_steps, on and on or at once, or once along a cosine.
DECAYS = CONTINUOUS, STEPS, COSINE = ("continuous", "steps", "cosine")
# What an optimiser has from the options, not from a checkpoint.
KEPT = ("initial_lr", "weight_decay")


@dataclass(frozen=True)
class Schedule:
    """Exponential decay of the learning rates after a linear warm-up (Sec. 5.1), and decay of the weights.

    The rates fall by the factor decay_rate every decay_steps, down to a share lowest_rate of themselves. With
    a cosine they reach that share after decay_steps, whatever decay_rate.
    """

    decay_rate: float = option(0.6, "factor on the learning rates every decay_steps, without cosine", amount)
    decay_steps: int = option(100_000, "steps over which decay_rate applies once", positive)
    decay: str = option(
        CONTINUOUS,
        "steps: the factor applies at once after each decay_steps; cosine: the rates fall along a cosine, to "
        "lowest_rate after decay_steps",
        choices=DECAYS,
    )
    lowest_rate: float = option(0.0, "share of the learning rates at which their decay ends", amount)
    warmup_steps: int = option(0, "steps of linear warm-up", count)
    weight_decay: float = option(0.0, "weight of the squared weights in the gradient (Adam's L2)", amount)

    def factor(self, step: int) -> float:
        """The factor on the learning rates at a step."""
        warm = min(1.0, (step + 1) / (self.warmup_steps + 1))
        periods = step // self.decay_steps if self.decay == STEPS else step / self.decay_steps
        if self.decay == COSINE:
            wave = 0.5 * (1.0 + math.cos(math.pi * min(1.0, periods)))
            return warm * (self.lowest_rate + (1.0 - self.lowest_rate) * wave)
        return warm * max(self.lowest_rate, self.decay_rate**periods)


def build_optimizer(model: Method, weight_decay: float = 0.0) -> torch.optim.Adam:
    """Adam with the method's parameter groups, at the rates of its recipe."""
    groups = [
        {"name": name, "params": parameters, "lr": getattr(model.recipe, f"lr_{name}")}
        for name, parameters in model.parameter_groups().items()
    ]
    for group in groups:
        group["initial_lr"] = group["lr"]
    return torch.optim.Adam(groups, weight_decay=weight_decay, fused=True)


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Restores the moments of a checkpoint; rates and weight decay stay those of the optimizer."""
    own = [{name: group[name] for name in KEPT} for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, values in zip(optimizer.param_groups, own, strict=True):
        group.update(values)


def set_learning_rates(optimizer: torch.optim.Optimizer, schedule: Schedule, step: int) -> None:
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * schedule.factor(step)


def step_generator(seed: int, step: int) -> torch.Generator:
    """Makes all randomness of a step depend only on (seed, step), so that a resumed run repeats it.

    Seeds the global generators (dropout) and returns a generator for pixels and depths.
    """
    state = int(np.random.SeedSequence((seed, step, 1)).generate_state(1, np.uint64)[0])
    torch.manual_seed(state)
    return torch.Generator().manual_seed(state)
