"""Weights folders: a trained model without its training state, to pass on and to publish.

model.safetensors holds the weights as float16, config.json the settings, the class names and what is known of
the training, README.md the model card. What is float64 in a model must stay exact, and keeps its precision.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from gpnerf.config.fields import option_names
from gpnerf.datasets.views import FrameRule
from gpnerf.methods.settings import PARTS, Settings
from gpnerf.system.errors import CheckpointError, ConfigError
from gpnerf.system.files import write_folder
from gpnerf.training.checkpoint import Checkpoint
from gpnerf.training.schedule import Schedule
from gpnerf.training.updater import StepOptions

MODEL, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
FORMAT_VERSION = 1
# What config.json must hold besides, and of which type.
KINDS = {
    "method": str,
    **dict.fromkeys(PARTS, dict),
    "class_names": tuple,
    "sha256": str,
    "step": int,
    "training": dict,
}
# The options of a training that are recorded, besides the settings.
RECORDED = (
    "commit", "seed", "core_hours", "imported", "load_weights", "averaged", "dataset", "data_root",
    "train_scenes", "test_scenes", "views_per_room", "label_space", "target", "border", "height", "width",
    "depth_range", "vary", "num_source_views", "view_metric", "steps",
    *(one.name for one in fields(FrameRule)), *option_names(StepOptions), *option_names(Schedule),
)  # fmt: skip
PATHS = ("imported", "load_weights", "data_root")


def is_weights_folder(folder: Path) -> bool:
    return (folder / CONFIG).is_file() or (folder / MODEL).is_file()


def write_weights(folder: Path, checkpoint: Checkpoint, card: str, overwrite: bool = False) -> str:
    """Writes a checkpoint as a weights folder, all of it or nothing; returns the sha256 of the weights.

    card: text of the model card. overwrite: replaces a weights folder that exists. Raises CheckpointError if
    anything else is there, if the folder cannot be written, or if a weight has no value in float16.
    """
    if folder.exists() and not (overwrite and is_weights_folder(folder)):
        remedy = "add --overwrite to replace it" if is_weights_folder(folder) else "name another with --out"
        raise CheckpointError(f"Expected a new folder, found {folder}, which exists; {remedy}.")
    data = save({name: _halved(name, one) for name, one in checkpoint.model.items()}, {"format": "pt"})
    digest = hashlib.sha256(data).hexdigest()
    config = {
        "format_version": FORMAT_VERSION,
        **checkpoint.settings.record(),
        "class_names": checkpoint.class_names,
        "sha256": digest,
        "step": checkpoint.step,
        "training": recorded(checkpoint.options),
    }
    files = {MODEL: data, CONFIG: json.dumps(config, indent=2) + "\n", CARD: card}
    try:
        write_folder(folder, files)
    except OSError as error:
        raise CheckpointError(
            f"{folder} cannot be written ({error.strerror}); make room on its disk, or name another with "
            "--out."
        ) from error
    return digest


def recorded(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a weights folder keeps; of an absolute path, which is private, only the name."""
    found = {name: options[name] for name in RECORDED if options.get(name) is not None}
    paths = {name: Path(found[name]) for name in PATHS if name in found}
    return found | {name: path.name if path.is_absolute() else str(path) for name, path in paths.items()}


def _halved(name: str, tensor: Tensor) -> Tensor:
    half = tensor.half() if tensor.dtype == torch.float32 else tensor
    if not half.isfinite().all():
        raise CheckpointError(
            f"Expected weights within the range of float16, found {tensor.abs().max():g} in {name}; export "
            "another checkpoint of the run."
        )
    return half.contiguous()


def read_weights(folder: Path) -> Checkpoint:
    """Reads a weights folder as a checkpoint without optimiser, its weights as float32.

    Raises CheckpointError for a folder that is incomplete, damaged, or of another program or version.
    """
    config = _read_config(folder / CONFIG)
    path = folder / MODEL
    tensors = {
        name: one.float() if one.dtype == torch.float16 else one
        for name, one in _read_tensors(path, config["sha256"]).items()
    }
    try:
        settings = Settings.from_record(config)
        # On the meta device a model has shapes alone, and no random numbers are drawn.
        with torch.device("meta"):
            expected = settings.build().state_dict()
    except (ConfigError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{folder / CONFIG} describes a model that this version cannot build ({error}); use the version "
            "that wrote it, or other weights."
        ) from error
    _check_tensors(path, tensors, expected)
    names = config["class_names"]
    if len(names) != settings.sizes.classes:
        raise CheckpointError(
            f"{folder / CONFIG}: expected {settings.sizes.classes} class_names, found {len(names)}; export "
            "the run again."
        )
    return Checkpoint(config["step"], settings, names, tensors, {}, config["training"])


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(_read(path), object_hook=_with_tuples)
    except ValueError as error:
        raise CheckpointError(
            f"{path}: expected JSON, found something else ({error}); copy the folder again."
        ) from error
    if not isinstance(config, dict) or "format_version" not in config:
        raise CheckpointError(
            f"{path} is not of this program: it states no format_version; name a folder that "
            "scripts/export_weights.py wrote."
        )
    if config["format_version"] != FORMAT_VERSION:
        raise CheckpointError(
            f"{path}: expected format_version {FORMAT_VERSION}, found {config['format_version']!r}; use the "
            "version of this program that wrote it, or export the run again."
        )
    for name, kind in KINDS.items():
        if not isinstance(config.get(name), kind):
            raise CheckpointError(
                f"{path}: expected {name} as {kind.__name__}, found {config.get(name)!r}; copy the folder "
                "again."
            )
    return config


def _with_tuples(record: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no tuples, of which settings and options are made."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in record.items()}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read ({error.strerror}); a weights folder holds {MODEL} and {CONFIG}: copy it "
            "again."
        ) from error


def _read_tensors(path: Path, digest: str) -> dict[str, Tensor]:
    data = _read(path)
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        raise CheckpointError(
            f"{path} is damaged, or not the file of its {CONFIG}: expected sha256 {digest[:12]}..., found "
            f"{found[:12]}... in {len(data)} bytes; copy the folder again."
        )
    try:
        return load(data)
    except SafetensorError as error:
        raise CheckpointError(
            f"{path}: expected a safetensors file, found something else ({error}); export the run again."
        ) from error


def _check_tensors(path: Path, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Raises CheckpointError unless names and shapes are those of the model."""
    for name in sorted(expected.keys() | found.keys()):
        wanted, given = (str(list(one[name].shape)) if name in one else "none" for one in (expected, found))
        if wanted != given:
            raise CheckpointError(
                f"{path}: expected {name} of shape {wanted}, as {CONFIG} implies, found {given}; export the "
                "run again."
            )
