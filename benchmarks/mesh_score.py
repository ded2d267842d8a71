"""Scores exported meshes against the true surfaces of a scene with depth maps and labels.

    python scripts/export.py rooms --config configs/rooms.txt --scene 1000 --format mesh
    python benchmarks/mesh_score.py data/rooms/v6_384x512_24/room_1000 out/rooms/export/room_1000/mesh.ply

The true surfaces are the points that the depth maps of the scene show: large maps, of the same cameras, give
more points than those that the mesh comes from. Precision is the share of the mesh, by area, within the
distance of a true point, recall the share of the true points within it of the mesh, and the F-score their
harmonic mean (Knapitsch et al., "Tanks and Temples", 2017). A class is right if it is that of the nearest
true point; two shares are given, of the whole mesh and of its part within the distance.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

import gpnerf
from gpnerf.config.parser import Parser
from gpnerf.config.types import amount, frames, parse_frames, positive
from gpnerf.datasets.scene import Scene
from gpnerf.geometry.cameras import pixel_grid
from gpnerf.system.scripting import run_script

# Side of the cells of which each keeps one true point, as a share of the distance.
CELL = 0.3


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("scene", type=Path, help="folder of the scene with true depth maps and labels")
    parser.add_argument("meshes", nargs="+", type=Path, help="mesh.ply files of scripts/export.py")
    parser.add_argument("--distance", type=amount, default=0.05, help="in the units of the poses")
    parser.add_argument("--without", type=frames, default="0:0", help="views that do not count, as 2::6")
    parser.add_argument("--samples", type=positive, default=200_000, help="points of each mesh")
    return parser.parse_args(arguments)


class Points(NamedTuple):
    """positions: [N, 3]. classes: [N]."""

    positions: np.ndarray
    classes: np.ndarray

    def thinned(self, cell: float) -> Points:
        """One point of every cell."""
        cells = np.floor(self.positions / cell).astype(np.int64)
        _, first = np.unique(cells, axis=0, return_index=True)
        return Points(self.positions[first], self.classes[first])


class Scores(NamedTuple):
    """precision, recall, f_score, classes (of the whole mesh), near_classes: shares in [0, 1]."""

    precision: float
    recall: float
    f_score: float
    classes: float
    near_classes: float


def true_points(scene: Scene, numbers: Sequence[int], cell: float) -> Points:
    """The surfaces that these views see, by their depth maps."""
    found = Points(np.zeros((0, 3)), np.zeros(0, np.int64))
    for number in numbers:
        frame = scene.read(number, *scene.size(number))
        origins, directions = frame.camera.rays(pixel_grid(frame.camera.height, frame.camera.width))
        depth, classes = frame.depth.flatten(), frame.semantic.flatten()
        points = (origins + depth[:, None] * directions)[depth > 0].double().numpy()
        both = Points(points, classes[depth > 0].numpy())
        found = Points(*map(np.concatenate, zip(found, both, strict=True))).thinned(cell)
    return found


def read_mesh(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices [N, 3], triangles [M, 3] and labels [N] of a file that scripts/export.py wrote."""
    with path.open("rb") as file:
        header = list(iter(lambda: file.readline().split(), [b"end_header"]))
        sizes = [int(line[2]) for line in header if line[:1] == [b"element"]]
        types = {b"float": "<f4", b"uchar": "u1", b"ushort": "<u2"}
        fields = [
            (line[2].decode(), types[line[1]]) for line in header if line[0] == b"property" and len(line) == 3
        ]
        vertices = np.frombuffer(file.read(np.dtype(fields).itemsize * sizes[0]), fields)
        faces = np.frombuffer(file.read(), [("count", "u1"), ("corners", "<i4", 3)])
    places = np.stack([vertices[axis] for axis in "xyz"], axis=1).astype(float)
    return places, faces["corners"], vertices["label"].astype(np.int64)


def sampled(vertices: np.ndarray, triangles: np.ndarray, labels: np.ndarray, count: int) -> Points:
    """Draws points of a mesh evenly by area, each with the label of the first corner of its triangle."""
    random = np.random.default_rng(0)
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    drawn = random.choice(len(triangles), count, p=areas / areas.sum())
    along = np.sort(random.random((2, count)), axis=0)[..., None]
    first, second, third = along[0], along[1] - along[0], 1.0 - along[1]
    places = first * a[drawn] + second * b[drawn] + third * c[drawn]
    return Points(places, labels[triangles[drawn, 0]])


def score(mesh: Points, truth: Points, distance: float) -> Scores:
    """The scores of points of a mesh."""
    away, nearest = cKDTree(truth.positions).query(mesh.positions)
    missed, _ = cKDTree(mesh.positions).query(truth.positions)
    precision, recall = (away <= distance).mean(), (missed <= distance).mean()
    right = mesh.classes == truth.classes[nearest]
    f_score = 2.0 * precision * recall / max(precision + recall, np.finfo(float).tiny)
    near = right[away <= distance].mean() if precision else 0.0
    return Scores(*map(float, (precision, recall, f_score, right.mean(), near)))


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    scene = gpnerf.open_scene(options.scene)
    left_out = set(range(len(scene.views))[parse_frames(options.without)])
    numbers = [number for number in range(len(scene.views)) if number not in left_out]
    truth = true_points(scene, numbers, CELL * options.distance)
    sys.stdout.write(f"{'mesh':48s} precision  recall  F-score  right class  right class near\n")
    for path in options.meshes:
        found = score(sampled(*read_mesh(path), options.samples), truth, options.distance)
        sys.stdout.write(
            f"{str(path)[-48:]:48s} {found.precision:9.3f} {found.recall:7.3f} {found.f_score:8.3f} "
            f"{found.classes:12.3f} {found.near_classes:17.3f}\n"
        )
    return 0


if __name__ == "__main__":
    run_script(main)
