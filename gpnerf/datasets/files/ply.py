"""Points of a PLY file, ascii or binary, such as those of a sparse reconstruction."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from gpnerf.system.errors import DataError

# So many points, spread over the whole file, are enough to measure the depth range of a scene.
POINTS_USED = 20_000
HEADER_LINES, LINE_BYTES = 1000, 4096
AXES = ("x", "y", "z")
BYTE_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}


class _Header(NamedTuple):
    """Header of a PLY file.

    order: a value of BYTE_ORDERS; elements: in the order of the file, name, count and (property, type) pairs.
    """

    order: str
    elements: list[tuple[str, int, list[tuple[str, str]]]]


def read_points(path: Path) -> np.ndarray:
    """Reads at most POINTS_USED positions, spread over the file: float64 [N, 3], all finite.

    Raises DataError for a malformed file, and if no position is finite.
    """
    try:
        with path.open("rb") as file:
            header = _read_header(path, file)
            points = _read_ascii(path, header, file) if not header.order else _read_binary(path, header, file)
    except OSError as error:
        raise _fault(path, "a PLY file", error.strerror or "an unreadable file") from error
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        raise _fault(path, "points", "none")
    return points


def _read_header(path: Path, file: BinaryIO) -> _Header:
    """Reads the header. Raises DataError unless it has vertices with x, y and z, and no lists before them."""
    if file.readline(LINE_BYTES).strip() != b"ply":
        raise _fault(path, "a PLY file", "a first line other than 'ply'")
    order, elements = None, []
    for line in islice(iter(lambda: file.readline(LINE_BYTES), b""), HEADER_LINES):
        words = line.decode("ascii", "replace").split()
        if words == ["end_header"]:
            return _checked(path, _Header(BYTE_ORDERS.get(order, order), elements))
        if words[:1] == ["format"] and len(words) == 3:
            order = words[1]
        elif words[:1] == ["element"] and len(words) == 3 and words[2].isdecimal():
            elements.append((words[1], int(words[2]), []))
        elif words[:1] == ["property"] and len(words) >= 3 and elements:
            elements[-1][2].append((words[-1], TYPES.get(words[1], "list") if len(words) == 3 else "list"))
        elif words[:1] not in (["comment"], ["obj_info"], []):
            raise _fault(path, "the header of a PLY file", repr(" ".join(words)))
    raise _fault(path, "the header of a PLY file", "one without an end")


def _checked(path: Path, header: _Header) -> _Header:
    if header.order not in BYTE_ORDERS.values():
        raise _fault(path, f"one of the formats {', '.join(BYTE_ORDERS)}", str(header.order))
    names = [name for name, _, _ in header.elements]
    if "vertex" not in names:
        raise _fault(path, "an element 'vertex'", ", ".join(names) or "no element")
    wanted = header.elements[: names.index("vertex") + 1]
    properties = [name for name, _ in wanted[-1][2]]
    if not set(AXES) <= set(properties) or len(set(properties)) < len(properties):
        raise _fault(path, "vertices with x, y and z", ", ".join(properties) or "no property")
    if any(kind == "list" for _, _, properties in wanted for _, kind in properties):
        raise _fault(path, "only numbers in its vertices and the elements before them", "a list")
    return header._replace(elements=wanted)


def _read_binary(path: Path, header: _Header, file: BinaryIO) -> np.ndarray:
    *others, (_, count, properties) = header.elements
    layouts = [np.dtype([(name, header.order + kind) for name, kind in row]) for _, _, row in others]
    start = file.tell() + sum(n * layout.itemsize for (_, n, _), layout in zip(others, layouts, strict=True))
    layout = np.dtype([(name, header.order + kind) for name, kind in properties])
    found = path.stat().st_size - start
    if found < count * layout.itemsize:
        raise _fault(path, f"{count} vertices of {layout.itemsize} bytes", f"{max(0, found)} bytes")
    if not count:
        return np.empty((0, 3))
    vertices = np.memmap(path, layout, "r", start, count)[:: _step(count)]
    return np.stack([vertices[axis].astype(np.float64) for axis in AXES], axis=1)


def _read_ascii(path: Path, header: _Header, file: BinaryIO) -> np.ndarray:
    *others, (_, count, properties) = header.elements
    before = sum(count for _, count, _ in others)
    if before + count > path.stat().st_size:
        raise _fault(path, f"{count} vertices", "fewer bytes")
    columns = [[name for name, _ in properties].index(axis) for axis in AXES]
    rows = [line.split() for line in islice(file, before, before + count, _step(count))]
    try:
        points = [[float(row[column]) for column in columns] for row in rows]
    except (ValueError, IndexError) as error:
        raise _fault(path, f"{len(properties)} numbers in the line of every vertex", str(error)) from error
    if len(points) < -(-count // _step(count)):
        raise _fault(path, f"{count} vertices", "fewer lines")
    return np.array(points, dtype=np.float64).reshape(-1, 3)


def _step(count: int) -> int:
    return max(1, -(-count // POINTS_USED))


def _fault(path: Path, expected: str, found: str) -> DataError:
    return DataError(f"{path}: expected {expected}, found {found}; write the points again.")
