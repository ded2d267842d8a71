"""Which frames a data set itself states to be trained on, validated and tested."""

from __future__ import annotations

from collections.abc import Sequence

TRAIN, VAL, TEST = SPLITS = ("train", "val", "test")


def stated_frames(splits: Sequence[str]) -> tuple[list[int], list[int]] | None:
    """(frames to test, frames to train on) by the splits of all frames; None where they state no split.

    Without test frames those to validate are tested, or else those that are not trained on; validation
    frames are not trained on.
    """
    frames = {split: [n for n, found in enumerate(splits) if found == split] for split in (*SPLITS, "")}
    unnamed = frames[""]
    test = frames[TEST] or frames[VAL] or (unnamed if frames[TRAIN] else [])
    train = frames[TRAIN] or unnamed
    return (test, train) if test and train else None
