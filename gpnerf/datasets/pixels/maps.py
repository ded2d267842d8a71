"""Maps as they lie on disk: depth in metres whatever its file, and ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gpnerf.datasets.files.records import LARGEST
from gpnerf.media.arrays import is_array, read_array
from gpnerf.media.formats import FORMS
from gpnerf.media.images import read_values
from gpnerf.system.errors import DataError

MILLIMETRE = 0.001
UINT8, UINT16 = np.dtype(np.uint8), np.dtype(np.uint16)
# Eight bits of depth are a picture of it.
DEPTH_TYPES = (UINT16, *map(np.dtype, (np.float16, np.float32, np.float64)))
ID_TYPES = (UINT8, UINT16)
EXPECTED = {
    "depth": "depth of 16 bits or of floats",
    "semantic": "ids of 8 or 16 bits",
    "instance": "ids of 8 or 16 bits",
}


def read_depth(path: Path, unit: float | None) -> np.ndarray:
    """A depth map as float32 [H, W]: z in metres, 0 where it is unknown.

    The file is a 16-bit image or an .npy array. unit: metres per stored unit, of floats too; None where none
    is stated: then floats are metres and 16 bits millimetres. Unknown is what is not above 0, not finite, or
    the largest value that the file can hold, as sensors and renderers write for nothing; a reading that
    reaches it is cut off there.
    Raises DataError for any other file.
    """
    stored = _read(path, "depth")
    floats = stored.dtype.kind == "f"
    largest = np.finfo(stored.dtype).max if floats else np.iinfo(stored.dtype).max
    if unit is None:
        unit = 1.0 if floats else MILLIMETRE
    with np.errstate(over="ignore", invalid="ignore"):
        metres = stored.astype(np.float32) * unit
        known = (metres > 0.0) & (metres < LARGEST) & (stored < largest)
    return np.where(known, metres, np.float32(0.0))


def read_ids(path: Path, kind: str) -> np.ndarray:
    """A map of "semantic" or "instance" ids: uint8 or uint16 [H, W]. Raises DataError for any other file."""
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
