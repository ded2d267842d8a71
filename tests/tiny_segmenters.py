"""The smallest 2D methods, and configs that train them on a room."""

from __future__ import annotations

from pathlib import Path

import torch
from radiance_fields import RUN

from gpnerf.methods.segmenter import Segmenter
from gpnerf.methods.settings import Settings

DETECTORS = ("mask_rcnn", "swin_t")
HEADS = {
    "pyramid_width": 16,
    "box_width": 32,
    "mask_width": 16,
    "mask_layers": 1,
    "min_size": 32,
    "max_size": 48,
    "anchor_sizes": (8, 16, 24, 32, 48),
    "train_proposals": 50,
    "proposals": 20,
    "box_samples": 32,
}
SIZES = {
    "semantic_fpn": {"encoder_width": 8, "encoder_blocks": (1, 1, 1), "level_width": 32},
    "mask_rcnn": {**HEADS, "trunk_blocks": (1, 1, 1, 1), "trunk_width": 8},
    "swin_t": {
        **HEADS,
        "trunk_layers": (1, 1, 1, 1),
        "trunk_width": 8,
        "head_width": 8,
        "window": 4,
        "layer_drop": 0.0,
    },
}


def tiny_segmenter(method: str, **changes: object) -> Segmenter:
    """A small model of three classes, in training mode."""
    torch.manual_seed(0)
    return Settings.of(method, **{"classes": 3, **SIZES[method], **changes}).build()


def write_segmenter_config(folder: Path, rooms_config: Path, method: str, **changes: object) -> Path:
    """A config file that trains a tiny one on a room; it writes to folder/out/METHOD."""
    places = {"data_root": rooms_config.parent / "rooms", "out": folder / "out"}
    options = {"method": method, "expname": method, **places, **SIZES[method], **RUN, **changes}
    path = folder / f"{method}.txt"
    path.write_text("".join(f"{name} = {_text(value)}\n" for name, value in options.items()))
    return path


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
