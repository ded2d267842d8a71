"""Where the network runs and in which precision."""

from __future__ import annotations

import ctypes
import os

import torch

from gpnerf.system.errors import ConfigError


def choose_device(name: str, local_rank: int = 0) -> torch.device:
    """Returns the device called `name`: "auto" (CUDA if there is one) or a torch device name.

    local_rank: number of this process on its machine, which takes the GPU of the same number unless `name`
    has a number itself. Raises ConfigError if the device cannot be used.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and local_rank:
        name = f"cuda:{local_rank}"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"--device {name} cannot be used here ({reason}); try --device auto.") from error
    return device


PRECISIONS = ("float32", "bfloat16")


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Returns the context in which networks run in a precision, one of PRECISIONS."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


def has_bfloat16(device: torch.device) -> bool:
    """Whether a GPU multiplies bfloat16 in hardware."""
    return torch.cuda.is_bf16_supported(including_emulation=False)


def has_float64(device: torch.device) -> bool:
    """Whether a device computes in float64; Apple's GPUs do not."""
    return device.type != "mps"


def allow_tf32(precision: str) -> None:
    """Lets CUDA compute the remaining float32 products in TF32, unless `precision` is "float32"."""
    torch.set_float32_matmul_precision("highest" if precision == "float32" else "high")
    torch.backends.cudnn.allow_tf32 = precision != "float32"


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error means that the memory of the GPU or of the CPU ran out."""
    words = "can't allocate memory", "MPS backend out of memory"
    return isinstance(error, torch.OutOfMemoryError) or any(one in str(error) for one in words)


def memory_of(device: torch.device) -> int | None:
    """Total memory of a device in bytes, free or not; None if the system does not report it."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[1]
    if device.type == "mps":
        return torch.mps.recommended_max_memory()
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


# Parameters of glibc's mallopt(3), which refuses a larger threshold for mmap.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_MMAP_THRESHOLD, LARGEST_TRIM_THRESHOLD = 32 * 2**20, 2**31 - 1


def keep_freed_memory() -> None:
    """Makes glibc keep large freed buffers for the next chunk of rays; does nothing with another C library.

    By default glibc returns each buffer to the system, so that the next use faults all its pages in again.
    Not meant for training, whose buffers differ too much in size.
    """
    try:
        library = ctypes.CDLL("libc.so.6")
    except OSError:
        return
    library.mallopt(M_MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD)
    library.mallopt(M_TRIM_THRESHOLD, LARGEST_TRIM_THRESHOLD)
