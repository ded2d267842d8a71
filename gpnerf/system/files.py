"""Atomic writes of files, and the folder of cached files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """Folder of files that may be removed: $GPNERF_CACHE, or gpnerf in $XDG_CACHE_HOME or ~/.cache."""
    if os.environ.get("GPNERF_CACHE"):
        return Path(os.environ["GPNERF_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gpnerf"


def write_whole(path: Path, data: bytes | str) -> None:
    """Writes a file, and its folder if need be; a full disk or a killed run never leaves half of it."""
    with _partial(path, data) as partial:
        os.replace(partial, path)


def write_once(path: Path, data: bytes | str) -> None:
    """Writes a file like write_whole unless it exists by then: of several writers, the first one wins."""
    with _partial(path, data) as partial:
        try:
            os.link(partial, path)
        except FileExistsError:
            pass
        except OSError:
            # On a file system without hard links, the last writer wins.
            os.replace(partial, path)


def write_folder(folder: Path, files: Mapping[str, bytes | str]) -> None:
    """Writes a folder of these files in place of the one that may be there, never with some of them only."""
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    try:
        for name, data in files.items():
            write_whole(partial / name, data)
        replace_folder(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def replace_folder(new: Path, folder: Path) -> None:
    """Moves the folder `new` to the place of `folder`, which is removed if it is there."""
    old = folder.with_name(f"{folder.name}.{os.getpid()}.old")
    if folder.exists():
        os.replace(folder, old)
    os.replace(new, folder)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _partial(path: Path, data: bytes | str) -> Iterator[Path]:
    """Writes the data to a temporary file beside `path`, which is removed at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(data.encode() if isinstance(data, str) else data)
        yield partial
    finally:
        partial.unlink(missing_ok=True)
