"""Writes labelled points and meshes.

A vertex has its place, red, green, blue and, from a model with classes, `label` (the class) or `instance`
(the id of the object), and `confidence`. Comments in the header name the numbers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gpnerf.datasets.labels import IGNORE
from gpnerf.export.cloud import Cloud
from gpnerf.export.map_folder import INSTANCE, LARGEST, MapFolder
from gpnerf.export.mesh import Mesh
from gpnerf.export.paint import Look
from gpnerf.export.ply import structured, write_ply

# Number of a vertex to which no view gives a label.
UNLABELLED = LARGEST


def write_cloud(path: Path, cloud: Cloud, maps: MapFolder) -> None:
    """Writes points; maps: says what their labels mean."""
    write_ply(path, _vertices(cloud.positions, cloud.look, maps), comments=_meanings(maps))


def write_objects(folder: Path, cloud: Cloud, maps: MapFolder) -> list[Path]:
    """Writes the points of each object to a file of its name."""
    labels = [label for label in np.unique(cloud.look.labels).tolist() if label != IGNORE]
    files = [folder / f"{maps.class_names[label].replace(' ', '_')}.ply" for label in labels]
    for label, file in zip(labels, files, strict=True):
        write_cloud(file, cloud.chosen(cloud.look.labels == label), maps)
    return files


def write_mesh(path: Path, mesh: Mesh, maps: MapFolder) -> None:
    """Writes a mesh; maps: says what its labels mean."""
    write_ply(path, _vertices(mesh.vertices, mesh.look, maps), mesh.triangles, _meanings(maps))


def _meanings(maps: MapFolder) -> list[str]:
    """A line for every number that a label has in the file."""
    pairs = zip(maps.ids.tolist(), maps.class_names, strict=True)
    return [f"{_property(maps)} {number}: {name}" for number, name in pairs]


def _property(maps: MapFolder) -> str:
    return "instance" if maps.label_kind == INSTANCE else "label"


def _vertices(places: np.ndarray, look: Look, maps: MapFolder) -> np.ndarray:
    """Vertices at places [N, 3] as a structured array [N]."""
    columns = dict(zip("xyz", places.T, strict=True))
    columns |= dict(zip(("red", "green", "blue"), look.colors.T, strict=True))
    if look.labels is not None:
        numbers = np.where(look.labels == IGNORE, UNLABELLED, maps.ids[look.labels]).astype(np.uint16)
        columns |= {_property(maps): numbers, "confidence": look.confidence}
    return structured(**columns)
