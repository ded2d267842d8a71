"""Arrays in .npy files. Their size is checked first, since the header of a small file can claim any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gpnerf.system.errors import DataError

START = b"\x93NUMPY"


def is_array(path: Path) -> bool:
    """Whether a file begins as an .npy file does; False where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(len(START)) == START
    except OSError:
        return False


def read_array(path: Path) -> np.ndarray:
    """Reads an .npy file as [H, W] without a last axis of length 1. Raises DataError for anything else."""
    mapped = _opened(path)
    return mapped.astype(mapped.dtype.newbyteorder("="))


def array_size(path: Path) -> tuple[int, int]:
    """Reads (height, width) from the header alone. Raises DataError like read_array."""
    return _opened(path).shape


def _opened(path: Path) -> np.ndarray:
    try:
        # A memory map fails unless the file is as long as its header says.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # what a damaged header raises depends on its bytes
        raise DataError(
            f"{path}: expected an .npy array of numbers, found a file that is cut off or damaged "
            f"({type(error).__name__}); save it again with numpy.save."
        ) from error
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim != 2 or not array.size:
        raise DataError(
            f"{path}: expected an array of shape [height, width], found {list(array.shape)}; save every map "
            "in a file of its own."
        )
    return array
