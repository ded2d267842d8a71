"""Findings in scenes, as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpnerf.datasets.probes.plausibility import unit_of
from gpnerf.inspection.checks import SceneCheck

BAR = 40


def describe_scene(check: SceneCheck, faults: int) -> str:
    """Describes a scene in a paragraph; faults: number of faults found in it."""
    scene, poses, pixels = check.scene, check.poses, check.pixels
    unit = unit_of(scene)
    sizes = np.unique(scene.index.sizes, axis=0).tolist()
    lines = [
        f"{scene.name}: {faults or 'no'} faults",
        f"  frames         {len(scene.views)} of {', '.join(f'{width}x{height}' for height, width in sizes)}",
        f"  with           depth {scene.count('depth')}, labels {scene.count('semantic')}, "
        f"instances {scene.count('instance')}, masks {scene.count('mask')}",
        f"  depth range    {scene.near:.2f} to {scene.far:.2f}{unit} ({scene.range.source})",
        f"  camera path    {_box(poses.extent)}{unit}, usual step {poses.median_step:.3f}{unit}, largest "
        f"{poses.largest_jump:.3f}{unit}, {poses.coinciding} frames do not move",
    ]
    if pixels.depths:
        lines.append(
            f"  valid depth    {pixels.valid_depths / pixels.depths:.1%} of the readings; "
            f"{pixels.depths_outside / max(1, pixels.valid_depths):.1%} of these lie outside the range"
        )
    errors = check.warp_error()
    if errors:
        lines.append(
            f"  depth warp     frames differ by {errors[0]:.3f} in colour (of 1), {errors[1]:.1%} in depth"
        )
    lines.append(f"  split          {check.split}")
    if check.overlap is None:
        lines.append(f"  overlap        not measured: {check.no_overlap}")
    else:
        lines.append(
            f"  overlap        sources see {check.overlap:.1%} of the {len(check.test)} test views on average"
        )
    return "\n".join([*lines, ""])


def describe_labels(checks: Sequence[SceneCheck]) -> str:
    """Describes the share of each class in all labelled pixels as a histogram, and lists absent classes."""
    labelled = [check for check in checks if check.scene.labels]
    if not labelled:
        return "Labels: none.\n"
    names = labelled[0].scene.labels.names
    same = [check for check in labelled if check.scene.labels.names == names]
    counts = sum(check.pixels.classes for check in same)
    unlabelled = sum(check.pixels.unlabelled for check in same)
    total = max(1, int(counts.sum()))
    unseen = unlabelled / (total + unlabelled)
    lines = [f"Labels of {len(same)} scenes ({unseen:.1%} of the pixels are unlabelled):"]
    for number in np.argsort(-counts, kind="stable").tolist():
        if counts[number]:
            share = counts[number] / total
            bar = "#" * max(1, round(BAR * share / (counts.max() / total)))
            lines.append(f"  {number:3d} {names[number]:20s} {share:7.2%} {bar}")
    absent = [name for name, count in zip(names, counts.tolist(), strict=True) if not count]
    if absent:
        lines.append(f"  never seen: {', '.join(absent)}")
    return "\n".join([*lines, ""])


def _box(extent: tuple[float, float, float]) -> str:
    return " x ".join(f"{side:.2f}" for side in extent)
