"""Writes PLY files, binary and little endian: points or a mesh, with any properties."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gpnerf.system.files import write_whole

TYPES = {"f4": "float", "u1": "uchar", "u2": "ushort", "i4": "int"}
# A triangle: the number of its corners, then these.
TRIANGLE = np.dtype([("count", "u1"), ("corners", "<i4", 3)])


def write_ply(
    path: Path, vertices: np.ndarray, triangles: np.ndarray | None = None, comments: Sequence[str] = ()
) -> None:
    """Writes vertices, a structured array [N] whose fields are the properties, and triangles int [M, 3].

    The fields have types of TYPES. comments: lines of the header.
    """
    vertices = vertices.astype(vertices.dtype.newbyteorder("<"))
    lines = ["ply", "format binary_little_endian 1.0", *(f"comment {line}" for line in comments)]
    lines.append(f"element vertex {len(vertices)}")
    lines += [f"property {TYPES[vertices.dtype[name].str[1:]]} {name}" for name in vertices.dtype.names or ()]
    parts = [vertices.tobytes()]
    if triangles is not None:
        lines += [f"element face {len(triangles)}", "property list uchar int vertex_indices"]
        faces = np.empty(len(triangles), TRIANGLE)
        faces["count"], faces["corners"] = 3, triangles
        parts.append(faces.tobytes())
    header = "\n".join([*lines, "end_header", ""])
    write_whole(path, b"".join([header.encode("ascii", "replace"), *parts]))


def structured(**columns: np.ndarray) -> np.ndarray:
    """Puts columns [N] side by side as the fields of a structured array [N], in their order."""
    count = len(next(iter(columns.values())))
    table = np.empty(count, [(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        table[name] = column
    return table
