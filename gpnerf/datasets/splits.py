"""Splits that a data set itself states: training, validation and test frames."""

from __future__ import annotations

from collections.abc import Sequence

TRAIN, VAL, TEST = SPLITS = ("train", "val", "test")


def stated_frames(splits: Sequence[str]) -> tuple[list[int], list[int]] | None:
    """Chooses (test frames, training frames) by the stated split of every frame; None without a split.

    If there are no test frames, the validation frames are tested, or else the frames that are not training
    frames. Validation frames are never trained on.
    """
    frames = {split: [n for n, found in enumerate(splits) if found == split] for split in (*SPLITS, "")}
    unnamed = frames[""]
    test = frames[TEST] or frames[VAL] or (unnamed if frames[TRAIN] else [])
    train = frames[TRAIN] or unnamed
    return (test, train) if test and train else None
