"""Which checkpoint a script goes on from, and whether it fits what is asked of it."""

from __future__ import annotations

import logging
import os
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from gpnerf.config.fields import option_names
from gpnerf.datasets.places import some_known
from gpnerf.methods.method import Method
from gpnerf.methods.registry import method_class
from gpnerf.methods.settings import Settings
from gpnerf.system.errors import CheckpointError
from gpnerf.system.wording import some
from gpnerf.training.checkpoint import Checkpoint, latest_checkpoint
from gpnerf.training.find_model import find_model

log = logging.getLogger(__name__)


def checkpoint_to_use(folder: Path, named: str | None, method: str) -> Checkpoint:
    """The checkpoint `named` on the command line, or the newest one of the run in `folder`.

    Raises CheckpointError if there is none, or if it belongs to another method.
    """
    found = find_model(named) if named else latest_checkpoint(folder)
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


def check_resumable(folder: Path, found: Checkpoint) -> None:
    """Raises CheckpointError for imported or averaged weights, which have no state of an optimizer."""
    if not found.optimizer:
        raise CheckpointError(
            f"{folder} holds weights that no training wrote; start from them with --load_weights {folder} "
            "and another --expname."
        )


def keep_beginning(folder: Path, found: Checkpoint, options: Namespace) -> None:
    """Keeps the seed and the first weights of a run that goes on.

    Raises CheckpointError for another seed. Other weights to start from have no effect: a warning says so,
    and the options keep those of the beginning, which may have been moved since then.
    """
    seed = found.options.get("seed", options.seed)
    if seed != options.seed:
        raise CheckpointError(
            f"{folder} began with --seed {seed}, found --seed {options.seed}; use the former, or another "
            "--expname."
        )
    began, wanted = found.options.get("load_weights"), options.load_weights
    if wanted and os.path.realpath(wanted) != os.path.realpath(began or ""):
        log.warning(
            f"Warning: {folder} goes on from its own weights: --load_weights {wanted} has no effect. To "
            "start from those, use another --expname."
        )
    options.load_weights = began


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
    """Raises CheckpointError if a model of one scene is to be used on another scene than its own."""
    settings = checkpoint.settings
    if not method_class(settings.method).of_one_scene(settings.recipe):
        return
    if "train_scenes" not in checkpoint.options:
        raise CheckpointError(
            f"Expected a model of --method {checkpoint.settings.method} that has learnt a scene, found "
            "imported weights; train one from them with --load_weights."
        )
    trained = Path(checkpoint.options["data_root"]), checkpoint.options["train_scenes"]
    unknown = [name for name in names if not some_known(Path(options.data_root), [name], *trained)]
    if unknown:
        raise CheckpointError(
            f"Expected the scene {', '.join(trained[1])}, the only one that this model of --method "
            f"{checkpoint.settings.method} knows, found {', '.join(unknown)}; name that scene, or train a "
            "model of the other one under another --expname."
        )


class Unmatched(NamedTuple):
    """Names of tensors: fresh ones of the model keep their initial values, unused ones of the weights have no
    place in the model.
    """

    fresh: list[str]
    unused: list[str]


def adopt_sizes(options: Namespace, start: Checkpoint) -> None:
    """Sets the sizes among the options to those of the weights to start from; logs which change.

    The number of classes stays that of the data. Weights without classes leave the head to the options. So
    do weights without a part that may be missing or be added, and options without one that may be missing.
    """
    sizes = start.settings.sizes
    if start.settings.method != options.method:
        return
    method = method_class(options.method)
    names = [] if sizes.classes else list(method.label_sizes)
    names += [one for one in method.optional_sizes if 0 in (getattr(sizes, one), getattr(options, one))]
    names += [one for one in method.addable_sizes if not getattr(sizes, one)]
    sizes = replace(sizes, **{name: getattr(options, name) for name in names})
    stated = {name: getattr(sizes, name) for name in option_names(type(sizes))}
    wanted = Settings.from_options(options, sizes.classes)
    found = replace(start.settings, sizes=replace(wanted.sizes, **stated))
    differing = found.differences(wanted, parts=("sizes",))
    if differing:
        log.info(f"Using the sizes of the weights instead of those of the options: {differing}.")
    vars(options).update(stated)


def load_weights(
    model: Method, wanted: Settings, class_names: Sequence[str], checkpoint: Checkpoint
) -> Unmatched:
    """Loads the weights of another run into a model (finetuning); returns the tensors that do not match.

    class_names: of the model, whose sizes are those of the checkpoint (adopt_sizes). Tensors that depend on
    the classes keep their initial values if the classes differ. Raises CheckpointError if the method differs.
    """
    found = checkpoint.settings
    if found.method != wanted.method:
        raise CheckpointError(
            f"Expected weights of --method {wanted.method}, found those of --method {found.method}; name "
            "other weights with --load_weights, or use their method."
        )
    other = found.differences(wanted, parts=("function",))
    if other:
        log.warning(f"Warning: the weights were trained otherwise: {other}.")
    own, apart = model.state_dict(), set()
    if checkpoint.class_names and class_names and checkpoint.class_names != tuple(class_names):
        apart = _of_classes(found)
        log.info(
            f"The weights know other classes ({some(checkpoint.class_names, 4)}) than these "
            f"scenes ({some(class_names, 4)}): the layers that depend on the classes start anew."
        )
    fitting = {name: one for name, one in checkpoint.model.items() if name in own.keys() - apart}
    model.load_state_dict(fitting, strict=False)
    return Unmatched(sorted(own.keys() - fitting.keys()), sorted(checkpoint.model.keys() - own.keys()))


def _of_classes(settings: Settings) -> set[str]:
    """Names of the tensors whose shape depends on the number of classes."""
    one_more = replace(settings, sizes=replace(settings.sizes, classes=settings.sizes.classes + 1))
    with torch.device("meta"):
        own, other = (one.build().state_dict() for one in (settings, one_more))
    return {name for name, tensor in own.items() if tensor.shape != other[name].shape}
