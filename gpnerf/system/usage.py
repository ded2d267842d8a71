"""What a process has used so far: time, time of its processors, and memory."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import Any

import torch

try:
    import resource
except ImportError:  # Windows
    resource = None


class Meter:
    """Measures what the work of this process takes, together with what earlier processes noted for it."""

    def __init__(self, device: torch.device, earlier: Mapping[str, Any] | None = None) -> None:
        self.device, self.earlier = device, earlier or {}
        self.start, self.core_start = time.monotonic(), core_seconds()

    def read(self) -> dict[str, Any]:
        """All that the work has taken.

        seconds: by the clock. core_seconds: of all processors together, loader processes included as soon as
        they have ended. peak_bytes: most memory that a process held, of the GPU if there is one, None where
        the system does not tell. device: "cpu" or "cuda".
        """
        before = self.earlier
        peaks = [one for one in (peak_bytes(self.device), before.get("peak_bytes")) if one is not None]
        return {
            "seconds": before.get("seconds", 0.0) + time.monotonic() - self.start,
            "core_seconds": before.get("core_seconds", 0.0) + core_seconds() - self.core_start,
            "peak_bytes": max(peaks, default=None),
            "device": self.device.type,
        }


def cost(usage: Mapping[str, Any]) -> float:
    """What budgets count of a `Meter.read`: seconds of a GPU, or else seconds of all cores together.

    The latter hardly depend on what else the machine does.
    """
    return usage["core_seconds"] if usage["device"] == "cpu" else usage["seconds"]


def core_seconds() -> float:
    """Processor time of this process and of its children that have ended."""
    return sum(os.times()[:4])


def peak_bytes(device: torch.device) -> int | None:
    """Most memory of the GPU, or of the machine, that this process has held; None if unknown."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if resource is None:
        return None
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
