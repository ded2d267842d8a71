"""Splits that transforms.json states: in lists of files, or by the file in which a frame stands."""

from __future__ import annotations

from pathlib import PurePosixPath

from gpnerf.datasets.files.records import printable
from gpnerf.datasets.splits import SPLITS, TEST, TRAIN, VAL
from gpnerf.datasets.transforms.text import SceneText
from gpnerf.media.formats import PHOTOGRAPH_SUFFIXES
from gpnerf.system.errors import DataError, Faults
from gpnerf.system.wording import some


def stated_splits(text: SceneText, faults: Faults) -> list[str]:
    """The split of every frame: one of SPLITS, or "" where none is stated.

    A split is stated by nerfstudio's lists train_filenames, val_filenames and test_filenames, or by the file
    in which a frame stands. List entries that name no frame are added to `faults`, and so are frames that are
    both trained on and tested.
    """
    splits = [frame.split for frame in text.frames]
    numbers = {_name(frame.own.get("file_path")): number for number, frame in enumerate(text.frames)}
    named = {}
    for split in SPLITS:
        with faults.collected():
            named[split] = _listed(text, split, numbers)
    with faults.collected():
        _check_apart(text, named)
    # A later split replaces an earlier one: many files list the same frames to validate and to test.
    for split in (VAL, TRAIN, TEST):
        for number in named.get(split, ()):
            splits[number] = split
    return splits


def _listed(text: SceneText, split: str, numbers: dict[str, int]) -> set[int]:
    """Finds the frames that one of the lists names."""
    key = f"{split}_filenames"
    entries = text.top.values.get(key)
    if entries is None:
        return set()
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise text.top.fault(key, "a list of the frames' file_path")
    unknown = [printable(entry) for entry in entries if _name(entry) not in numbers]
    if unknown:
        raise DataError(
            f"{text.top.place}: expected '{key}' to name frames by their file_path, found no frames "
            f"{some(unknown)}; correct the list."
        )
    return {numbers[_name(entry)] for entry in entries}


def _check_apart(text: SceneText, named: dict[str, set[int]]) -> None:
    tested = TEST if named.get(TEST) else VAL
    both = sorted(named.get(TRAIN, set()) & named.get(tested, set()))
    if both:
        paths = [printable(text.frames[number].own.get("file_path")) for number in both]
        raise DataError(
            f"{text.top.place}: expected '{TRAIN}_filenames' and '{tested}_filenames' to share no frame, "
            f"found {len(both)} in both ({some(paths)}); correct the lists."
        )


def _name(path: object) -> str:
    """Makes a path comparable: with slashes, and without the extension, which some files leave out."""
    text = PurePosixPath(str(path).replace("\\", "/")).as_posix()
    suffix = next((suffix for suffix in PHOTOGRAPH_SUFFIXES if text.lower().endswith(suffix)), "")
    return text.removesuffix(text[len(text) - len(suffix) :])
