"""Scores a trained model on the test views: a row per view, a table per scene and overall, and pictures."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from gpnerf.checkpoint import Checkpoint, checkpoint_to_use
from gpnerf.config import from_options, parse_options
from gpnerf.datasets.examples import TestExamples
from gpnerf.datasets.load import common_labels, load_scenes, test_views
from gpnerf.datasets.scene import Frame, Scene
from gpnerf.datasets.views import FrameRule
from gpnerf.devices import choose_device, keep_freed_memory
from gpnerf.errors import ConfigError, DataError
from gpnerf.images import write_image
from gpnerf.metrics.image import load_lpips, psnr, ssim, ssim_scikit
from gpnerf.metrics.semantic import confusion_matrix, image_scores
from gpnerf.panels import compare
from gpnerf.rendering import RenderedView, render_example, segment_target
from gpnerf.report import Scores, ViewRow, write_report
from gpnerf.scripting import make_folder, run_script

log = logging.getLogger("eval")


class Evaluation:
    """A checkpoint and the test views of a run."""

    def __init__(self, options: Namespace) -> None:
        self.options = options
        if not options.test_scenes:
            raise ConfigError("Expected scenes to evaluate, found none; name them with --test_scenes.")
        run = Path(options.out) / options.expname
        self.checkpoint = checkpoint_to_use(run, options.checkpoint)
        self.folder = make_folder(run / "eval")
        device = choose_device(options.device)
        keep_freed_memory()
        self.model = self.checkpoint.build().to(device).eval()
        scenes = load_scenes(options, options.test_scenes)
        self.labelled = self._check_labels(scenes, self.checkpoint)
        size = (options.height, options.width, options.num_source_views, options.view_metric)
        self.examples = TestExamples(test_views(scenes, from_options(FrameRule, options)), *size)
        self.lpips = load_lpips(device) if options.lpips else None

    def _check_labels(self, scenes: Sequence[Scene], checkpoint: Checkpoint) -> bool:
        """Whether semantic metrics can be computed; says why if not."""
        labels = common_labels(scenes)
        if labels is None or not checkpoint.class_names:
            owner = "The model was trained without classes" if labels else "The test scenes have no labels"
            log.info(f"{owner}: mIoU and accuracies are left out.")
            return False
        if labels.names != checkpoint.class_names:
            raise DataError(
                f"The test scenes have the classes {', '.join(labels.names)}, the checkpoint has "
                f"{', '.join(checkpoint.class_names)}; evaluate it on scenes of its own label space."
            )
        return True

    def run(self) -> str:
        """Evaluates every test view, writes everything to OUT/EXPNAME/eval and returns the table."""
        majority = self._majority_classes() if self.labelled else {}
        rows = []
        for example in tqdm(self.examples, desc="evaluating", unit="view"):
            view = render_example(
                self.model, example, self.options.chunk_size, self.options.precision, self.options.stride
            )
            if self.options.segment == "target" and self.model.has_semantics:
                labels = segment_target(self.model, example, self.options.precision)
                view = replace(view, labels=labels)
            target = self._at_stride(example.target)
            scores = self._score(view, target, example.source_images[0], majority.get(target.scene))
            rows.append(ViewRow(target.scene, target.name, scores))
            folder = make_folder(self.folder / target.scene)
            write_image(folder / f"{target.name}.png", compare(view, target, self.checkpoint.class_names))
        header = {
            "checkpoint_step": self.checkpoint.step,
            "height": self.options.height,
            "width": self.options.width,
            "stride": self.options.stride,
            "segment": self.options.segment,
            "source_views": self.options.num_source_views,
        }
        return write_report(self.folder, rows, header)

    def _at_stride(self, target: Frame) -> Frame:
        """The truth at the rendered pixels; labels keep their size, as the rendered ones do."""
        kept = (..., slice(None, None, self.options.stride), slice(None, None, self.options.stride))
        depth = None if target.depth is None else target.depth[kept]
        return replace(target, image=target.image[kept], depth=depth)

    def _majority_classes(self) -> dict[str, int]:
        """The most frequent class of the test views of each scene."""
        counts: dict[str, Tensor] = {}
        for target in map(self.examples.target, range(len(self.examples))):
            if target.semantic is not None:
                matrix = self._confusion(target.semantic, target.semantic)
                counts[target.scene] = counts.get(target.scene, 0) + matrix.sum(dim=1)
        return {scene: int(count.argmax()) for scene, count in counts.items()}

    def _confusion(self, labels: Tensor, truth: Tensor) -> Tensor:
        return confusion_matrix(labels, truth, len(self.checkpoint.class_names))

    def _score(self, view: RenderedView, target: Frame, nearest: Tensor, majority: int | None) -> Scores:
        """nearest [3, H, W]: the closest source photograph; majority: None where there are no labels."""
        stride = self.options.stride
        semantic = {
            "miou": None,
            "total_accuracy": None,
            "average_accuracy": None,
            "miou_majority_class": None,
        }
        if majority is not None and target.semantic is not None:
            semantic = image_scores(self._confusion(view.labels, target.semantic))._asdict()
            everywhere = torch.full_like(view.labels, majority)
            baseline = image_scores(self._confusion(everywhere, target.semantic))
            semantic["miou_majority_class"] = baseline.miou
        return Scores(
            psnr=psnr(view.color, target.image),
            ssim=ssim(view.color, target.image),
            ssim_scikit=ssim_scikit(view.color, target.image),
            lpips=self.lpips(view.color, target.image) if self.lpips else None,
            psnr_nearest_view=psnr(nearest[:, ::stride, ::stride], target.image),
            **semantic,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    evaluation = Evaluation(parse_options(__doc__, arguments))
    table = evaluation.run()
    log.info(f"{table}\nPictures, views.csv, metrics.json and table.md are in {evaluation.folder}.")
    return 0


if __name__ == "__main__":
    run_script(main)
