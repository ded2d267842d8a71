"""Warnings about a checked scene: a sentence for everything that looks wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gpnerf.datasets.probes.first_reading import scene_warnings
from gpnerf.datasets.probes.meanings import (
    alpha_warnings,
    label_warnings,
    mask_warnings,
    orientation_warnings,
)
from gpnerf.datasets.probes.misreading import reading_warnings
from gpnerf.datasets.probes.placement import REMEDY, blind_warnings
from gpnerf.datasets.probes.plausibility import range_warnings, unit_of
from gpnerf.inspection.checks import SceneCheck

# Smallest expected share of a test view that its sources see, and smallest expected share of valid depth.
LEAST_OVERLAP = 0.7
LEAST_DEPTH = 0.3
# A step between two frames is a jump if it is at least JUMP_RATIO median steps and JUMP_SHARE of far.
JUMP_RATIO, JUMP_SHARE = 10.0, 0.05
# Largest median differences, in colour and relative depth, of consecutive frames that fit together.
WARP_FITS = (0.15, 0.08)


def warnings_of(check: SceneCheck) -> list[str]:
    """Writes a sentence for everything in a scene that looks wrong; [] if nothing does."""
    return [sentence for find in WARNINGS for sentence in find(check)]


def _scene_warning(check: SceneCheck) -> list[str]:
    return scene_warnings(check.scene, check.black_strip)


def _reading_warning(check: SceneCheck) -> list[str]:
    return reading_warnings(check.scene.name, check.misreading)


def _warp_warning(check: SceneCheck) -> list[str]:
    errors = check.warp_error()
    if errors is None or _reading_warning(check):
        return []
    color, depth = errors
    if color < WARP_FITS[0] and depth < WARP_FITS[1]:
        return []
    return [
        f"{check.scene.name}: neighbouring frames do not fit together (median differences of {color:.3f} in "
        f"colour and {depth:.1%} in depth, expected below {WARP_FITS[0]} and {WARP_FITS[1]:.0%}); check "
        "the axes and the scale of the poses, the unit of depth, and the intrinsics."
    ]


def _jump_warning(check: SceneCheck) -> list[str]:
    poses, unit = check.poses, unit_of(check.scene)
    if poses.largest_jump < max(JUMP_SHARE * check.scene.far, JUMP_RATIO * poses.median_step):
        return []
    names = [check.scene.index.names[number] for number in poses.largest_jump_at]
    return [
        f"{check.scene.name}: the camera jumps by {poses.largest_jump:.2f}{unit} between the frames "
        f"{names[0]} and {names[1]} (usual step: {poses.median_step:.3f}{unit}); look at the map of the path."
    ]


def _overlap_warning(check: SceneCheck) -> list[str]:
    """Writes a sentence if the sources see too little of the test views.

    Without depth maps, overlap is measured with the depth range: if that is implausible, so is the overlap.
    """
    scene = check.scene
    if check.overlap is None or check.overlap >= LEAST_OVERLAP:
        return []
    assumed = not scene.index.count("depth")
    if assumed and range_warnings(scene):
        return []
    doubt = f"if the range {scene.near:.3g} to {scene.far:.3g} is right, " if assumed else ""
    return [
        f"{scene.name}: the sources see only {check.overlap:.0%} of a test view on average (expected at "
        f"least {LEAST_OVERLAP:.0%}); {doubt}raise --num_source_views or allow more --source_frames."
    ]


def _blind_warning(check: SceneCheck) -> list[str]:
    """Names single test views, unless the mean of all is already told."""
    if _overlap_warning(check):
        return []
    return blind_warnings(check.scene.name, check.blind, check.measured, REMEDY)


def _depth_warning(check: SceneCheck) -> list[str]:
    pixels = check.pixels
    if pixels.valid_depths >= LEAST_DEPTH * pixels.depths:
        return []
    share = pixels.valid_depths / pixels.depths
    return [f"{check.scene.name}: only {share:.0%} of the depth readings are valid."]


def _alpha_warning(check: SceneCheck) -> list[str]:
    return alpha_warnings(check.scene)


def _mask_warning(check: SceneCheck) -> list[str]:
    return mask_warnings(check.scene)


def _orientation_warning(check: SceneCheck) -> list[str]:
    return orientation_warnings(check.scene)


def _label_warning(check: SceneCheck) -> list[str]:
    return label_warnings(check.scene, np.array([check.pixels.unlabelled, *check.pixels.classes]))


WARNINGS: tuple[Callable[[SceneCheck], list[str]], ...] = (
    _scene_warning,
    _reading_warning,
    _warp_warning,
    _jump_warning,
    _overlap_warning,
    _blind_warning,
    _depth_warning,
    _alpha_warning,
    _mask_warning,
    _orientation_warning,
    _label_warning,
)
