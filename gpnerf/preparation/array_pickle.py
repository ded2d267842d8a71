"""Pickles of NumPy arrays, read without running what else a pickle may name."""

from __future__ import annotations

import pickle
from typing import Any, BinaryIO

import numpy as np

from gpnerf.system.errors import CheckpointError

# The function that remakes an array has lain in two private modules of NumPy.
_REMAKE = np.empty(0).__reduce__()[0]
ADMITTED = {
    "numpy.ndarray": np.ndarray,
    "numpy.dtype": np.dtype,
    "numpy.core.multiarray._reconstruct": _REMAKE,
    "numpy._core.multiarray._reconstruct": _REMAKE,
}


class ArrayUnpickler(pickle.Unpickler):
    """Admits arrays, containers, numbers and text: a pickle of others may name any function to be called."""

    def find_class(self, module: str, name: str) -> Any:
        """Raises UnpicklingError for anything that an array does not need."""
        full = f"{module}.{name}"
        if full not in ADMITTED:
            raise pickle.UnpicklingError(f"it names {full}, which is no part of an array")
        return ADMITTED[full]


def read_arrays(file: BinaryIO, name: str) -> Any:
    """Reads a pickle of arrays; raises CheckpointError for anything else. name: of the file, for messages."""
    try:
        return ArrayUnpickler(file).load()
    except Exception as error:  # A damaged pickle can raise any exception.
        raise CheckpointError(
            f"{name}: expected a whole pickle of NumPy arrays alone, found something else ({error}); get the "
            "file again from its source."
        ) from error
