"""A recording in the common form of all formats, and its scene with transforms.json."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from gpnerf.datasets.files.matrices import check_pose
from gpnerf.datasets.splits import SPLITS
from gpnerf.datasets.transforms.text import FILE_NAME
from gpnerf.geometry.cameras import OPENGL_TO_OPENCV
from gpnerf.system.errors import DataError
from gpnerf.system.files import write_whole
from gpnerf.system.wording import some

# A file on disk or in a zip; both have the same methods.
Source = Path | zipfile.Path
IMAGES, DEPTH, MASKS = "images", "depth", "masks"


@dataclass(frozen=True)
class Shot:
    """A posed photograph.

    pose: camera-to-world [4, 4], OpenCV axes. camera: keys of transforms.json such as fl_x, in pixels, with
    the origin at the corner of the photograph. split: "train", "val", "test", or "" if none is stated.
    """

    image: Source
    pose: np.ndarray
    camera: dict[str, float]
    depth: Source | None = None
    mask: Source | None = None
    split: str = ""


@dataclass(frozen=True)
class Recording:
    """Shots in their order. top: keys of transforms.json for all of them.

    decode: bytes of a depth file -> metres [H, W], None if the files are written as they are.
    """

    shots: Sequence[Shot]
    top: dict[str, Any] = field(default_factory=dict)
    decode: Callable[[bytes], np.ndarray] | None = None


def pinhole(fx: float, fy: float, cx: float, cy: float, center: float) -> dict[str, float]:
    """Intrinsics as keys of transforms.json. center: coordinates of the first pixel's centre, 0 or 0.5."""
    shift = 0.5 - center
    return {"fl_x": fx, "fl_y": fy, "cx": cx + shift, "cy": cy + shift}


def quaternion_pose(quaternion: Sequence[float], position: Sequence[float], place: str) -> np.ndarray:
    """The pose [4, 4] of a quaternion x y z w and a position. Raises DataError for a quaternion of zeros."""
    if not np.linalg.norm(quaternion) > 0.0:
        raise DataError(f"{place}: expected a quaternion x y z w, found {list(quaternion)}; record it again.")
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_quat(quaternion).as_matrix()
    pose[:3, 3] = position
    return pose


def from_opengl(pose: np.ndarray) -> np.ndarray:
    """Turns a camera-to-world pose from OpenGL's camera axes (y up, z backwards) to OpenCV's, or back."""
    return pose @ OPENGL_TO_OPENCV.numpy()


def files_in(folder: Source, suffixes: Sequence[str]) -> list[Source]:
    """The files of a folder with one of these suffixes, by the numbers in their names.

    Raises DataError if there are none.
    """
    names = folder.iterdir() if folder.is_dir() else ()
    found = [path for path in names if Path(path.name).suffix.lower() in suffixes]
    if not found:
        raise DataError(f"{folder}: expected files {', '.join(suffixes)}, found none; correct SOURCE.")
    return sorted(found, key=lambda path: _numbered(path.name))


def _numbered(name: str) -> tuple[float, str]:
    stem = Path(name).stem
    digits = "".join(one for one in stem if one.isdecimal())
    return (float(digits) if digits else -1.0, stem)


def check_count(place: object, kind: str, found: int, images: int) -> None:
    """Raises DataError unless there is one of a kind for each image."""
    if found != images:
        raise DataError(
            f"{place}: expected a {kind} for each of the {images} images, found {found}; copy the recording "
            "again, or remove what has no counterpart."
        )


def existing(path: Source, what: str) -> Source:
    """The path of a file that a recording must have. Raises DataError if it does not exist."""
    if not path.is_file():
        raise DataError(f"{path}: expected {what}, found no such file; correct SOURCE or FORMAT.")
    return path


def write_scene(recording: Recording, scene: Path) -> None:
    """Writes the files of a recording to the folder of a scene, and transforms.json last.

    Raises DataError for a shot whose pose or photograph cannot be used.
    """
    _check(recording.shots, scene)
    frames = list(_frames(recording, scene))
    splits = {
        f"{split}_filenames": names
        for split in SPLITS
        if (names := [frame["file_path"] for frame, shot in frames if shot.split == split])
    }
    top = {**recording.top, **splits, "frames": [frame for frame, _ in frames]}
    write_whole(scene / FILE_NAME, json.dumps(top, indent=1) + "\n")


def _check(shots: Sequence[Shot], scene: Path) -> None:
    missing = [shot.image.name for shot in shots if not shot.image.is_file()]
    if missing or not shots:
        found = f"{len(missing)} of them missing: {some(missing)}" if missing else "none"
        raise DataError(f"{scene}: expected photographs with poses, found {found}; copy the recording again.")
    for shot in shots:
        check_pose(shot.pose, str(shot.image))


def _frames(recording: Recording, scene: Path) -> Iterator[tuple[dict[str, Any], Shot]]:
    """Writes the files of each shot; yields its frame of transforms.json."""
    for shot in tqdm(recording.shots, desc="converting", unit="view"):
        name = Path(shot.image.name)
        frame = {"file_path": _place(shot.image, scene, f"{IMAGES}/{name}"), **shot.camera}
        if shot.depth is not None:
            frame["depth_file_path"] = _depth(recording, shot.depth, scene, name.stem)
        if shot.mask is not None:
            frame["mask_path"] = _place(shot.mask, scene, f"{MASKS}/{name.stem}.png")
        yield {**frame, "transform_matrix": from_opengl(shot.pose).tolist()}, shot


def _depth(recording: Recording, source: Source, scene: Path, stem: str) -> str:
    if recording.decode is None:
        return _place(source, scene, f"{DEPTH}/{stem}{Path(source.name).suffix}")
    path, array = f"{DEPTH}/{stem}.npy", io.BytesIO()
    np.save(array, recording.decode(source.read_bytes()))
    write_whole(scene / path, array.getvalue())
    return path


def _place(source: Source, scene: Path, path: str) -> str:
    """Puts a file into the scene, as a hard link where that is possible; returns its path there."""
    target = scene / path
    if isinstance(source, Path):
        # The recording may lie in the folder of the scene, and be linked by an earlier run.
        if target.exists() and target.samefile(source):
            return path
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):
            target.unlink(missing_ok=True)
            os.link(source.resolve(), target)
            return path
    write_whole(target, source.read_bytes())
    return path
