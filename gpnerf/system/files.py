"""Files that are there whole or not at all, and where those lie that may be removed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """Where files lie that would be made again: $GPNERF_CACHE, or gpnerf in $XDG_CACHE_HOME or ~/.cache."""
    if os.environ.get("GPNERF_CACHE"):
        return Path(os.environ["GPNERF_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gpnerf"


def write_whole(path: Path, data: bytes | str) -> None:
    """Writes a file, and its folder if need be; a full disk or a killed run never leaves half of it."""
    with _partial(path, data) as partial:
        os.replace(partial, path)


def write_once(path: Path, data: bytes | str) -> None:
    """Like write_whole, but a file that is there by now stays: of several writers, the first one counts."""
    with _partial(path, data) as partial:
        try:
            os.link(partial, path)
        except FileExistsError:
            pass
        except OSError:
            # A file system without hard links: there the last one counts.
            os.replace(partial, path)


@contextmanager
def _partial(path: Path, data: bytes | str) -> Iterator[Path]:
    """The data in a file beside `path`, which is gone at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(data.encode() if isinstance(data, str) else data)
        yield partial
    finally:
        partial.unlink(missing_ok=True)
