"""Recordings of Record3D: a .r3d file, or a folder of its exported frames.

metadata is JSON: poses as qx qy qz qw tx ty tz, camera-to-world with ARKit's axes (OpenGL's), metres; K, nine
numbers column by column, or perFrameIntrinsicCoeffs (fx fy cx cy); w, h, and dw, dh of the depth. A .r3d is a
zip with rgbd/0.jpg and rgbd/0.depth, float32 metres packed by LZFSE. An export has rgb/0.jpg, and depth as
OpenEXR, which is not read. Source: Record3D's documentation and nerfstudio's converter.
"""

from __future__ import annotations

import json
import logging
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gpnerf.datasets.files.records import Record
from gpnerf.preparation.recordings.recording import (
    Recording,
    Shot,
    Source,
    check_count,
    existing,
    files_in,
    from_opengl,
    pinhole,
    quaternion_pose,
)
from gpnerf.system.errors import DataError

log = logging.getLogger(__name__)

# The corner of the image is the origin.
CENTER = 0.5
POSE = 7


def read(source: Path) -> Recording:
    """Reads a .r3d file or an exported folder; depth only of a .r3d. Raises DataError for faults."""
    try:
        root = source if source.is_dir() else zipfile.Path(existing(source, "a .r3d file or a folder"))
    except zipfile.BadZipFile as error:
        raise DataError(f"{source}: expected a .r3d file, found no zip; export it again.") from error
    names = (root / name for name in ("metadata", "metadata.json"))
    file = next((path for path in names if path.is_file()), None)
    if file is None:
        raise DataError(f"{source}: expected a file metadata in it, found none; export it again.")
    values = _values(file)
    images = files_in(root / ("rgbd" if (root / "rgbd").is_dir() else "rgb"), (".jpg",))
    poses = values.get("poses")
    check_count(file, "pose", len(poses) if isinstance(poses, list) else 0, len(images))
    depths = _depths(images)
    shots = [
        Shot(
            image,
            from_opengl(_pose(poses, number, file)),
            _camera(values, number, file),
            depths.get(image.name),
        )
        for number, image in enumerate(images)
    ]
    return Recording(shots, decode=partial(unpacked, Record(str(file), values)) if depths else None)


def _values(file: Source) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{file}: expected JSON, found an error in it ({error}); export it again.") from error
    if not isinstance(values, dict):
        raise DataError(f"{file}: expected a JSON object, found {type(values).__name__}; export it again.")
    return values


def _pose(poses: list[Any], number: int, file: Source) -> np.ndarray:
    place = f"{file}, pose {number}"
    try:
        values = np.array(poses[number], np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (POSE,):
        raise DataError(f"{place}: expected qx qy qz qw tx ty tz, found {poses[number]!r}; export it again.")
    return quaternion_pose(values[:4], values[4:], place)


def _camera(values: Mapping[str, Any], number: int, file: Source) -> dict[str, float]:
    """The intrinsics of a frame; the same for all if it has none of its own."""
    own, shared = values.get("perFrameIntrinsicCoeffs"), values.get("K")
    try:
        numbers = own[number][:4] if own else [shared[0], shared[4], shared[6], shared[7]]
        return {**pinhole(*map(float, numbers), center=CENTER), "w": int(values["w"]), "h": int(values["h"])}
    except (TypeError, ValueError, LookupError) as error:
        raise DataError(
            f"{file}: expected w, h and K or perFrameIntrinsicCoeffs of frame {number}, found none; export "
            "it again."
        ) from error


def _depths(images: list[Source]) -> dict[str, Source]:
    """Name of an image -> its depth file; empty, with a line of the log, if depth cannot be read."""
    folder = images[0].parent
    found = {image.name: folder / f"{Path(image.name).stem}.depth" for image in images}
    if not all(path.is_file() for path in found.values()):
        log.warning(
            f"{folder}: depth is left out, as not every image has a .depth file; convert the .r3d itself."
        )
        return {}
    return found


def unpacked(record: Record, data: bytes) -> np.ndarray:
    """Depth in metres [dh, dw], float32, of the bytes of a .depth file."""
    height, width = (record.integer(key, 0, 1, 1 << 16) for key in ("dh", "dw"))
    size = 4 * height * width
    raw = data if len(data) == size else _decompressed(data)
    if len(raw) != size:
        raise DataError(
            f"{record.place}: expected depth of {width}x{height} floats, found {len(raw)} bytes; export it "
            "again."
        )
    return np.frombuffer(raw, "<f4").reshape(height, width)


def _decompressed(data: bytes) -> bytes:
    try:
        import liblzfse
    except ImportError as error:
        raise DataError(
            "The depth of a .r3d file needs the package pyliblzfse, which is not installed; run "
            '`pip install -e ".[record3d]"`, or convert without depth by --depth no.'
        ) from error
    try:
        return liblzfse.decompress(data)
    except liblzfse.error:
        return b""
