"""One update of the weights from the examples of a step, over all processes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gpnerf.config.fields import option
from gpnerf.config.types import amount, positive
from gpnerf.datasets.examples import Example
from gpnerf.methods.method import Method
from gpnerf.system.devices import autocast, is_out_of_memory
from gpnerf.system.distributed import Processes
from gpnerf.system.errors import GPNeRFError, TrainingError
from gpnerf.training.schedule import Schedule, set_learning_rates, step_generator

log = logging.getLogger("train")

# Training ends after this many steps in a row without a finite gradient.
MOST_SKIPPED = 10


@dataclass(frozen=True)
class StepOptions:
    """The size of a training step."""

    num_rays: int = option(512, "rays per target view", positive)
    accumulate: int = option(1, "target views per step and process", positive)
    clip_gradient: float = option(0.0, "largest norm of a step's gradient; 0: no limit", amount)


class Updater:
    """Updates the weights step by step.

    skipped: number of steps whose gradient was not finite; they left the weights unchanged.
    """

    def __init__(
        self,
        model: Method,
        optimizer: torch.optim.Optimizer,
        schedule: Schedule,
        steps: StepOptions,
        precision: str,
        seed: int,
        processes: Processes | None = None,
    ) -> None:
        self.model, self.optimizer, self.schedule, self.options = model, optimizer, schedule, steps
        self.precision, self.seed, self.processes = precision, seed, processes or Processes()
        self.parameters = [one for group in optimizer.param_groups for one in group["params"]]
        self.skipped = self.in_a_row = 0

    @property
    def examples_per_step(self) -> int:
        return self.options.accumulate * self.processes.world

    def __call__(self, step: int, examples: Sequence[Example | GPNeRFError]) -> dict[str, Tensor]:
        """Updates the weights by the mean gradient over the examples of all processes.

        examples: of this process; an error in place of an example is raised. Returns the mean total loss, the
        mean PSNR of the rays and the mean of each loss. Raises TrainingError if too many steps in a row have
        no finite gradient.
        """
        set_learning_rates(self.optimizer, self.schedule, step)
        self.optimizer.zero_grad(set_to_none=True)
        numbers = self.processes.share(
            range(step * self.examples_per_step, (step + 1) * self.examples_per_step)
        )
        values = [self._add_gradients(*one) for one in zip(numbers, examples, strict=True)]
        self.processes.add_gradients(self.parameters)
        gradients = [one.grad for one in self.parameters if one.grad is not None]
        length = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        if torch.isfinite(length):
            longest = self.options.clip_gradient
            if longest and length > longest:
                torch._foreach_mul_(gradients, (longest / length).item())
            self.optimizer.step()
            self.in_a_row = 0
        else:
            self._skip(step, examples)
        return self._means(values)

    def _add_gradients(self, number: int, example: Example | GPNeRFError) -> dict[str, Tensor]:
        """Adds the gradient of example `number` of the training; returns its total loss, its PSNR if
        there is one, and its losses.
        """
        if isinstance(example, GPNeRFError):
            raise example
        try:
            return self._losses(number, example.to(self.model.device, non_blocking=True))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise TrainingError(self._out_of_memory(example)) from error

    def _out_of_memory(self, example: Example) -> str:
        """A sentence that says in what kind of step memory ran out, and what needs less."""
        height, width = example.target.image.shape[1:]
        rays, views = self.options.num_rays, len(example.sources.images)
        remedy = self.model.memory_remedy(rays, views)
        added = f"{f', or add {remedy}' if remedy else ''}."
        if not self.model.renders:
            return f"Out of memory in a step of {width}x{height} pixels; lower --height and --width{added}"
        fewer = "" if self.model.fixed_source_views else "--num_source_views, "
        return (
            f"Out of memory in a step of {rays} rays and {views} source views; lower --num_rays (and "
            f"raise --accumulate), {fewer}or --height and --width{added}"
        )

    def _losses(self, number: int, example: Example) -> dict[str, Tensor]:
        generator = step_generator(self.seed, number)
        with autocast(self.model.device, self.precision):
            losses, psnr = self.model.losses(example, self.options.num_rays, generator)
        total = self.model.backward(losses, 1.0 / self.examples_per_step)
        rendered = {} if psnr is None else {"psnr": psnr}
        return {"loss": total, **rendered, **{name: loss.detach() for name, loss in losses.items()}}

    def _means(self, values: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
        """The mean of each value over the examples of all processes that have it."""
        nothing = torch.zeros((), device=self.model.device)
        names = ["loss", "psnr", *self.model.loss_names]
        sums = [sum((one[name] for one in values if name in one), nothing) for name in names]
        counts = [nothing + sum(name in one for one in values) for name in names]
        sums, counts = self.processes.add(torch.stack([*sums, *counts])).chunk(2)
        return {
            name: total / count for name, total, count in zip(names, sums, counts, strict=True) if count > 0
        }

    def _skip(self, step: int, examples: Sequence[Example]) -> None:
        self.skipped += 1
        self.in_a_row += 1
        own = [f"{example.target.scene}, view {example.target.name}" for example in examples]
        views = "; ".join(sum(self.processes.gather(own), []))
        log.warning(f"Step {step} is skipped because its gradient is not finite ({views}).")
        if self.in_a_row == MOST_SKIPPED:
            raise TrainingError(
                f"The gradients of {MOST_SKIPPED} steps in a row were not finite, last at step {step} "
                f"({views}); the weights are those of the last good step. Lower the learning rates, add "
                "--clip_gradient 1 or --precision float32, and check the scene with scripts/check_data.py."
            )
