"""torchvision's published weights of a detector: a file of the whole detector, or of its trunk alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from gpnerf.methods.detector.instances import FIRST_CLASS
from gpnerf.methods.detector.model import Detector
from gpnerf.system.errors import CheckpointError

SAFETENSORS = ".safetensors"
# Of a file of the whole detector: the start of some names, and a tensor with an entry per class.
WHOLE, PER_CLASS = "roi_heads.", "roi_heads.mask_predictor.mask_fcn_logits.bias"
# What a published trunk classifies whole images with, which no detector has, and what a detector adds to it.
CLASSIFIER, ADDED = ("fc.", "head.", "norm."), "norms."


class Imported(NamedTuple):
    """A detector with published weights; fresh: its tensors that are not in the file, unused: the reverse."""

    model: Detector
    fresh: list[str]
    unused: list[str]


def import_published(kind: type[Detector], path: Path) -> Imported:
    """Builds the detector of a published file, at its sizes.

    A file of the trunk alone gives a detector of one class, whose other parts are fresh. Raises
    CheckpointError if the file is missing, holds no weights, or those of another network.
    """
    tensors = read_tensors(path)
    whole = any(name.startswith(WHOLE) for name in tensors)
    classes = len(tensors[PER_CLASS]) - FIRST_CLASS if PER_CLASS in tensors else 1
    model = kind(kind.published_sizes(classes), kind.Function(), kind.Recipe())
    part = model.network if whole else model.network.backbone.body
    missing, unused = _load(kind, path, part, tensors)
    filled = {id(one) for name, one in part.state_dict(keep_vars=True).items() if name not in missing}
    fresh = [name for name, one in model.state_dict(keep_vars=True).items() if id(one) not in filled]
    return Imported(model, fresh, unused)


def _load(
    kind: type[Detector], path: Path, part: nn.Module, tensors: Mapping[str, Tensor]
) -> tuple[list[str], list[str]]:
    """Loads the tensors; returns the names that the file lacks, and those that it has in vain."""
    try:
        missing, unused = part.load_state_dict(tensors, strict=False)
        foreign = [name for name in missing if not name.startswith(ADDED)]
        foreign += [name for name in unused if not name.startswith(CLASSIFIER)]
        wrong = foreign and f"{foreign[0]} in only one of them"
    except RuntimeError:
        missing, unused, wrong = [], [], "tensors of other shapes"
    if wrong:
        raise CheckpointError(
            f"{path}: expected torchvision's weights of {kind.published}, found those of another network "
            f"({wrong}); name such a file."
        )
    return missing, sorted(unused)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Reads a .pth or .safetensors file of tensors by name. Raises CheckpointError for any other file."""
    if not path.is_file():
        raise CheckpointError(
            f"{path} does not exist; download a file of weights that torchvision publishes, or train from "
            "scratch."
        )
    try:
        is_safe = path.suffix == SAFETENSORS
        content = load_file(path) if is_safe else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # A foreign file can raise any exception.
        raise CheckpointError(
            f"{path} cannot be read as weights ({type(error).__name__}); it is truncated, not a PyTorch "
            "file, or would run code when loaded: get it again from its source."
        ) from error
    if not isinstance(content, Mapping) or not all(isinstance(one, Tensor) for one in content.values()):
        raise CheckpointError(f"{path}: expected tensors by name, found something else; name another file.")
    return dict(content)
