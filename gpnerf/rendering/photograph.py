"""Labels of a photograph, instead of a rendered view."""

from __future__ import annotations

import torch

from gpnerf.datasets.examples import Example
from gpnerf.methods.method import PHOTOGRAPH, Labels, Method
from gpnerf.system.devices import autocast
from gpnerf.system.errors import ConfigError


@torch.no_grad()
def segment_target(model: Method, example: Example, precision: str) -> Labels:
    """Labels, on the CPU, from the features of the *true* target image (Fig. 8, red)."""
    target = example.target.to(model.device)
    with autocast(model.device, precision):
        label_map = model.target_map(target.image)
        return model.labels(label_map, target.camera.height, target.camera.width).cpu()


def check_segment(model: Method, segment: str) -> None:
    """Raises ConfigError if a model cannot label the image that --segment names."""
    if segment == PHOTOGRAPH and not (model.sees_target and model.has_classes):
        raise ConfigError(
            f"Expected a model that labels a true image with --segment {PHOTOGRAPH}, found one that does "
            "not; leave the option out."
        )
    if segment != PHOTOGRAPH and not model.renders:
        raise ConfigError(
            f"Expected --segment {PHOTOGRAPH}, as {model.paper_row} only labels photographs, found "
            f"--segment {segment}; leave the option out."
        )


def check_renders(method: type[Method], name: str) -> None:
    """Raises ConfigError for a method that only labels photographs, where rendered views are wanted."""
    if not method.renders:
        raise ConfigError(
            f"Expected a method that renders views, found {name}, which only labels photographs; score it "
            "with eval.py, or choose another method."
        )
