"""Files with frame numbers in their names, as in Replica and ScanNet: depth_17.png, 17.jpg."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from gpnerf.system.errors import DataError, Faults


def numbered_files(folder: Path, prefix: str, suffixes: Iterable[str], faults: Faults) -> dict[int, str]:
    """Lists frame number -> file name in `folder`, in numeric order; {} if there is no such folder.

    Other files (previews, thumbnails) are ignored. Two files with one number are added to `faults`. Raises
    DataError for a folder that cannot be listed.
    """
    try:
        listed = sorted(os.listdir(folder))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DataError(
            f"{folder}: expected a readable folder, found {error.strerror}; repair or remove it."
        ) from error
    pattern = re.compile(rf"{re.escape(prefix)}(\d+)({'|'.join(map(re.escape, suffixes))})", re.IGNORECASE)
    found: dict[int, str] = {}
    for match in filter(None, map(pattern.fullmatch, listed)):
        number = int(match[1])
        if number in found:
            faults.add(
                f"{folder}: expected one file of frame {number}, found {found[number]} and {match[0]}; "
                "remove one of them."
            )
        found.setdefault(number, match[0])
    return dict(sorted(found.items()))


def relative(folder: str, names: dict[int, str], numbers: Iterable[int]) -> tuple[str, ...]:
    """Makes the column of paths "folder/name" for these frames, "" where there is no file."""
    return tuple(f"{folder}/{names[number]}" if number in names else "" for number in numbers)
