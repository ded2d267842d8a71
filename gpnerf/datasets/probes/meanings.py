"""Sentences about files that may mean something else than thought: alpha, orientation, ids of no class."""

from __future__ import annotations

from statistics import fmean

import numpy as np

from gpnerf.datasets.files.records import printable
from gpnerf.datasets.labels import IGNORE
from gpnerf.datasets.scene import Scene
from gpnerf.media.images import ORIENTATIONS, UPRIGHT, orientation, transparency
from gpnerf.system.errors import Faults
from gpnerf.system.wording import some

# Frames that are looked at where all would take too long.
PROBED = 5
# Share of the pixels; masks that leave no more are perhaps read the wrong way round.
LITTLE = 0.25


def probed(scene: Scene) -> list[int]:
    """A few frames, spread over the scene."""
    count = len(scene.index)
    return np.linspace(0, count - 1, min(PROBED, count)).round().astype(int).tolist()


def alpha_warnings(scene: Scene) -> list[str]:
    """A sentence if photographs have transparent pixels; a few of them are looked at."""
    for number in probed(scene):
        file, share = scene.index.files["image"][number], 0.0
        with Faults().collected():
            share = transparency(scene.folder / file)
        if share:
            return [
                f"{scene.name}: the photographs have an alpha channel, and are laid on white by it ({file}: "
                f"{share:.1%} of the pixels are not opaque); lay them on another background yourself if they "
                "shall not be."
            ]
    return []


def mask_warnings(scene: Scene) -> list[str]:
    """A sentence if masks leave so little that they may mean the opposite; a few of them are looked at."""
    shares = []
    for number in probed(scene) if scene.index.count("mask") else ():
        with Faults().collected():
            mask = scene.read_mask(number, *scene.index.sizes[number].tolist())
            shares.append(1.0 if mask is None else mask.float().mean().item())
    if not shares or fmean(shares) > LITTLE:
        return []
    return [
        f"{scene.name}: the masks leave {fmean(shares):.1%} of the pixels; black or transparent means to "
        "leave out, anything else to use: turn them around if they mean the opposite."
    ]


def orientation_warnings(scene: Scene) -> list[str]:
    """A sentence if photographs are to be turned or mirrored before they are shown; a few are looked at."""
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
    """Of classes with IGNORE: how often each occurs, [K + 1], the unlabelled pixels first."""
    return np.bincount(semantic.ravel() - IGNORE, minlength=classes + 1)


def label_warnings(scene: Scene, counts: np.ndarray) -> list[str]:
    """A sentence if fewer than two of the classes that the scene lists are seen.

    counts: of some or all of its frames, as count_classes.
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
    if not counts[0]:
        return [f"{found}; check that the maps hold the ids of that list, counted from 0."]
    remedy = "set it to an id that is no class"
    if ignored >= len(names):
        instead = f"{absent[0]} instead of {ignored} for {printable(names[absent[0]])}"
        remedy = f"write {instead}, or set it to the id that does"
    return [
        f"{found}, and {counts[0] / counts.sum():.1%} of the pixels read are unlabelled, as {ignored} is by "
        f"'ignore_label'; if {ignored} means a class, {remedy}."
    ]
