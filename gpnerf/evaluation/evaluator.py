"""Evaluation of a checkpoint: every test view is rendered, scored and written to disk once."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from gpnerf.datasets.examples import Example, FaultsAsItems, TestExamples
from gpnerf.datasets.fingerprint import fingerprint
from gpnerf.datasets.instances import with_objects
from gpnerf.datasets.places import claim, each_once, some_known
from gpnerf.datasets.run_scenes import describe_gaps, describe_ranges, describe_splits, load_scenes
from gpnerf.datasets.scene import Scene
from gpnerf.evaluation import protocols
from gpnerf.evaluation.label_scoring import score_labels
from gpnerf.evaluation.next_view import with_agreements
from gpnerf.evaluation.panoptic_scoring import Objects
from gpnerf.evaluation.result_files import load_view, save_maps, save_view
from gpnerf.evaluation.results import TITLES, ViewResult, with_majority_class
from gpnerf.evaluation.scene_objects import recorded, with_scene_ids
from gpnerf.evaluation.scorer import Scorer, at_stride, nearest_photograph
from gpnerf.evaluation.trained_views import describe_trained, trained_views
from gpnerf.execution.numerics import settle
from gpnerf.media.images import write_image
from gpnerf.methods.method import PHOTOGRAPH
from gpnerf.metrics.lpips import load_lpips
from gpnerf.rendering.panels import comparison_panel, view_pictures, with_matched_labels
from gpnerf.rendering.photograph import check_segment, segment_target
from gpnerf.rendering.view import Quality, RenderedView, render_example, workload_of
from gpnerf.system.devices import choose_device, keep_freed_memory
from gpnerf.system.distributed import Processes
from gpnerf.system.errors import ConfigError, Faults, GPNeRFError
from gpnerf.system.scripting import leave_signals_to_parent, make_folder
from gpnerf.system.usage import Meter, cost
from gpnerf.training.checkpoint import Checkpoint
from gpnerf.training.resume import check_scenes, checkpoint_to_use

log = logging.getLogger("eval")


class Evaluator:
    """Evaluates a checkpoint on its test views and writes the results to a folder of the run.

    faults: what could not be evaluated. trained: how many test views of a scene were trained on. seconds:
    time spent on the views rendered by this process; network_seconds: the part of it that the network took.
    """

    def __init__(self, options: Namespace, processes: Processes | None = None) -> None:
        self.options, self.processes = options, processes or Processes()
        if not options.test_scenes:
            raise ConfigError("Expected scenes to evaluate, found none; name them with --test_scenes.")
        run = Path(options.out) / options.expname
        self.checkpoint = checkpoint_to_use(run, options.checkpoint, options.method)
        check_scenes(self.checkpoint, options, options.test_scenes)
        self.instances = _target_of(self.checkpoint) == "instance"
        protocols.check_protocol(options, self.checkpoint.options)
        self.rule = protocols.frame_rule(options)
        self.faults = Faults()
        # What the options call each scene, by its name.
        self.names: dict[str, str] = {}
        with self.processes.first_alone():
            self.scenes = self._load_scenes()
            objects = self._objects() if self.instances else None
            self.folder = make_folder(run / protocols.results_folder(options.protocol))
            # Rooms need no claim: the name of a room is its seed, and only the image size changes its folder.
            for scene in self.scenes if options.dataset != "rooms" else ():
                claim(self.folder / scene.name, scene.folder)
        if self.processes.is_first:
            splits = describe_splits(self.scenes, self.rule)
            replaced = filter(None, [protocols.overridden(options)])
            for sentence in (*replaced, *describe_ranges(self.scenes), *splits, *describe_gaps(self.scenes)):
                log.info(sentence)
        device = choose_device(options.device, self.processes.local_rank)
        keep_freed_memory()
        self.model = self.checkpoint.build().to(device).eval()
        self.model.check_size(options.height, options.width)
        self.model.check_depth(self.scenes)
        check_segment(self.model, options.segment)
        self.labels = score_labels(self.checkpoint.class_names, self.scenes, options.map_classes)
        self.scenes = self.labels.scenes
        scored = len(self.labels.class_names) if self.labels.scored else 0
        self.scorer = Scorer(scored, objects, load_lpips(device) if options.lpips else None)
        size = (options.height, options.width, options.num_source_views, options.view_metric)
        views = protocols.views_to_score(options, self.setting, self.scenes)
        with_depth = self.model.needs_depth
        released = protocols.is_released(options)
        self.examples = TestExamples(views, *size, released=released, with_depth=with_depth)
        training = self.checkpoint.options
        # The released protocol is known to train on some of its test frames.
        self.trained = {} if released else trained_views(views, self.names, options, training)
        seen = describe_trained(self.trained, views)
        for sentence in (*self.examples.warnings(), *seen) if self.processes.is_first else ():
            log.warning(f"Warning: {sentence}")
        # Counts all views, so that a resumed evaluation chooses the same numerics as an uninterrupted one.
        work = workload_of(self.model, options, len(self.examples))
        self.numerics = settle(self.model, options, work, self.processes)
        self.network_seconds = self.seconds = 0.0

    @property
    def setting(self) -> str:
        """How the model came to know the test scenes: "generalized", "finetuned" or "per scene"."""
        options, training = self.options, self.checkpoint.options
        trained = Path(training.get("data_root", "")), training.get("train_scenes", ())
        other = training.get("dataset", options.dataset) != options.dataset
        if other or not some_known(Path(options.data_root), options.test_scenes, *trained):
            return "generalized"
        # A method for one scene learns none before, whatever weights it starts from.
        learnt_before = training.get("load_weights") and not self.model.per_scene
        return "finetuned" if learnt_before else "per scene"

    def _load_scenes(self) -> list[Scene]:
        """The test scenes that can be read; errors of the others go to the faults."""
        if self.options.target != _target_of(self.checkpoint):
            raise ConfigError(
                f"Expected --target {_target_of(self.checkpoint)}, as the checkpoint was trained, found "
                f"--target {self.options.target}; evaluate with the target of the training."
            )
        scenes: list[Scene] = []
        for name in each_once(Path(self.options.data_root), self.options.test_scenes):
            with self.faults.collected():
                scenes += load_scenes(self.options, [name])
                self.names[scenes[-1].name] = name
        if not scenes:
            self.faults.raise_any()
        return scenes

    def _objects(self) -> dict[str, Objects]:
        """Puts objects in the place of the classes of all scenes; returns them by scene."""
        names, size = self.checkpoint.class_names, (self.options.height, self.options.width)
        objects = {}
        for scene in self.scenes:
            split = self.rule.split(len(scene.views), scene.name, scene.index.splits)
            frames = sorted({*split.train, *split.test})
            objects[scene.name] = Objects.of(scene, names, frames, *size)
        self.scenes = [with_objects(scene, names) for scene in self.scenes]
        return objects

    def view_folder(self, index: int) -> Path:
        """The folder of the scores and pictures of a test view."""
        scene, target, _ = self.examples.views[index]
        return self.folder / scene.name / scene.index.names[target]

    def run(self) -> list[ViewResult]:
        """Evaluates all test views; a view that an earlier evaluation finished is not rendered again.

        Every process renders a share of the missing views, and every process returns all results; the first
        one adds what compares the views of a scene.
        """
        results = self._finished()
        if results and self.processes.is_first:
            log.info(f"{len(results)} of {len(self.examples)} views are kept from an earlier evaluation.")
        missing = [index for index in range(len(self.examples)) if index not in results]
        # All processes must agree on what is missing before one of them finishes a view.
        self.processes.wait()
        self._render_missing(self.processes.share(missing))
        self.faults.add(*sum(self.processes.gather(self.faults.sentences), []))
        results = self._finished()
        if not results:
            self.faults.raise_any()
        if self.processes.is_first:
            for compare in (with_agreements, with_scene_ids):
                results = compare(results, self.examples, self.view_folder)
        return with_majority_class([results[index] for index in sorted(results)])

    def _finished(self) -> dict[int, ViewResult]:
        """The results on disk that an equal evaluation wrote, by the index of their view."""
        results = {}
        for index, (scene, target, _) in enumerate(self.examples.views):
            name = scene.index.names[target]
            found = load_view(self.view_folder(index), scene.name, name, self._keys[index])
            if found is not None:
                results[index] = found
        return results

    def _render_missing(self, missing: Sequence[int]) -> None:
        """Renders and scores the views of these indices, and writes their results."""
        quiet = not missing or not self.processes.is_first
        bar = tqdm(total=len(missing), desc="evaluating", unit="view", disable=quiet)
        for index, example in zip(missing, self._read(missing), strict=True):
            if isinstance(example, GPNeRFError):
                self.faults.add(str(example))
            else:
                self._evaluate(index, example)
            bar.update()
        bar.close()

    def _read(self, indices: Sequence[int]) -> Iterator[Example | GPNeRFError]:
        """Reads examples; each is read while the one before is rendered."""
        yield from DataLoader(
            Subset(FaultsAsItems(self.examples), indices),
            batch_size=None,
            num_workers=min(1, self.options.workers),
            worker_init_fn=leave_signals_to_parent,
        )

    def _evaluate(self, index: int, example: Example) -> None:
        start, meter = time.perf_counter(), Meter(self.model.device)
        view = self._render(example)
        rendering = meter.read()
        self.network_seconds += rendering["seconds"]
        result = self.scorer(view, example.target, nearest_photograph(example), self.options.stride)
        folder, names = make_folder(self.view_folder(index)), self.labels.class_names
        target = with_matched_labels(view, at_stride(example.target, self.options.stride), names)
        pictures = view_pictures(view, target, names)
        for key, picture in pictures.items():
            write_image(folder / f"{key}.png", picture)
        panel = comparison_panel(pictures, view, target, names)
        write_image(folder.with_name(f"{folder.name}.png"), panel)
        save_maps(folder, view)
        save_view(folder, result, self._keys[index], cost(rendering))
        self.seconds += time.perf_counter() - start

    def _render(self, example: Example) -> RenderedView:
        options, precision = self.options, self.numerics.precision
        view = render_example(self.model, example, precision, Quality.of(options))
        if options.segment == PHOTOGRAPH and self.model.renders:
            found = segment_target(self.model, example, precision)
            view = replace(view, labels=found.classes, confidence=found.confidence, instances=found.instances)
        if self.labels.predicted is None:
            return view
        return replace(view, labels=self.labels.predicted[view.labels])

    @cached_property
    def _keys(self) -> list[str]:
        """A key per view, which changes with anything that decides the scores of the view.

        Computed before the first view is read, so that the next start notices files that change meanwhile.
        """
        weights = self.checkpoint.fingerprint()
        return [self._key(weights, index) for index in range(len(self.examples))]

    def _key(self, weights: str, index: int) -> str:
        scene, target, _ = self.examples.views[index]
        options = self.options
        values = [
            weights,
            self.checkpoint.settings.decides_outputs(),
            [self.scorer.num_classes, *TITLES, *recorded(options.target)],
            self.scorer.objects and self.scorer.objects[scene.name].fingerprint(),
            self.scorer.lpips is not None,
            [options.height, options.width, options.stride, options.guide, options.segment],
            self.numerics.precision,
            fingerprint(scene, [target, *self.examples.sources(index)]),
        ]
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:24]


def _target_of(checkpoint: Checkpoint) -> str:
    return checkpoint.options.get("target", "semantic")
