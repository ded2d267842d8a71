"""Label spaces: raw ids in a file -> classes 0..K-1, their names and colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpnerf.errors import DataError

IGNORE = -1


@dataclass(frozen=True)
class LabelSpace:
    """K classes: names [K], and the raw id in the files that means "no label" (`ignore_id`)."""

    names: tuple[str, ...]
    ignore_id: int = 255

    @property
    def num_classes(self) -> int:
        return len(self.names)

    def to_classes(self, raw: np.ndarray, source: str) -> np.ndarray:
        """Raw ids [H, W] of the file `source` -> int64 classes [H, W], IGNORE where unlabelled.

        Raises DataError for an id that is neither a class nor `ignore_id`.
        """
        labels = raw.astype(np.int64)
        labels[raw == self.ignore_id] = IGNORE
        wrong = labels[(labels >= self.num_classes) | (labels < IGNORE)]
        if wrong.size:
            raise DataError(
                f"{source}: label {wrong[0]} is outside 0..{self.num_classes - 1} (and not the ignore id "
                f"{self.ignore_id}) in {wrong.size} pixels; correct the file or the list of class names."
            )
        return labels

    def palette(self) -> np.ndarray:
        """One colour per class: uint8 [K, 3]."""
        return palette(self.num_classes)


def palette(count: int) -> np.ndarray:
    """`count` colours that differ in hue from their neighbours: uint8 [count, 3]; the same every time.

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
