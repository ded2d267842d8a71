"""Where the network runs and in which precision."""

from __future__ import annotations

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
