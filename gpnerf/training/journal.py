"""The record of a training: TensorBoard, pictures of a held-out view, and the progress bar."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from gpnerf.datasets.examples import Example
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
        self, step: int, values: dict[str, torch.Tensor], rates: dict[str, float], rays: float, skipped: int
    ) -> None:
        """Writes losses, PSNR, learning rates by group, rays per second, and the number of skipped steps."""
        for name, value in values.items():
            self.board.add_scalar(f"training/{name}", value.item(), step)
        for name, rate in rates.items():
            self.board.add_scalar(f"learning_rate/{name}", rate, step)
        self.board.add_scalar("speed/rays_per_second", rays, step)
        self.board.add_scalar("training/skipped_steps", skipped, step)

    def picture(self, step: int, view: RenderedView, example: Example, class_names: tuple[str, ...]) -> None:
        """Writes a rendered view beside the truth to TensorBoard and to a file."""
        truth = with_matched_labels(view, example.target, class_names)
        panel = comparison_panel(view_pictures(view, truth, class_names), view, truth, class_names)
        self.board.add_image("held_out", panel, step, dataformats="HWC")
        quality = psnr(view.color, example.target.image, example.target.mask)
        if quality is not None:
            self.board.add_scalar("held_out/psnr", quality, step)
        depths = None if example.target.depth is None else depth_scores(view.depth, example.target.depth)
        if depths:
            self.board.add_scalar("held_out/depth_abs_rel", depths.absolute_relative, step)
        write_image(make_folder(self.folder / "pictures") / f"step_{step:07d}.png", panel)

    def close(self) -> None:
        self.board.close()


def show(bar: tqdm, values: dict[str, torch.Tensor], rays: float) -> None:
    """Shows the numbers of a step in the progress bar."""
    texts = [f"{name} {value.item():.3g}" for name, value in values.items()]
    bar.set_postfix_str(", ".join([*texts, f"{rays:.0f} rays/s"]))
