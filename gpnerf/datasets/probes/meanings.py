"""Warnings about files that may not mean what they are read as: alpha, masks, orientation and label ids."""

from __future__ import annotations

from statistics import fmean

import numpy as np

from gpnerf.datasets.files.records import printable
from gpnerf.datasets.labels import IGNORE
from gpnerf.datasets.scene import Scene
from gpnerf.media.images import ORIENTATIONS, UPRIGHT, orientation, transparency
from gpnerf.system.errors import Faults
from gpnerf.system.wording import some

# Number of frames that are checked where all frames would take too long.
PROBED = 5
# Share of the pixels; masks that leave fewer may mean the opposite of how they are read.
LITTLE = 0.25


def probed(scene: Scene) -> list[int]:
    """Chooses a few frames, spread over the scene."""
    count = len(scene.index)
    return np.linspace(0, count - 1, min(PROBED, count)).round().astype(int).tolist()


def alpha_warnings(scene: Scene) -> list[str]:
    """Writes a sentence if photographs have transparent pixels; checks a few photographs."""
    for number in probed(scene):
        file, share = scene.index.files["image"][number], 0.0
        with Faults().collected():
            share = transparency(scene.folder / file)
        if share:
            return [
                f"{scene.name}: the photographs have an alpha channel, and are laid on white ({file}: "
                f"{share:.1%} of the pixels are not opaque); to use another background, lay them on it and "
                "save them without alpha."
            ]
    return []


def mask_warnings(scene: Scene) -> list[str]:
    """Writes a sentence if masks leave so few pixels that they may be inverted; checks a few masks."""
    shares = []
    for number in probed(scene) if scene.index.count("mask") else ():
        with Faults().collected():
            mask = scene.read_mask(number, *scene.index.sizes[number].tolist())
            shares.append(1.0 if mask is None else mask.float().mean().item())
    if not shares or fmean(shares) > LITTLE:
        return []
    return [
        f"{scene.name}: the masks leave {fmean(shares):.1%} of the pixels; black or transparent pixels are "
        "left out, all others are used: invert the masks if they mean the opposite."
    ]


def orientation_warnings(scene: Scene) -> list[str]:
    """Writes a sentence if photographs have an EXIF orientation, which is not followed; checks a few."""
    for number in probed(scene):
        file = scene.index.files["image"][number]
        found = orientation(scene.folder / file)
        if found != UPRIGHT:
            return [
                f"{scene.name}: the photographs have an EXIF orientation that is not followed ({file}: "
                f"{found}, {ORIENTATIONS[found]}); pixels are used as stored, and poses and intrinsics must "
                "be those of the stored pixels: if they are not, write the pixels upright "
                "(mogrify -auto-orient)."
            ]
    return []


def count_classes(semantic: np.ndarray, classes: int) -> np.ndarray:
    """Counts the pixels of a label map, int64 [K + 1]: the unlabelled ones, then those of each class."""
    return np.bincount(semantic.ravel() - IGNORE, minlength=classes + 1)


def label_warnings(scene: Scene, counts: np.ndarray) -> list[str]:
    """Writes a sentence if fewer than two of the classes that the scene lists occur.

    counts: as from count_classes, of some or all frames.
    """
    names, ignored = scene.index.class_names, scene.index.ignore_label
    if not names or not counts.any():
        return []
    seen = [name for name, count in zip(names, counts[1:], strict=True) if count]
    absent = np.flatnonzero(counts[1:] == 0).tolist()
    if len(seen) >= min(2, len(names)):
        return []
    found = (
        f"{scene.name}: of the {len(names)} classes of 'semantic_classes' "
        f"{f'only {printable(seen[0])} is' if seen else 'none is'} seen in the label maps, never "
        f"{some(printable(names[number]) for number in absent)}"
    )
    # Without unlabelled pixels, the id that means "no label" cannot be the reason.
    if not counts[0]:
        return [f"{found}; check that the maps hold the ids of that list, counted from 0."]
    remedy = "set 'ignore_label' to an id that is no class"
    if ignored >= len(names):
        instead = f"{absent[0]} instead of {ignored} for {printable(names[absent[0]])}"
        remedy = f"write {instead}, or set 'ignore_label' to the id that means no label"
    return [
        f"{found}, and {counts[0] / counts.sum():.1%} of the pixels read are unlabelled, as 'ignore_label' "
        f"is {ignored}; if {ignored} means a class, {remedy}."
    ]
