"""The folder of a scene with found poses: what it was made of, and its appearance as a whole."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from gpnerf.datasets.files.records import read_json_object
from gpnerf.datasets.fingerprint import file_state
from gpnerf.datasets.transforms.text import FILE_NAME
from gpnerf.system.errors import ConfigError, DataError
from gpnerf.system.files import replace_folder, write_whole

IMAGES, POINTS, MODEL = "images", "points3D.ply", "sparse/0"


def record_of(files: Sequence[Path], options: str) -> dict[str, str]:
    """What decides the poses: keys of transforms.json that no reader needs.

    A file counts by its name, size and modification time.
    """
    states = json.dumps([file_state(path.parent, path.name) for path in files])
    checksum = hashlib.sha256(states.encode()).hexdigest()[:24]
    place = files[0] if len(files) == 1 else files[0].parent
    return {
        "made_by": f"scripts/find_poses.py {options}",
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
    if not found.get("made_by", "").startswith("scripts/find_poses.py"):
        raise ConfigError(
            f"{scene}: expected a new or empty folder, found files that find_poses.py did not write; name "
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


def open_work(scene: Path, record: dict[str, str]) -> Path:
    """The folder beside the scene in which it grows; what an earlier run left there stays if it fits."""
    place = Path(os.path.abspath(scene))
    work = place.with_name(f"{place.name}.partial")
    note = work / "record.json"
    text = json.dumps(record)
    try:
        if not note.is_file() or note.read_text(encoding="utf-8") != text:
            shutil.rmtree(work, ignore_errors=True)
            write_whole(note, text)
    except OSError as error:
        raise ConfigError(f"{work} cannot be written ({error.strerror}); choose another SCENE.") from error
    return work


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
