"""The record of a training: TensorBoard, pictures of a held-out view, and the progress bar."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from gpnerf.datasets.examples import Example
from gpnerf.datasets.scene import Frame
from gpnerf.media.images import write_image
from gpnerf.metrics.depth import depth_scores
from gpnerf.metrics.image import psnr
from gpnerf.rendering.panels import comparison_panel, view_pictures, with_matched_labels
from gpnerf.rendering.view import RenderedView
from gpnerf.system.scripting import make_folder


class Journal:
    """Writes the record of a run from a step on; drops what an interrupted run wrote for later steps."""

    def __init__(self, folder: Path, step: int) -> None:
        self.folder = folder
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def numbers(
        self,
        step: int,
        values: dict[str, torch.Tensor],
        rates: dict[str, float],
        rays: float | None,
        skipped: int,
    ) -> None:
        """Writes losses, PSNR, learning rates by group, rays per second, and the number of skipped steps.

        rays: None for a method that renders none.
        """
        for name, value in values.items():
            self.board.add_scalar(f"training/{name}", value.item(), step)
        for name, rate in rates.items():
            self.board.add_scalar(f"learning_rate/{name}", rate, step)
        if rays is not None:
            self.board.add_scalar("speed/rays_per_second", rays, step)
        self.board.add_scalar("training/skipped_steps", skipped, step)

    def picture(self, step: int, view: RenderedView, example: Example, class_names: tuple[str, ...]) -> None:
        """Writes a rendered view beside the truth to TensorBoard and to a file."""
        truth = with_matched_labels(view, example.target, class_names)
        panel = comparison_panel(view_pictures(view, truth, class_names), view, truth, class_names)
        self.board.add_image("held_out", panel, step, dataformats="HWC")
        for name, value in _held_out(view, example.target).items():
            self.board.add_scalar(f"held_out/{name}", value, step)
        write_image(make_folder(self.folder / "pictures") / f"step_{step:07d}.png", panel)

    def close(self) -> None:
        self.board.close()


def show(bar: tqdm, values: dict[str, torch.Tensor], rays: float | None) -> None:
    """Shows the numbers of a step in the progress bar; rays: per second, None for none."""
    texts = [f"{name} {value.item():.3g}" for name, value in values.items()]
    bar.set_postfix_str(", ".join([*texts, *([] if rays is None else [f"{rays:.0f} rays/s"])]))


def _held_out(view: RenderedView, truth: Frame) -> dict[str, float]:
    """Scores of colour and depth, as far as the method renders them and the data have the truth."""
    quality = depths = None
    if view.color is not None:
        quality = psnr(view.color, truth.image, truth.mask)
    if view.depth is not None and truth.depth is not None:
        depths = depth_scores(view.depth, truth.depth)
    scores = {"psnr": quality, "depth_abs_rel": depths and depths.absolute_relative}
    return {name: value for name, value in scores.items() if value is not None}
