"""The weighted mean of trained models: it can be better than each, if all share a start.

Models finetuned from the same weights on different data lie in one basin of the loss, and their mean keeps
much of what each learnt (Wortsman et al., "Model soups", ICML 2022).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from gpnerf.methods.registry import method_class
from gpnerf.system.errors import CheckpointError
from gpnerf.training.checkpoint import Checkpoint


def averaged(models: Mapping[str, Checkpoint], shares: Sequence[float]) -> Checkpoint:
    """The mean of models of one method, function and size, by their shares, as a checkpoint to export.

    models: by the references of find_model; parts that only some have are zero in the others, as they start
    (Method.addable_sizes). Recipe, step and the other records are those of the first; one
    more, `averaged`, tells the models and shares. There is no state of the optimizer, so no training resumes.
    Raises CheckpointError if the shares do not add to 1, or if the models differ in more than their weights.
    """
    if len(models) != len(shares) or not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
        raise CheckpointError(
            f"--shares: expected one for each of {len(models)} models that together are 1, found "
            f"{','.join(f'{share:g}' for share in shares)}; give other shares."
        )
    models = _with_all_parts(models)
    first_name, first = next(iter(models.items()))
    for name, other in models.items():
        if _identity(other) != _identity(first):
            raise CheckpointError(
                f"{name}: expected the method, function, sizes and classes of {first_name}, found others; "
                "name models that were trained from the same weights with the same sizes."
            )
    states = [checkpoint.model for checkpoint in models.values()]
    mean = {name: _mean([state[name] for state in states], shares) for name in first.model}
    told = tuple(f"{share:g} of {_told(*one)}" for one, share in zip(models.items(), shares, strict=True))
    return replace(first, model=mean, optimizer={}, options={**first.options, "averaged": told})


def _with_all_parts(models: Mapping[str, Checkpoint]) -> dict[str, Checkpoint]:
    """The models with all parts that one of them has, as zeros where they are missing."""
    sizes = {
        name: size
        for one in models.values()
        for name in method_class(one.settings.method).addable_sizes
        if (size := getattr(one.settings.sizes, name))
    }
    if not sizes:
        return dict(models)
    zeros = {name: torch.zeros_like(one) for model in models.values() for name, one in model.model.items()}

    def complete(one: Checkpoint) -> Checkpoint:
        own = sizes.keys() & set(method_class(one.settings.method).addable_sizes)
        sizes_of_all = replace(one.settings.sizes, **{name: sizes[name] for name in own})
        settings = replace(one.settings, sizes=sizes_of_all)
        return replace(one, settings=settings, model={**zeros, **one.model})

    return {name: complete(one) for name, one in models.items()}


def _told(name: str, checkpoint: Checkpoint) -> str:
    """A model in the record: its run or folder and its step, without a path, which is private."""
    place = Path(name).parent if Path(name).suffix else Path(name)
    return f"{place.name} at step {checkpoint.step}"


def _identity(checkpoint: Checkpoint) -> tuple[object, ...]:
    """What models must have in common."""
    settings = checkpoint.settings
    return settings.method, settings.sizes, settings.function, checkpoint.class_names


def _mean(tensors: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """Constants and counters that all models share stay exact, and counters that differ are the first's."""
    first = tensors[0]
    if not first.is_floating_point() or all(first.equal(other) for other in tensors):
        return first
    total = sum(share * tensor.double() for tensor, share in zip(tensors, shares, strict=True))
    return total.to(first.dtype)
