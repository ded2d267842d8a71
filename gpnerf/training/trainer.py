"""The training loop: data, steps, pictures, checkpoints and resumption."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from tqdm import tqdm

from gpnerf.config.fields import from_options
from gpnerf.config.parser import write_options
from gpnerf.datasets.examples import FaultsAsItems, TestExamples, TrainingExamples
from gpnerf.datasets.variation import RESHAPING
from gpnerf.execution.numerics import settle
from gpnerf.execution.workload import Workload
from gpnerf.methods.settings import Settings
from gpnerf.rendering.view import Quality, render_example
from gpnerf.system.devices import choose_device
from gpnerf.system.distributed import Processes
from gpnerf.system.errors import CheckpointError, TrainingError
from gpnerf.system.numerics_record import Numerics
from gpnerf.system.scripting import (
    EXIT_STOPPED,
    StopRequest,
    commit,
    leave_signals_to_parent,
    make_folder,
)
from gpnerf.system.usage import Meter
from gpnerf.system.wording import some
from gpnerf.training import checkpoint as checkpoints
from gpnerf.training.adoption import adopt_scene
from gpnerf.training.data import load_training_data
from gpnerf.training.find_model import find_model
from gpnerf.training.journal import Journal, show
from gpnerf.training.resume import (
    adopt_sizes,
    check_resumable,
    check_scenes,
    check_settings,
    keep_beginning,
    load_weights,
)
from gpnerf.training.schedule import Schedule, build_optimizer, load_optimizer
from gpnerf.training.updater import StepOptions, Updater

log = logging.getLogger("train")


class Trainer:
    """A model in training: its optimiser, its data, its folder, and the step it has reached.

    Processes differ only in their examples; the first one alone writes files and messages.
    """

    def __init__(self, options: Namespace, processes: Processes) -> None:
        self.options, self.processes = options, processes
        self.device = choose_device(options.device, processes.local_rank)
        self.folder = make_folder(Path(options.out) / options.expname)
        with processes.first_alone():
            data = load_training_data(options)
        self.class_names, self.commit = data.class_names, commit()
        newest = checkpoints.latest_checkpoint(self.folder)
        start = newest or (find_model(options.load_weights) if options.load_weights else None)
        if options.load_weights:
            adopt_sizes(options, start)
        self.settings = Settings.from_options(options, len(self.class_names))
        torch.manual_seed(options.seed)
        self.model = self.settings.build()
        self.model.check_depth([one.scene for one in (*data.trained, *data.tested)])
        if start and not newest:
            self._start_from(start)
        self.settings = adopt_scene(self.model, self.settings, options, data.trained)
        if newest:
            self._resume(newest)
        self.step = newest.step if newest else 0
        self.model.to(self.device)
        self.numerics = self._settle(newest)
        self.meter = Meter(self.device, newest.options.get("usage") if newest else None)
        schedule = from_options(Schedule, options)
        self.optimizer = build_optimizer(self.model, schedule.weight_decay)
        if newest:
            load_optimizer(self.optimizer, newest.optimizer)
        self.update = Updater(
            self.model,
            self.optimizer,
            schedule,
            from_options(StepOptions, options),
            self.numerics.precision,
            options.seed,
            processes,
        )
        # Training losses since the last checkpoint.
        self.losses: list[torch.Tensor] = []
        size = (options.height, options.width, options.num_source_views, options.view_metric)
        self.examples = TrainingExamples(
            data.trained,
            *size,
            seed=options.seed,
            length=options.steps * self.update.examples_per_step,
            vary=options.vary,
            shortest_side=self.model.smallest_image,
            with_depth=self.model.needs_depth,
        )
        self.held_out = TestExamples(data.tested, *size, with_depth=self.model.needs_depth)
        if processes.is_first:
            write_options(options, self.folder)
            self.journal = Journal(self.folder, self.step)

    def _resume(self, newest: checkpoints.Checkpoint) -> None:
        """Takes the weights of the run's newest checkpoint. Raises CheckpointError if it does not fit."""
        check_settings(self.folder, newest.settings, self.settings)
        check_scenes(newest, self.options, self.options.train_scenes)
        if newest.class_names != tuple(self.class_names):
            raise CheckpointError(
                f"Expected scenes with the classes on which {self.folder} was trained, "
                f"{', '.join(newest.class_names)}, found {', '.join(self.class_names)}; use those "
                "scenes, or another --expname."
            )
        check_resumable(self.folder, newest)
        keep_beginning(self.folder, newest, self.options)
        self.model.load_state_dict(newest.model)
        log.info(f"Resuming {self.folder} at step {newest.step}.")

    def _start_from(self, start: checkpoints.Checkpoint) -> None:
        """Takes the weights of --load_weights, as far as they match."""
        name = self.options.load_weights
        fresh, unused = load_weights(self.model, self.settings, self.class_names, start)
        log.info(f"Starting from the weights of {name}; new tensors: {some(fresh) or 'none'}.")
        if unused:
            log.info(f"Unused tensors of {name}: {some(unused)}.")

    def _settle(self, newest: checkpoints.Checkpoint | None) -> Numerics:
        """The numerics of this run; warns if they differ from those of the checkpoint."""
        options, before = self.options, newest.numerics if newest else None
        work = Workload(
            options.height,
            options.width,
            options.num_source_views,
            options.num_rays,
            # Counts all steps, so that a resumed run chooses the same numerics as an uninterrupted one.
            options.steps * options.accumulate,
            training=True,
            chunk=options.num_rays,
            one_shape=not set(options.vary) & set(RESHAPING),
        )
        numerics = settle(self.model, options, work, self.processes, before)
        changes = before.changes(numerics) if before else ""
        if changes:
            log.warning(
                f"{self.folder} computes differently than before ({changes}): training continues, but will "
                "not end with the weights of an uninterrupted run."
            )
        return numerics

    def train(self) -> int:
        """Trains the remaining steps; returns the exit code of the script."""
        if self.step >= self.options.steps:
            log.info(f"{self.folder} has already finished its {self.step} steps.")
            return 0
        stop = StopRequest(self.options.max_hours)
        first = self.step * self.update.examples_per_step
        loader = DataLoader(
            FaultsAsItems(self.examples),
            sampler=self.processes.share(range(first, len(self.examples))),
            batch_size=None,
            num_workers=self.options.workers,
            worker_init_fn=leave_signals_to_parent,
        )
        bar = tqdm(
            total=self.options.steps,
            initial=self.step,
            desc=self.options.expname,
            unit="step",
            disable=not self.processes.is_first,
        )
        with bar:
            # Groups the examples of the loader into the examples that this process has in a step.
            for examples in zip(*[iter(loader)] * self.options.accumulate, strict=True):
                self._one_step(examples, bar)
                if self.processes.any(stop.wanted, self.device):
                    break
                if self.processes.is_first and self._checkpoint_is_due():
                    self.save()
                if self.processes.is_first and self.step % self.options.picture_every == 0:
                    self.picture()
        return self._finish()

    def _checkpoint_is_due(self) -> bool:
        """Whether the step ends with a checkpoint; _finish saves that of the last step."""
        regular = self.step % self.options.checkpoint_every == 0
        milestone = checkpoints.is_milestone(self.step, self.options.milestone_every)
        return (regular or milestone) and self.step < self.options.steps

    def _finish(self) -> int:
        if not self.processes.is_first:
            return 0 if self.step == self.options.steps else EXIT_STOPPED
        path = self.save()
        self.journal.close()
        if self.update.skipped:
            log.warning(f"{self.update.skipped} steps were skipped because their gradients were not finite.")
        if self.step < self.options.steps:
            log.info(f"Stopped after step {self.step}; the same command resumes from {path}.")
            return EXIT_STOPPED
        log.info(f"Finished {self.step} steps: {path}.")
        return 0

    def _one_step(self, examples: Sequence, bar: tqdm) -> None:
        try:
            values = self.update(self.step, examples)
        except TrainingError:
            if self.processes.is_first:
                self.save()
            raise
        self.step += 1
        self.losses.append(values["loss"])
        bar.update()
        if self.processes.is_first and (
            self.step % self.options.log_every == 0 or self.step == self.options.steps
        ):
            self._report(bar, values)

    def _report(self, bar: tqdm, values: dict[str, torch.Tensor]) -> None:
        rays = None
        if self.model.renders:
            rays = (bar.format_dict["rate"] or 0.0) * self.options.num_rays * self.update.examples_per_step
        show(bar, values, rays)
        rates = {group["name"]: group["lr"] for group in self.optimizer.param_groups}
        self.journal.numbers(self.step, values, rates, rays, self.update.skipped)

    def picture(self) -> None:
        """Renders a held-out view and records it beside the truth."""
        if not len(self.held_out):
            return
        example = self.held_out[0]
        self.model.eval()
        quality = Quality(self.options.chunk_size, guide=self.options.guide)
        view = render_example(self.model, example, self.numerics.precision, quality)
        self.model.train()
        self.journal.picture(self.step, view, example, self.class_names)

    def save(self) -> Path:
        """Writes a checkpoint; returns its path."""
        state = checkpoints.Checkpoint(
            step=self.step,
            settings=self.settings,
            class_names=tuple(self.class_names),
            model=self.model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            options={**vars(self.options), "commit": self.commit, "usage": self.meter.read()},
            numerics=self.numerics,
        )
        loss = torch.stack(self.losses).mean().item() if self.losses else None
        self.losses.clear()
        return checkpoints.save_checkpoint(self.folder, state, loss, self.options.milestone_every)
