"""Label spaces: raw ids in a file -> classes 0..K-1, their names and colours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from gpnerf.datasets.published.class_lists import SCANNET_CLASSES, SCANNET_COLORS
from gpnerf.system.errors import DataError

IGNORE = -1
# Entry of a table for an id that no file may contain.
UNKNOWN = -2
LARGEST_ID = np.iinfo(np.uint16).max
LISTED = "the list of classes"


@dataclass(frozen=True)
class LabelSpace:
    """K classes and the table that maps the raw ids of files to them.

    names: [K]; table: int16 [65536], raw id -> class, IGNORE or UNKNOWN; listed: where the ids are listed,
    for messages. Two spaces are equal if their names are.
    """

    names: tuple[str, ...]
    table: np.ndarray = field(compare=False, repr=False)
    listed: str = field(default=LISTED, compare=False)

    @staticmethod
    def mapped(names: tuple[str, ...], classes: Mapping[int, int], listed: str = LISTED) -> LabelSpace:
        """Makes a space from raw id -> class.

        Ids that are mapped to IGNORE are unlabelled; ids that are not mapped are refused.
        """
        table = np.full(LARGEST_ID + 1, UNKNOWN, np.int16)
        table[list(classes)] = list(classes.values())
        return LabelSpace(names, table, listed)

    @staticmethod
    def identity(names: tuple[str, ...], ignore_id: int = 255, listed: str = LISTED) -> LabelSpace:
        """Makes a space whose raw ids are the classes, but for `ignore_id`, which means "no label"."""
        classes = {index: index for index in range(len(names))}
        return LabelSpace.mapped(names, classes | {ignore_id: IGNORE}, listed)

    @property
    def num_classes(self) -> int:
        return len(self.names)

    @property
    def needs_16_bits(self) -> bool:
        """Whether an 8-bit file cannot hold the ids of all classes."""
        return bool((self.table[256:] >= 0).any())

    def to_classes(self, raw: np.ndarray, source: str) -> np.ndarray:
        """Maps raw ids [H, W] of the file `source` to int64 classes [H, W], IGNORE where unlabelled.

        raw: uint8, uint16, or float32 with IGNORE where a lens saw nothing. Raises DataError for an id
        outside the table, and for 8-bit files of a space that needs 16 bits.
        """
        if raw.dtype == np.uint8 and self.needs_16_bits:
            raise DataError(
                f"{source}: expected 16-bit label ids, found an 8-bit file, which cannot hold them; "
                "use the released file without converting it."
            )
        ids = raw.astype(np.int64)
        labels = np.where(ids >= 0, self.table[ids], IGNORE).astype(np.int64)
        wrong = ids[labels == UNKNOWN]
        if wrong.size:
            raise DataError(
                f"{source}: label id {wrong[0]} ({wrong.size} pixels) is not in {self.listed} "
                f"({self._known()}); correct the file or the list."
            )
        return labels

    def _known(self) -> str:
        classes, ignored = np.flatnonzero(self.table >= 0), np.flatnonzero(self.table == IGNORE)
        some = ", ".join(map(str, ignored[:4])) + (", ..." if len(ignored) > 4 else "")
        extent = f" from {classes.min()} to {classes.max()}" if classes.size else ""
        return f"{len(classes)} ids{extent}, {some or 'none'} unlabelled"


def class_colors(names: tuple[str, ...]) -> np.ndarray:
    """One colour per class, uint8 [K, 3]: the benchmark's for ScanNet's 20 classes, else a palette."""
    if names == SCANNET_CLASSES:
        return np.array(SCANNET_COLORS, np.uint8)
    return palette(len(names))


def palette(count: int) -> np.ndarray:
    """Makes `count` colours, uint8 [count, 3], each of another hue than its neighbours; always the same.

    Hues advance by the golden ratio; lightness and saturation alternate in threes.
    """
    index = np.arange(count)
    hue = (index * 0.618034 + 0.08) % 1.0
    value = np.array([0.95, 0.75, 0.55])[index % 3]
    saturation = np.array([0.55, 0.75, 0.9])[(index // 2) % 3]
    channel = (np.array([5.0, 3.0, 1.0]) + hue[:, None] * 6.0) % 6.0
    falloff = np.clip(np.minimum(channel, 4.0 - channel), 0.0, 1.0)
    colors = value[:, None] * (1.0 - saturation[:, None] * falloff)
    return (colors * 255.0).round().astype(np.uint8)
