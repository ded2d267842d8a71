"""Checkpoints: files that rebuild a model, written atomically and loaded without running code from them."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import re
import zipfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from gpnerf.config.fields import option_names, values_before
from gpnerf.methods.method import Method
from gpnerf.methods.registry import method_class
from gpnerf.methods.settings import Settings
from gpnerf.system.errors import CheckpointError, ConfigError
from gpnerf.system.files import write_whole
from gpnerf.system.numerics_record import Numerics, numerics_from

log = logging.getLogger(__name__)

# Number of latest files that are kept, besides the best one and the milestones.
KEPT = 3
BEST = "best.json"
# The method of checkpoints that do not name one.
FIRST_METHOD = "gpnerf"


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training after some steps.

    step: number of finished steps. class_names: names of the head's outputs. options: of the command line,
    for the record. numerics: how the steps were computed, None in old files.
    """

    step: int
    settings: Settings
    class_names: tuple[str, ...]
    model: dict[str, torch.Tensor]
    optimizer: dict[str, Any]
    options: dict[str, Any]
    numerics: Numerics | None = None

    def build(self) -> Method:
        """The model with its weights, on the CPU."""
        model = self.settings.build()
        model.load_state_dict(self.model)
        return model

    def fingerprint(self) -> str:
        """A hash of the weights."""
        digest = hashlib.sha256()
        for name in sorted(self.model):
            digest.update(self.model[name].contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


def checkpoint_path(folder: Path, step: int) -> Path:
    return folder / f"step_{step:07d}.pt"


def list_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints of a folder, oldest first."""
    return sorted(path for path in folder.glob("step_*.pt") if re.fullmatch(r"step_\d+", path.stem))


def save_checkpoint(
    folder: Path, checkpoint: Checkpoint, loss: float | None = None, milestone_every: int = 0
) -> Path:
    """Writes folder/step_NNNNNNN.pt under a temporary name, renames it, and deletes old files.

    Kept are the latest files, a milestone every `milestone_every` steps (0: none), and the best file. The
    best one has the lowest `loss`, the mean training loss since the previous file; test views play no part.
    Raises CheckpointError if the file cannot be written; the old files then remain unchanged.
    """
    path = checkpoint_path(folder, checkpoint.step)
    partial = path.with_suffix(".partial")
    content = {**vars(checkpoint), "settings": checkpoint.settings.record()}
    content["numerics"] = asdict(checkpoint.numerics) if checkpoint.numerics else None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Serialised in memory first, because torch.save hides the cause when it cannot write a file.
        data = io.BytesIO()
        torch.save(content, data)
        with open(partial, "wb") as file:
            file.write(data.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        best = _note_best(folder, checkpoint.step, loss)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise CheckpointError(
            f"{path} cannot be written ({error.strerror}): make room on its disk, or make {folder} writable. "
            "The same command then resumes from the previous checkpoint."
        ) from error
    for old in list_checkpoints(folder)[:-KEPT]:
        step = _step_of(old)
        if step != best and not is_milestone(step, milestone_every):
            old.unlink()
    return path


def is_milestone(step: int, every: int) -> bool:
    """Whether the checkpoint of a step stays for good; every: steps between milestones, 0: none."""
    return every > 0 and step % every == 0


def _step_of(path: Path) -> int:
    return int(path.stem.removeprefix("step_"))


def best_step(folder: Path) -> tuple[int | None, float]:
    """The step of the checkpoint with the lowest training loss so far (None without one), and that loss."""
    try:
        best = json.loads((folder / BEST).read_text())
        return int(best["step"]), float(best["loss"])
    except (OSError, ValueError, KeyError, TypeError):
        return None, float("inf")


def _note_best(folder: Path, step: int, loss: float | None) -> int | None:
    """Records the step if its loss is the lowest so far; returns the best step."""
    best, lowest = best_step(folder)
    if loss is None or not loss < lowest:
        return best
    write_whole(folder / BEST, json.dumps({"step": step, "loss": loss}))
    return step


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint. For a folder, reads the newest readable checkpoint in it.

    Raises CheckpointError if the file is missing, damaged or not a checkpoint.
    """
    if path.is_dir():
        newest = latest_checkpoint(path)
        if newest:
            return newest
        path = path / "step_*.pt"
    if not path.is_file():
        raise CheckpointError(f"Checkpoint {path} does not exist; train a model first, or name another file.")
    try:
        _check_sums(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
        content["settings"] = _settings(content)
        unknown = sorted(set(content) - {one.name for one in fields(Checkpoint)})
        if unknown:
            raise ConfigError(f"it has unknown parts: {', '.join(unknown)}")
        content["numerics"] = numerics_from(content.get("numerics"))
        return Checkpoint(**content)
    except ConfigError as error:
        raise CheckpointError(
            f"{path} holds a model that this version cannot build ({error}); use the version that wrote it, "
            "or another file."
        ) from error
    except Exception as error:  # A foreign file can raise any exception.
        raise CheckpointError(
            f"{path} is not a readable checkpoint of this program ({type(error).__name__}); it may be "
            "truncated or from another project: delete it, or name another file."
        ) from error


def _settings(content: dict[str, Any]) -> Settings:
    """The settings in a checkpoint of any version.

    The first versions had a single method. They kept sizes, function and part of the recipe in one
    dictionary, "architecture", and learning rates and loss weights only among the options.
    """
    if "architecture" not in content:
        return Settings.from_record(content["settings"])
    method = method_class(FIRST_METHOD)
    recipe = option_names(method.Recipe)
    known = {name: value for name, value in content.get("options", {}).items() if name in recipe}
    before = values_before(method.Function) | values_before(method.Recipe)
    return Settings.of(FIRST_METHOD, **{**before, **known, **content.pop("architecture")})


def _check_sums(path: Path) -> None:
    """Raises ValueError if a checksum is wrong; torch.load does not check them."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged:
        raise ValueError(f"checksum of {damaged}")


def latest_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest readable checkpoint of a run; None if the run has no checkpoint yet.

    Raises CheckpointError if there are checkpoints but none can be read.
    """
    faults = []
    for path in reversed(list_checkpoints(folder)):
        try:
            checkpoint = load_checkpoint(path)
        except CheckpointError as error:
            faults.append(error)
            continue
        for fault in faults:
            log.warning(f"{fault} Going back to {path}.")
        return checkpoint
    if faults:
        raise faults[0]
    return None
