"""Files that are there whole or not at all, and where those lie that may be removed."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where files lie that would be made again: $GPNERF_CACHE, or gpnerf in $XDG_CACHE_HOME or ~/.cache."""
    if os.environ.get("GPNERF_CACHE"):
        return Path(os.environ["GPNERF_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gpnerf"


def write_whole(path: Path, data: bytes | str) -> None:
    """Writes a file, and its folder if need be; a full disk or a killed run never leaves half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(data.encode() if isinstance(data, str) else data)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
