"""The folder of a scene with found poses: what it was made of, and its appearance as a whole."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gpnerf.datasets.files.records import read_json_object
from gpnerf.datasets.fingerprint import file_state
from gpnerf.datasets.transforms.text import FILE_NAME
from gpnerf.system.errors import ConfigError, DataError
from gpnerf.system.files import replace_folder, write_whole

# Begins the key "made_by" of every scene that the script has written.
SCRIPT = "scripts/find_poses.py"
IMAGES, POINTS, MODEL = "images", "points3D.ply", "sparse/0"


def record_of(files: Sequence[Path], options: str) -> dict[str, str]:
    """What decides the poses: keys of transforms.json that no reader needs.

    A file counts by its name, size and modification time.
    """
    states = json.dumps([file_state(path.parent, path.name) for path in files])
    checksum = hashlib.sha256(states.encode()).hexdigest()[:24]
    place = files[0] if len(files) == 1 else files[0].parent
    return {
        "made_by": f"{SCRIPT} {options}",
        "description": f"{len(files)} files of {place.resolve()}, {checksum}",
    }


def check_apart(source: Path, scene: Path) -> None:
    """Raises ConfigError if the photographs lie in the scene, which is replaced as a whole."""
    if scene.resolve() in (source.resolve(), *source.resolve().parents):
        raise ConfigError(
            f"{scene}: expected a SCENE that does not hold the photographs, found {source} in it; name "
            "another SCENE."
        )


def is_finished(scene: Path, record: dict[str, str], overwrite: bool) -> bool:
    """Whether the scene was made of what the record says, and stays.

    Raises ConfigError if it holds anything else, which may not be replaced.
    """
    if not scene.exists() or (scene.is_dir() and not os.listdir(scene)):
        return False
    found = _stored_record(scene)
    if not found["made_by"].startswith(SCRIPT):
        raise ConfigError(
            f"{scene}: expected a new or empty folder, found files that {SCRIPT} did not write; name "
            "another SCENE."
        )
    if found != record and not overwrite:
        raise ConfigError(
            f"{scene}: expected poses of the same photographs and options, found those of "
            f"{found['description']} ({found['made_by']}); name another SCENE, or replace it and everything "
            "that was added to it with --overwrite."
        )
    return not overwrite


def _stored_record(scene: Path) -> dict[str, str]:
    values: dict[str, Any] = {}
    with suppress(DataError):
        values = read_json_object(scene / FILE_NAME)
    return {key: str(values.get(key, "")) for key in ("made_by", "description")}


@contextmanager
def work_folder(scene: Path, record: dict[str, str]) -> Iterator[Path]:
    """The folder beside the scene in which it grows.

    It keeps what a stopped run of the same record left there, and is removed if the photographs turn out to
    make no scene. Raises ConfigError if it cannot be written.
    """
    place = Path(os.path.abspath(scene))
    work = place.with_name(f"{place.name}.partial")
    try:
        _begin(work, json.dumps(record))
        yield work
    except DataError:
        shutil.rmtree(work)
        raise
    except OSError as error:
        raise ConfigError(
            f"{work} cannot be written ({error.strerror}); make room on its disk, or choose another SCENE."
        ) from error


def _begin(work: Path, record: str) -> None:
    """Empties the folder if it belongs to another record."""
    note = work / "record.json"
    if not note.is_file() or note.read_text(encoding="utf-8") != record:
        shutil.rmtree(work, ignore_errors=True)
        write_whole(note, record)


def finish(work: Path, scene: Path, values: dict[str, Any]) -> None:
    """Writes transforms.json, removes what the scene does not need, and puts `work` in its place."""
    kept = {IMAGES, POINTS, Path(MODEL).parts[0]}
    for path in work.iterdir():
        if path.is_dir() and path.name not in kept:
            shutil.rmtree(path)
        elif path.name not in kept:
            path.unlink()
    write_whole(work / FILE_NAME, json.dumps(values, indent=1) + "\n")
    replace_folder(work, Path(os.path.abspath(scene)))
