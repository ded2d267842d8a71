"""Compares the poses of two scenes in transforms.json, such as found poses with the recorded ones.

    python benchmarks/pose_error.py FOUND TRUE

Frames are paired by the names of their photographs. The found camera centres are moved onto the true ones by
the similarity with the least squared distance (Umeyama 1991), as found poses have a world and a unit of their
own. Rotation errors are angles between the cameras after it, position errors are shares of the largest
distance between two true cameras.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gpnerf.config.parser import Parser
from gpnerf.datasets.index.scene_index import SceneIndex
from gpnerf.datasets.transforms.loader import index_scene
from gpnerf.system.errors import DataError, Faults
from gpnerf.system.scripting import run_script

# With two centres, the cameras could still turn about the line through them.
FEWEST = 3
SHARES = {"median": 0.5, "90 %": 0.9, "largest": 1.0}


class Similarity(NamedTuple):
    """x -> scale * rotation @ x + translation. rotation: [3, 3]; translation: [3]."""

    scale: float
    rotation: np.ndarray
    translation: np.ndarray

    def moved(self, points: np.ndarray) -> np.ndarray:
        """Moves points [N, 3]."""
        return self.scale * points @ self.rotation.T + self.translation


def similarity(found: np.ndarray, true: np.ndarray) -> Similarity:
    """The similarity that moves points [N, 3] closest to others: Umeyama 1991, Eqs. 38-42."""
    means = found.mean(axis=0), true.mean(axis=0)
    here, there = found - means[0], true - means[1]
    left, values, right = np.linalg.svd(there.T @ here)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = left * signs @ right
    scale = (values * signs).sum() / (here**2).sum()
    return Similarity(scale, rotation, means[1] - scale * rotation @ means[0])


def errors(found: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Measures errors of camera-to-world poses [N, 4, 4].

    Returns degrees [N], and distances [N] as shares of the extent of the true cameras.
    """
    fitted = similarity(found[:, :3, 3], true[:, :3, 3])
    turns = (fitted.rotation @ found[:, :3, :3]).transpose(0, 2, 1) @ true[:, :3, :3]
    # The distance of two rotations is precise for small angles, where the cosine of the trace is not.
    chord = np.linalg.norm(turns - np.eye(3), axis=(1, 2)) / np.sqrt(8.0)
    distances = np.linalg.norm(fitted.moved(found[:, :3, 3]) - true[:, :3, 3], axis=1)
    return np.degrees(2.0 * np.arcsin(np.clip(chord, 0.0, 1.0))), distances / extent(true[:, :3, 3])


def extent(points: np.ndarray) -> float:
    """The largest distance between two of the points [N, 3]."""
    return float(np.linalg.norm(points[:, None] - points, axis=-1).max())


def read(folder: Path) -> SceneIndex:
    """Reads the scene in a folder. Raises DataError for its faults."""
    faults = Faults()
    index = index_scene(folder, faults)
    faults.raise_any()
    return index


def paired_poses(found: SceneIndex, true: SceneIndex) -> tuple[np.ndarray, np.ndarray]:
    """Poses [N, 4, 4] of the frames that both scenes have. Raises DataError if they are too few."""
    places = {name: number for number, name in enumerate(true.names)}
    both = [(number, places[name]) for number, name in enumerate(found.names) if name in places]
    if len(both) < FEWEST:
        raise DataError(
            f"Expected at least {FEWEST} photographs of the same name in both scenes, found {len(both)}; "
            "name two scenes of the same photographs."
        )
    rows = np.array(both)
    return found.poses[rows[:, 0]], true.poses[rows[:, 1]]


def described(title: str, values: np.ndarray, unit: str) -> str:
    quantiles = (f"{name} {np.quantile(values, share):.3f} {unit}" for name, share in SHARES.items())
    return f"{title}: {', '.join(quantiles)}\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("found", type=Path, metavar="FOUND", help="folder of the scene with found poses")
    parser.add_argument("true", type=Path, metavar="TRUE", help="folder of the scene with true poses")
    options = parser.parse_args(arguments)
    found, true = read(options.found), read(options.true)
    poses = paired_poses(found, true)
    degrees, shares = errors(*poses)
    sys.stdout.write(f"{len(poses[0])} of {len(true)} frames have a found pose\n")
    sys.stdout.write(described("rotation", degrees, "degrees"))
    sys.stdout.write(described("position", 100.0 * shares, "% of the extent of the true cameras"))
    return 0


if __name__ == "__main__":
    run_script(main)
