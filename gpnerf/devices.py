"""Where the network runs and in which precision."""

from __future__ import annotations

import ctypes

import torch

from gpnerf.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """ "auto" (CUDA if there is one) or a torch device name. Raises ConfigError if it is not to be had."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"--device {name} cannot be used here ({reason}); try --device auto.") from error
    return device


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context in which networks run. "auto" is bfloat16 on CUDA devices that have it, else float32."""
    if precision == "auto":
        fast = device.type == "cuda" and torch.cuda.is_bf16_supported()
        precision = "bfloat16" if fast else "float32"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


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
