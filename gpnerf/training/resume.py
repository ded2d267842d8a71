"""Which checkpoint a script goes on from, and whether it fits what is asked of it."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from gpnerf.datasets.places import some_known
from gpnerf.methods.method import Method
from gpnerf.methods.registry import method_class
from gpnerf.methods.settings import Settings
from gpnerf.system.errors import CheckpointError
from gpnerf.training.checkpoint import Checkpoint, latest_checkpoint, load_checkpoint

log = logging.getLogger(__name__)


def checkpoint_to_use(folder: Path, named: str | None, method: str) -> Checkpoint:
    """The checkpoint `named` on the command line, or the newest one of the run in `folder`.

    Raises CheckpointError if there is none, or if it belongs to another method.
    """
    found = load_checkpoint(Path(named)) if named else latest_checkpoint(folder)
    if found is None:
        raise CheckpointError(
            f"{folder} holds no checkpoint; run train.py with the same --config and --expname first, "
            "or name a file with --checkpoint."
        )
    if found.settings.method != method:
        raise CheckpointError(
            f"Expected --method {found.settings.method}, the method of the model in {named or folder}, found "
            f"--method {method}; add --method {found.settings.method}."
        )
    return found


def check_settings(folder: Path, found: Settings, wanted: Settings) -> None:
    """Raises CheckpointError if a run cannot resume with the wanted settings; names the options.

    Warns of those that may change.
    """
    differing = found.differences(wanted)
    if differing:
        raise CheckpointError(
            f"{folder} holds another model: {differing}. Use its options, or another --expname."
        )
    changes = found.changes(wanted)
    if changes:
        log.warning(f"{folder} resumes with other options: {changes}.")


def check_scenes(checkpoint: Checkpoint, options: Namespace, names: Sequence[str]) -> None:
    """Raises CheckpointError if a method of one scene is to be used on another scene than its own."""
    if not method_class(checkpoint.settings.method).per_scene:
        return
    trained = Path(checkpoint.options["data_root"]), checkpoint.options["train_scenes"]
    unknown = [name for name in names if not some_known(Path(options.data_root), [name], *trained)]
    if unknown:
        raise CheckpointError(
            f"Expected the scene {', '.join(trained[1])}, the only one that this model of --method "
            f"{checkpoint.settings.method} knows, found {', '.join(unknown)}; name that scene, or train a "
            "model of the other one under another --expname."
        )


class Unmatched(NamedTuple):
    """Names of tensors that only one side has.

    fresh: tensors of the model that keep their initial values. unused: tensors of the checkpoint that the
    model does not take, with their shapes if the model has the name in another shape.
    """

    fresh: list[str]
    unused: list[str]


def load_weights(model: Method, wanted: Settings, path: Path) -> Unmatched:
    """Loads the weights of another run into a model (finetuning); returns the tensors that do not match.

    Tensors that depend on the number of classes keep their initial values if that number differs. Raises
    CheckpointError if the method or another size differs.
    """
    checkpoint = load_checkpoint(path)
    found = checkpoint.settings
    classes = {"classes": found.sizes.classes}
    same = replace(wanted, sizes=replace(wanted.sizes, **classes))
    differing = found.differences(same, parts=("sizes",))
    if differing:
        raise CheckpointError(
            f"Expected weights of the sizes of this model, found others in {path}: {differing}. Use its "
            "options, or other weights."
        )
    other = found.differences(same, parts=("function",))
    if other:
        log.warning(f"Warning: the weights of {path} were trained otherwise: {other}.")
    own = model.state_dict()
    fitting = {
        name: tensor
        for name, tensor in checkpoint.model.items()
        if name in own and own[name].shape == tensor.shape
    }
    model.load_state_dict(fitting, strict=False)
    left = {name: tensor for name, tensor in sorted(checkpoint.model.items()) if name not in fitting}
    unused = [f"{name} {list(tensor.shape)}" if name in own else name for name, tensor in left.items()]
    return Unmatched(sorted(set(own) - set(fitting)), unused)
