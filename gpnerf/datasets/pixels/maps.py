"""Reading of map files: depth in metres, whatever the format, and raw ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gpnerf.datasets.files.records import LARGEST
from gpnerf.media.arrays import is_array, read_array
from gpnerf.media.formats import FORMS
from gpnerf.media.images import read_values
from gpnerf.system.errors import DataError

MILLIMETER = 0.001
UINT8, UINT16 = np.dtype(np.uint8), np.dtype(np.uint16)
# Eight bits are refused: such a file is a picture of the depth, without its values.
DEPTH_TYPES = (UINT16, *map(np.dtype, (np.float16, np.float32, np.float64)))
ID_TYPES = (UINT8, UINT16)
EXPECTED = {
    "depth": "depth of 16 bits or of floats",
    "semantic": "ids of 8 or 16 bits",
    "instance": "ids of 8 or 16 bits",
}


def read_depth(path: Path, unit: float | None) -> np.ndarray:
    """Reads a depth map as float32 [H, W]: z in metres, 0 where it is unknown.

    The file is a 16-bit or float image, or an .npy array. unit: metres per stored unit, for floats too; None
    if it is not stated: then floats are metres and 16-bit values millimetres. A value is unknown if it is not
    above 0, not finite, or the largest that the file can hold, which sensors and renderers write for no
    reading. Raises DataError for any other file.
    """
    stored = _read(path, "depth")
    floats = stored.dtype.kind == "f"
    largest = np.finfo(stored.dtype).max if floats else np.iinfo(stored.dtype).max
    if unit is None:
        unit = 1.0 if floats else MILLIMETER
    with np.errstate(over="ignore", invalid="ignore"):
        meters = stored.astype(np.float32) * unit
        known = (meters > 0.0) & (meters < LARGEST) & (stored < largest)
    return np.where(known, meters, np.float32(0.0))


def read_ids(path: Path, kind: str) -> np.ndarray:
    """Reads a "semantic" or "instance" map: uint8 or uint16 [H, W]. Raises DataError for any other file."""
    return _read(path, kind)


def _read(path: Path, kind: str) -> np.ndarray:
    stored = read_array(path) if kind == "depth" and is_array(path) else read_values(path, kind)
    if stored.ndim != 2:
        raise DataError(
            f"{path}: expected one channel, found {stored.shape[2]}; save the values, not their colours."
        )
    types = DEPTH_TYPES if kind == "depth" else ID_TYPES
    if stored.dtype not in types:
        raise DataError(f"{path}: expected {EXPECTED[kind]}, found {stored.dtype}; {FORMS[kind]}.")
    return stored
