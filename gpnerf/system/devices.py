"""Where the network runs and in which precision."""

from __future__ import annotations

import ctypes
import os

import torch

from gpnerf.system.errors import ConfigError


def choose_device(name: str, local_rank: int = 0) -> torch.device:
    """ "auto" (CUDA if there is one) or a torch device name. Raises ConfigError if it is not to be had.

    local_rank: of several processes on a machine; each takes the GPU of its number, but for a numbered name.
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
    """The context in which networks run in a precision, one of PRECISIONS."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


def has_bfloat16(device: torch.device) -> bool:
    """Whether a GPU multiplies bfloat16 in hardware."""
    return torch.cuda.is_bf16_supported(including_emulation=False)


def allow_tf32(precision: str) -> None:
    """Lets CUDA devices round the float32 products that remain to TF32, unless float32 is asked for."""
    torch.set_float32_matmul_precision("highest" if precision == "float32" else "high")
    torch.backends.cudnn.allow_tf32 = precision != "float32"


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a device, or the CPU, had no more memory to give."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def memory_of(device: torch.device) -> int | None:
    """Bytes of a device, free or not; None where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[1]
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


# Of glibc's mallopt(3); a larger threshold for mmap is refused.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_MMAP_THRESHOLD, LARGEST_TRIM_THRESHOLD = 32 * 2**20, 2**31 - 1


def keep_freed_memory() -> None:
    """Lets the C library keep large freed buffers for the next chunk of rays, where it is glibc.

    By default it returns each of them to the system, and every later use faults all its pages in again.
    Not for training, whose buffers differ too much in size.
    """
    try:
        library = ctypes.CDLL("libc.so.6")
    except OSError:
        return
    library.mallopt(M_MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD)
    library.mallopt(M_TRIM_THRESHOLD, LARGEST_TRIM_THRESHOLD)
