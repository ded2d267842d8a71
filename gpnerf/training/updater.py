"""One update of the weights from the examples of a step, over all processes, and what may go wrong in it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from torch import Tensor

from gpnerf.datasets.examples import Example
from gpnerf.methods.gpnerf.losses import LossWeights
from gpnerf.methods.gpnerf.model import GPNeRF
from gpnerf.system.devices import autocast, is_out_of_memory
from gpnerf.system.distributed import Processes
from gpnerf.system.errors import GPNeRFError, TrainingError
from gpnerf.training.step import LearningRates, backward, compute_losses, set_learning_rates, step_generator

log = logging.getLogger("train")

# Steps in a row without a finite gradient, after which a training is given up.
MOST_SKIPPED = 10
VALUES = ("loss", "psnr", "photometric", "semantic", "distill", "depth_guided")


class Updater:
    """The updates of a training. skipped: steps so far whose gradient was not finite, and changed nothing."""

    def __init__(
        self,
        model: GPNeRF,
        optimizer: torch.optim.Optimizer,
        rates: LearningRates,
        weights: LossWeights,
        num_rays: int,
        accumulate: int,
        precision: str,
        seed: int,
        match_instances: bool = False,
        clip_gradient: float = 0.0,
        processes: Processes | None = None,
    ) -> None:
        """accumulate: examples per step and process; clip_gradient: longest gradient, 0 for any."""
        self.model, self.optimizer, self.rates, self.weights = model, optimizer, rates, weights
        self.num_rays, self.accumulate = num_rays, accumulate
        self.precision, self.seed, self.match_instances = precision, seed, match_instances
        self.clip_gradient, self.processes = clip_gradient, processes or Processes()
        self.parameters = [one for group in optimizer.param_groups for one in group["params"]]
        self.skipped = self.in_a_row = 0

    @property
    def examples_per_step(self) -> int:
        return self.accumulate * self.processes.world

    def __call__(self, step: int, examples: Sequence[Example | GPNeRFError]) -> dict[str, Tensor]:
        """Updates the weights by the mean gradient of the examples of all processes; these are this one's.

        Returns the means of the total loss, of the PSNR of the rays and of each loss. Raises what a faulty
        example holds, and TrainingError if too many steps in a row have no finite gradient.
        """
        set_learning_rates(self.optimizer, self.rates, step)
        self.optimizer.zero_grad(set_to_none=True)
        numbers = self.processes.share(
            range(step * self.examples_per_step, (step + 1) * self.examples_per_step)
        )
        values = [self._add_gradients(*one) for one in zip(numbers, examples, strict=True)]
        self.processes.add_gradients(self.parameters)
        gradients = [one.grad for one in self.parameters if one.grad is not None]
        length = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        if torch.isfinite(length):
            if self.clip_gradient and length > self.clip_gradient:
                torch._foreach_mul_(gradients, (self.clip_gradient / length).item())
            self.optimizer.step()
            self.in_a_row = 0
        else:
            self._skip(step, examples)
        return self._means(values)

    def _add_gradients(self, number: int, example: Example | GPNeRFError) -> dict[str, Tensor]:
        """Adds the gradient of example `number` of the training; returns its total loss, PSNR and losses."""
        if isinstance(example, GPNeRFError):
            raise example
        try:
            return self._losses(number, example.to(self.model.device, non_blocking=True))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise TrainingError(
                f"Out of memory in a step of {self.num_rays} rays and {len(example.source_images)} source "
                f"views; lower --num_rays (with a larger --accumulate), --num_source_views, or --height and "
                f"--width{self._recompute_advice(len(example.source_images))}."
            ) from error

    def _recompute_advice(self, views: int) -> str:
        """Empty where rays are recomputed already, or too few of them to be."""
        helps = not self.model.recompute and self.num_rays > self.model.recomputed_rays(views)
        return ", or add --recompute yes" if helps else ""

    def _losses(self, number: int, example: Example) -> dict[str, Tensor]:
        generator = step_generator(self.seed, number)
        with autocast(self.model.device, self.precision):
            losses, psnr = compute_losses(
                self.model, example, self.num_rays, self.weights, generator, self.match_instances
            )
        total = backward(self.model, losses, self.weights, 1.0 / self.examples_per_step)
        return {"loss": total, "psnr": psnr, **{name: loss.detach() for name, loss in losses.items()}}

    def _means(self, values: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
        """Over the examples of all processes that have a value."""
        nothing = torch.zeros((), device=self.model.device)
        sums = [sum((one[name] for one in values if name in one), nothing) for name in VALUES]
        counts = [nothing + sum(name in one for one in values) for name in VALUES]
        sums, counts = self.processes.add(torch.stack([*sums, *counts]).double()).chunk(2)
        return {
            name: total / count for name, total, count in zip(VALUES, sums, counts, strict=True) if count > 0
        }

    def _skip(self, step: int, examples: Sequence[Example]) -> None:
        self.skipped += 1
        self.in_a_row += 1
        own = [f"{example.target.scene}, view {example.target.name}" for example in examples]
        views = "; ".join(sum(self.processes.gather(own), []))
        log.warning(f"Step {step} is skipped: its gradient is not finite ({views}).")
        if self.in_a_row == MOST_SKIPPED:
            raise TrainingError(
                f"The gradients of {MOST_SKIPPED} steps in a row were not finite, last at step {step} "
                f"({views}); the weights are those of the last good step. Lower the learning rates, add "
                "--clip_gradient 1 or --precision float32, and check the scene with scripts/check_data.py."
            )
