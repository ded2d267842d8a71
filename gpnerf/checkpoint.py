"""Checkpoints: written atomically, loaded without running code from the file, enough to rebuild the model."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from gpnerf.errors import CheckpointError
from gpnerf.models.build import Architecture, build_model
from gpnerf.models.gpnerf import GPNeRF

KEPT = 3


@dataclass(frozen=True)
class Checkpoint:
    """step: how many steps are done; class_names: of the head's outputs; options: for the record."""

    step: int
    architecture: Architecture
    class_names: tuple[str, ...]
    model: dict[str, torch.Tensor]
    optimizer: dict[str, Any]
    options: dict[str, Any]

    def build(self) -> GPNeRF:
        """The model with its weights, on the CPU."""
        model = build_model(self.architecture)
        model.load_state_dict(self.model)
        return model

    def fingerprint(self) -> str:
        """Differs for other weights."""
        digest = hashlib.sha256()
        for name in sorted(self.model):
            digest.update(self.model[name].contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


def checkpoint_path(folder: Path, step: int) -> Path:
    return folder / f"step_{step:07d}.pt"


def list_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints of a folder, oldest first."""
    return sorted(path for path in folder.glob("step_*.pt") if re.fullmatch(r"step_\d+", path.stem))


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Writes folder/step_NNNNNNN.pt under a temporary name, then renames it; keeps the last few files."""
    folder.mkdir(parents=True, exist_ok=True)
    path = checkpoint_path(folder, checkpoint.step)
    partial = path.with_suffix(".partial")
    content = {**vars(checkpoint), "architecture": asdict(checkpoint.architecture)}
    with open(partial, "wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    for old in list_checkpoints(folder)[:-KEPT]:
        old.unlink()
    return path


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint; of a folder, the newest in it.

    Raises CheckpointError if the file is missing, damaged or of another kind.
    """
    if path.is_dir():
        path = next(reversed(list_checkpoints(path)), path / "step_*.pt")
    if not path.is_file():
        raise CheckpointError(f"Checkpoint {path} does not exist; train first, or name another file.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        content["architecture"] = Architecture(**content["architecture"])
        return Checkpoint(**content)
    except Exception as error:  # what a foreign file raises depends on its bytes
        raise CheckpointError(
            f"{path} is not a readable checkpoint of this program ({type(error).__name__}); it may be "
            "truncated or from another project: delete it, or name another file."
        ) from error


def latest_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest checkpoint of a run, or None before the first."""
    paths = list_checkpoints(folder)
    return load_checkpoint(paths[-1]) if paths else None


def checkpoint_to_use(folder: Path, named: str | None) -> Checkpoint:
    """The checkpoint `named` on the command line, or the newest of the run in `folder`."""
    if named:
        return load_checkpoint(Path(named))
    newest = latest_checkpoint(folder)
    if newest is None:
        raise CheckpointError(
            f"{folder} holds no checkpoint; run train.py with the same --config and --expname first, "
            "or name a file with --checkpoint."
        )
    return newest


def check_architecture(path: str, found: Architecture, expected: Architecture) -> None:
    """Raises CheckpointError naming the options in which a checkpoint differs from the model asked for."""
    old, new = asdict(found), asdict(expected)
    matters = [name for name in new if name != "recompute"]
    differing = [f"{name} is {old[name]}, not {new[name]}" for name in matters if old[name] != new[name]]
    if differing:
        raise CheckpointError(
            f"{path} holds another model: {'; '.join(differing)}. Use its options, or another --expname."
        )


# Options that change what is computed, but no tensor.
FREE = (
    "dropout",
    "samples",
    "fine_samples",
    "spacing",
    "joint_attention",
    "gradient_block",
    "detach_decoder",
    "recompute",
)


def load_weights(model: GPNeRF, expected: Architecture, path: Path) -> list[str]:
    """Starts a model from another run's weights (finetuning).

    Adaptor and head stay fresh where the checkpoint has none, the head's last layer where its classes differ.
    Returns the names of the tensors that stay fresh. Raises CheckpointError if other sizes differ.
    """
    checkpoint = load_checkpoint(path)
    sizes = asdict(checkpoint.architecture)
    free = {name: sizes[name] for name in (*FREE, "classes")}
    check_architecture(str(path), checkpoint.architecture, Architecture(**{**asdict(expected), **free}))
    own = model.state_dict()
    fitting = {
        name: tensor
        for name, tensor in checkpoint.model.items()
        if name in own and own[name].shape == tensor.shape
    }
    model.load_state_dict(fitting, strict=False)
    return sorted(set(own) - set(fitting))
