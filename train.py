"""Trains GP-NeRF: on many scenes, or finetunes on one. The same command resumes a stopped run."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from gpnerf.config.options import from_options, parse_options, write_options
from gpnerf.datasets.examples import (
    FaultsAsItems,
    TestExamples,
    TrainingExamples,
    describe_missing,
)
from gpnerf.datasets.instances import known_objects, most_instances, slot_names, with_objects
from gpnerf.datasets.run_scenes import (
    common_labels,
    describe_gaps,
    describe_ranges,
    describe_splits,
    load_scenes,
    test_views,
    training_scenes,
)
from gpnerf.datasets.scene import Scene
from gpnerf.datasets.views import FrameRule
from gpnerf.execution.numerics import make_repeatable, settle
from gpnerf.execution.workload import Workload
from gpnerf.media.images import write_image
from gpnerf.methods.gpnerf.build import Architecture, build_model
from gpnerf.methods.gpnerf.losses import LossWeights
from gpnerf.metrics.image import psnr
from gpnerf.rendering.panels import compare, pictures
from gpnerf.rendering.view import render_example
from gpnerf.system.devices import choose_device
from gpnerf.system.distributed import Processes, join_processes, leave_processes
from gpnerf.system.errors import CheckpointError, ConfigError, TrainingError
from gpnerf.system.numerics_record import Numerics
from gpnerf.system.scripting import (
    EXIT_STOPPED,
    StopRequest,
    leave_signals_to_parent,
    make_folder,
    run_script,
)
from gpnerf.training import checkpoint as checkpoints
from gpnerf.training.step import LearningRates, build_optimizer
from gpnerf.training.updater import Updater

log = logging.getLogger("train")


class Trainer:
    """A model in training: its optimiser, its data, its folder, and the step it has reached.

    Of several processes, all do the same but for their examples; the first alone writes and speaks.
    """

    def __init__(self, options: Namespace, processes: Processes) -> None:
        self.options, self.processes = options, processes
        self.device = choose_device(options.device, processes.local_rank)
        self.folder = make_folder(Path(options.out) / options.expname)
        rule = from_options(FrameRule, options)
        with processes.first_alone():
            train, test = self._load_scenes(rule)
        labels = common_labels(train)
        self.class_names = labels.names if labels else ()
        self.architecture = from_options(Architecture, options, classes=len(self.class_names))
        torch.manual_seed(options.seed)
        self.model = build_model(self.architecture)
        newest = self._start()
        self.step = newest.step if newest else 0
        self.model.to(self.device)
        self.numerics = self._settle(newest)
        rates = from_options(LearningRates, options, "lr_")
        self.optimizer = build_optimizer(self.model, rates)
        if newest:
            self.optimizer.load_state_dict(newest.optimizer)
        self.update = Updater(
            self.model,
            self.optimizer,
            rates,
            from_options(LossWeights, options, "weight_"),
            options.num_rays,
            options.accumulate,
            self.numerics.precision,
            options.seed,
            match_instances=options.target == "instance" and options.instance_matching == "hungarian",
            clip_gradient=options.clip_gradient,
            processes=processes,
        )
        # Training losses since the last checkpoint.
        self.losses: list[torch.Tensor] = []
        size = (options.height, options.width, options.num_source_views, options.view_metric)
        self.examples = TrainingExamples(
            training_scenes(train, test, rule),
            *size,
            seed=options.seed,
            length=options.steps * self.update.examples_per_step,
        )
        self.held_out = TestExamples(test_views(test, rule), *size)
        if processes.is_first:
            write_options(options, self.folder)
            self.board = SummaryWriter(str(self.folder / "tensorboard"), purge_step=self.step + 1)

    def _load_scenes(self, rule: FrameRule) -> tuple[list[Scene], list[Scene]]:
        if not self.options.train_scenes:
            raise ConfigError("Expected scenes to train on, found none; name them with --train_scenes.")
        train = load_scenes(self.options, self.options.train_scenes)
        test = load_scenes(self.options, self.options.test_scenes)
        if self.options.target == "instance":
            names = self._objects(train, test, rule)
            train, test = ([with_objects(scene, names) for scene in scenes] for scenes in (train, test))
        both = [*train, *test]
        told = [*describe_ranges(both), *describe_splits(both, rule), *describe_gaps(test)]
        for sentence in [*told, *describe_missing(train)]:
            log.info(sentence)
        return train, test

    def _objects(self, train: list[Scene], test: list[Scene], rule: FrameRule) -> tuple[str, ...]:
        """Names of the head's outputs when it tells objects apart."""
        options = self.options
        frames = training_scenes(train, test, rule)
        if options.instance_matching == "hungarian":
            return slot_names(options.slots or most_instances(frames, options.height, options.width))
        if len(train) > 1:
            raise ConfigError(
                f"Expected one scene with --target instance, found {len(train)}, whose ids mean different "
                "things; train on one, or add --instance_matching hungarian."
            )
        return known_objects(frames[0], test_views(test, rule), options.height, options.width)

    def _start(self) -> checkpoints.Checkpoint | None:
        """Weights of the run's newest checkpoint, which is returned, of --load_weights, or fresh."""
        newest = checkpoints.latest_checkpoint(self.folder)
        if newest:
            checkpoints.check_architecture(str(self.folder), newest.architecture, self.architecture)
            if newest.class_names != tuple(self.class_names):
                raise CheckpointError(
                    f"{self.folder} was trained on the classes {', '.join(newest.class_names)}, the scenes "
                    f"have {', '.join(self.class_names)}; use its scenes, or another --expname."
                )
            self.model.load_state_dict(newest.model)
            log.info(f"Resuming {self.folder} at step {newest.step}.")
            return newest
        if self.options.load_weights:
            path = Path(self.options.load_weights)
            fresh, unused = checkpoints.load_weights(self.model, self.architecture, path)
            log.info(f"Starting from the weights of {path}; fresh tensors: {', '.join(fresh) or 'none'}.")
            if unused:
                log.info(f"Tensors of {path} that are not used: {', '.join(unused)}.")
        return None

    def _settle(self, newest: checkpoints.Checkpoint | None) -> Numerics:
        """How this run computes; says where that differs from how it computed before."""
        options, before = self.options, newest.numerics if newest else None
        work = Workload(
            options.height,
            options.width,
            options.num_source_views,
            options.num_rays,
            # All of them, so that a resumed run decides as an uninterrupted one does.
            options.steps * options.accumulate,
            training=True,
            chunk=options.num_rays,
        )
        numerics = settle(self.model, options, work, self.processes, before)
        changes = before.changes(numerics) if before else ""
        if changes:
            log.warning(
                f"{self.folder} computes otherwise than before ({changes}): it goes on, but will not end "
                "with the weights of an uninterrupted run."
            )
        return numerics

    def train(self) -> int:
        """All remaining steps; returns the exit code of the script."""
        if self.step >= self.options.steps:
            log.info(f"{self.folder} has its {self.step} steps already.")
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
            # As many of the loader's examples at a time as this process has in a step.
            for examples in zip(*[iter(loader)] * self.options.accumulate, strict=True):
                self._one_step(examples, bar)
                if self.processes.any(stop.wanted, self.device):
                    break
                due = self.step % self.options.checkpoint_every == 0 and self.step < self.options.steps
                if self.processes.is_first and due:
                    self.save()
                if self.processes.is_first and self.step % self.options.picture_every == 0:
                    self.picture()
        return self._finish()

    def _finish(self) -> int:
        if not self.processes.is_first:
            return 0 if self.step == self.options.steps else EXIT_STOPPED
        path = self.save()
        self.board.close()
        if self.update.skipped:
            log.warning(f"{self.update.skipped} steps were skipped: their gradients were not finite.")
        if self.step < self.options.steps:
            log.info(f"Stopped after step {self.step}; the same command goes on from {path}.")
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
        """The progress bar and TensorBoard."""
        rays = (bar.format_dict["rate"] or 0.0) * self.options.num_rays * self.update.examples_per_step
        texts = []
        for name, value in values.items():
            self.board.add_scalar(f"training/{name}", value.item(), self.step)
            texts.append(f"{name} {value.item():.3g}")
        bar.set_postfix_str(", ".join([*texts, f"{rays:.0f} rays/s"]))
        for group in self.optimizer.param_groups:
            self.board.add_scalar(f"learning_rate/{group['name']}", group["lr"], self.step)
        self.board.add_scalar("speed/rays_per_second", rays, self.step)
        self.board.add_scalar("training/skipped_steps", self.update.skipped, self.step)

    def picture(self) -> None:
        """A held-out view beside the truth, to TensorBoard and to a file."""
        if not len(self.held_out):
            return
        example = self.held_out[0]
        self.model.eval()
        view = render_example(self.model, example, self.options.chunk_size, self.numerics.precision)
        self.model.train()
        shown = pictures(view, example.target, self.class_names)
        panel = compare(shown, view, example.target, self.class_names)
        self.board.add_image("held_out", panel, self.step, dataformats="HWC")
        quality = psnr(view.color, example.target.image, example.target.mask)
        if quality is not None:
            self.board.add_scalar("held_out/psnr", quality, self.step)
        write_image(make_folder(self.folder / "pictures") / f"step_{self.step:07d}.png", panel)

    def save(self) -> Path:
        state = checkpoints.Checkpoint(
            step=self.step,
            architecture=self.architecture,
            class_names=tuple(self.class_names),
            model=self.model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            options=vars(self.options),
            numerics=self.numerics,
        )
        loss = torch.stack(self.losses).mean().item() if self.losses else None
        self.losses.clear()
        return checkpoints.save_checkpoint(self.folder, state, loss, self.options.milestone_every)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse_options(__doc__, arguments)
    make_repeatable(options.deterministic, options.device)
    processes = join_processes(options.device)
    code = Trainer(options, processes).train()
    leave_processes()
    return code


if __name__ == "__main__":
    run_script(main)
