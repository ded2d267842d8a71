"""Classes of a segmentation model -> classes of a scene, by a file of lines `CLASS = NAME, NAME, ...`.

CLASS is a class of the scene, in the order of the lines; the names behind it are those of the model's classes
that mean it, and may be none. Pixels of classes that no line names are unlabelled. `#` begins a comment.
`configs/classes` has the maps of ADE20K's and COCO's classes.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gpnerf.datasets.class_maps import plain_name
from gpnerf.datasets.labels import IGNORE
from gpnerf.system.errors import DataError
from gpnerf.system.wording import some


@dataclass(frozen=True)
class Classes:
    """The T classes of a scene and the K of a model. members: bool [T, K], which mean the same."""

    names: tuple[str, ...]
    members: Tensor

    @staticmethod
    def of_model(names: Sequence[str]) -> Classes:
        """The model's own classes."""
        return Classes(tuple(names), torch.eye(len(names), dtype=torch.bool))

    @staticmethod
    def read(path: Path, model: Sequence[str]) -> Classes:
        """Reads a file for a model with these class names.

        Of a name with synonyms, such as "rock, stone", the first one counts. Raises DataError for a file that
        cannot be read, a class or name that stands there twice, and a name that the model does not have.
        """
        lines = _lines(path)
        numbers = {_key(name): number for number, name in enumerate(model)}
        _check_names(path, [name for names in lines.values() for name in names], numbers)
        members = torch.zeros(len(lines), len(model), dtype=torch.bool)
        for row, names in enumerate(lines.values()):
            members[row, [numbers[_key(name)] for name in names]] = True
        return Classes(tuple(lines), members)

    def grouped(self, probabilities: Tensor) -> Tensor:
        """Probabilities [K, H, W] of the model's classes -> [T + 1, H, W] of the scene's.

        The last entry is that of the most probable class of the model that none of the scene's means.
        """
        sums = torch.einsum("tk,khw->thw", self.members.to(probabilities), probabilities)
        others = probabilities[~self.members.any(dim=0).to(probabilities.device)]
        rest = others.amax(dim=0) if len(others) else torch.zeros_like(sums[0])
        return torch.cat([sums, rest[None]])


def labels_of(grouped: Tensor, confidence: float) -> Tensor:
    """Labels int64 [H, W] of what `Classes.grouped` gives: the most probable class.

    IGNORE where that is none of the scene's, or has a probability below `confidence`.
    """
    best, label = grouped.max(dim=0)
    unsure = (label == len(grouped) - 1) | (best < confidence)
    return torch.where(unsure, IGNORE, label)


def _lines(path: Path) -> dict[str, list[str]]:
    """Class of the scene -> names of the model's classes."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no text"
        raise DataError(
            f"{path}: expected a file of classes, found {reason}; name one of configs/classes, or your own."
        ) from error
    lines: dict[str, list[str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, equals, names = (part.strip() for part in line.partition("#")[0].partition("="))
        if not (name or equals or names):
            continue
        if not name or not equals or name in lines:
            found = f"a second line of {name!r}" if equals and name else repr(line.strip())
            raise DataError(
                f"{path}, line {number}: expected CLASS = NAME, NAME, ... with a new CLASS, found {found}; "
                "correct the line."
            )
        lines[name] = [part.strip() for part in names.split(",") if part.strip()]
    if not lines:
        raise DataError(f"{path}: expected lines CLASS = NAME, NAME, ..., found none; add some.")
    return lines


def _check_names(path: Path, names: Sequence[str], numbers: dict[str, int]) -> None:
    """Raises DataError if a name is none of the model's, or stands in the file twice."""
    keys = [_key(name) for name in names]
    unknown = [_meant(name, numbers) for name, key in zip(names, keys, strict=True) if key not in numbers]
    twice = [name for name, key in zip(names, keys, strict=True) if keys.count(key) > 1]
    if unknown:
        raise DataError(
            f"{path}: expected names of the model's {len(numbers)} classes ({some(numbers, 4)}), found "
            f"{some(unknown)}; correct the names, or choose the file for the list of classes of this model."
        )
    if twice:
        raise DataError(
            f"{path}: expected every class of the model at most once, found {twice[0]!r} twice; remove one."
        )


def _meant(name: str, numbers: dict[str, int]) -> str:
    close = difflib.get_close_matches(_key(name), numbers, 1)
    return repr(name) + (f" (did you mean {close[0]!r}?)" if close else "")


def _key(name: str) -> str:
    """What two spellings of a class have in common: its first synonym in small letters."""
    return plain_name(name.partition(",")[0]).strip()
