"""The store of results: a folder per training and per evaluation, each with a record once it is finished.

STORE/store.json                     the format
STORE/runs/RUN/                      a run of train.py; training.json when it is finished
STORE/runs/RUN/SCENE_KEY/            an evaluation; cell.json when it is finished
STORE/pace/KEY.json                  the speed of a training
STORE/tables/                        the tables
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gpnerf.system.errors import DataError
from gpnerf.system.files import write_once, write_whole
from gpnerf.system.scripting import make_folder

FORMAT_VERSION = 1
FORMAT, TRAINING, CELL, LOCK = "store.json", "training.json", "cell.json", "lock"


class Store:
    """The folders and records of a store; makes it if it does not exist."""

    def __init__(self, folder: Path) -> None:
        self.folder = make_folder(folder)
        self.runs, self.pace, self.tables = folder / "runs", folder / "pace", folder / "tables"
        write_once(folder / FORMAT, json.dumps({"format_version": FORMAT_VERSION}))
        found = read_record(folder / FORMAT)
        if found is None or found.get("format_version") != FORMAT_VERSION:
            version = found and found.get("format_version")
            raise DataError(
                f"{folder / FORMAT}: expected a store of format_version {FORMAT_VERSION}, found {version}; "
                "use the version of this program that wrote it, or another --store."
            )

    def run(self, name: str) -> Path:
        return self.runs / name

    def training(self, name: str) -> dict[str, Any] | None:
        """The record of a finished training."""
        return read_record(self.run(name) / TRAINING)

    def cell(self, name: str, evaluation: str) -> dict[str, Any] | None:
        """The record of a finished evaluation of a run."""
        return read_record(self.run(name) / evaluation / CELL)


def read_record(path: Path) -> dict[str, Any] | None:
    """A record, None if it does not exist. Raises DataError if it is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: expected the record of a store, found something else ({error}); remove the file, and "
            "what it records is made again."
        ) from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: expected the record of a store, found {found!r}; remove the file.")
    return found


def write_record(path: Path, values: dict[str, Any]) -> None:
    write_whole(path, json.dumps(values, indent=1) + "\n")
