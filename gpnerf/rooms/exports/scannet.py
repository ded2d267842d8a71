"""Writes rooms like scans of ScanNet: unpacked into folders, or as downloaded (.sens and zip files).

The formats are described in github.com/ScanNet/ScanNet, README and SensReader.
"""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from zipfile import ZipFile, ZipInfo

import cv2
import numpy as np
from PIL import Image

from gpnerf.geometry.cameras import Camera
from gpnerf.media.images import write_image
from gpnerf.rooms.layout import CLASS_NAMES
from gpnerf.rooms.shots import Job, camera_at, shots
from gpnerf.rooms.tracer import Picture

LABEL_FILE = "scannetv2-labels.combined.tsv"
COLUMNS = (
    "id", "raw_category", "category", "count", "nyu40id", "eigen13id", "nyuClass", "nyu40class",
    "eigen13class", "ModelNet40", "ModelNet10", "ShapeNetCore55", "synsetoffset", "wnsynsetid",
    "wnsynsetkey", "mpcat40", "mpcat40index",
)  # fmt: skip
# Class of a room -> raw id (most need more than 8 bits), NYU40 id, NYU40 name.
CLASSES = {
    "wall": (1, 1, "wall"),
    "floor": (3, 2, "floor"),
    "ceiling": (41, 22, "ceiling"),
    "door": (5, 8, "door"),
    "window": (1016, 9, "window"),
    "picture": (1015, 11, "picture"),
    "rug": (1130, 20, "floor mat"),
    "table": (4, 7, "table"),
    "chair": (2, 5, "chair"),
    "sofa": (257, 6, "sofa"),
    "bed": (511, 4, "bed"),
    "cabinet": (7, 3, "cabinet"),
    "bookshelf": (1018, 10, "bookshelf"),
    "lamp": (1028, 35, "lamp"),
    "plant": (1300, 40, "otherprop"),
    "curtain": (1357, 16, "curtain"),
}
RAW_IDS = np.array([CLASSES[name][0] for name in CLASS_NAMES], np.uint16)
JPEG_QUALITY = 98
# Constants of the .sens format.
VERSION = 4
SENSOR = b"rooms"
COLOR_IS_JPEG, DEPTH_IS_ZLIB = 2, 1
UNITS_PER_METER = 1000.0


def label_table() -> str:
    """Returns the table of raw ids as tab-separated text; only columns that loaders read are filled in."""
    lines = ["\t".join(COLUMNS)]
    for name, (raw, nyu40, nyu40_name) in sorted(CLASSES.items(), key=lambda item: item[1]):
        row = {"id": raw, "raw_category": name, "category": name, "nyu40id": nyu40, "nyu40class": nyu40_name}
        lines.append("\t".join(str(row.get(column, "")) for column in COLUMNS))
    return "\n".join([*lines, ""])


def write_folders(job: Job, folder: Path) -> None:
    """Writes a room as an unpacked scan into the empty `folder`."""
    for name in ("color", "depth", "label-filt", "instance-filt", "pose", "intrinsic"):
        (folder / name).mkdir()
    for number, (camera, picture) in enumerate(shots(job)):
        (folder / "color" / f"{number}.jpg").write_bytes(_jpeg(picture))
        write_image(folder / "depth" / f"{number}.png", picture.depth)
        for name, ids in _label_maps(picture).items():
            write_image(folder / name / f"{number}.png", ids)
        _write_matrix(folder / "pose" / f"{number}.txt", camera.camera_to_world.numpy())
    for sensor in ("color", "depth"):
        _write_matrix(folder / "intrinsic" / f"intrinsic_{sensor}.txt", _intrinsics(camera))
        _write_matrix(folder / "intrinsic" / f"extrinsic_{sensor}.txt", np.eye(4))


def write_download(job: Job, folder: Path) -> None:
    """Writes a room as the files of a scan's download into the empty `folder`."""
    stem = str(folder / job.folder.name)
    with (
        open(f"{stem}.sens", "wb") as sens,
        ZipFile(f"{stem}_2d-label-filt.zip", "w") as labels,
        ZipFile(f"{stem}_2d-instance-filt.zip", "w") as instances,
    ):
        _write_sens_header(sens, job)
        for number, (camera, picture) in enumerate(shots(job)):
            _write_sens_frame(sens, number, camera, picture)
            for archive, (name, ids) in zip((labels, instances), _label_maps(picture).items(), strict=True):
                png = cv2.imencode(".png", ids)[1].tobytes()
                archive.writestr(ZipInfo(f"{name}/{number}.png"), png)
        # No frames of a motion sensor follow.
        sens.write(struct.pack("<Q", 0))


def _write_sens_header(file: BinaryIO, job: Job) -> None:
    height, width, num_views, field_of_view = job.shoot
    camera = camera_at(np.eye(4), height, width, field_of_view)
    calibration = np.stack([_intrinsics(camera), np.eye(4)] * 2).astype("<f4")
    file.write(struct.pack("<IQ", VERSION, len(SENSOR)) + SENSOR)
    # Intrinsic and extrinsic matrix of the colour camera, then of the depth camera.
    file.write(calibration.tobytes())
    file.write(struct.pack("<ii", COLOR_IS_JPEG, DEPTH_IS_ZLIB))
    file.write(struct.pack("<4I", *(width, height) * 2))
    file.write(struct.pack("<fQ", UNITS_PER_METER, num_views))


def _write_sens_frame(file: BinaryIO, number: int, camera: Camera, picture: Picture) -> None:
    color, depth = _jpeg(picture), zlib.compress(picture.depth.astype("<u2").tobytes())
    file.write(camera.camera_to_world.numpy().astype("<f4").tobytes())
    # The times of both images, then their sizes in bytes.
    file.write(struct.pack("<4Q", number, number, len(color), len(depth)))
    file.write(color + depth)


def _label_maps(picture: Picture) -> dict[str, np.ndarray]:
    """Raw class ids uint16 and instance ids, uint8 where they fit: [H, W] by folder."""
    instance = picture.instance.astype(np.min_scalar_type(picture.instance.max()))
    return {"label-filt": RAW_IDS[picture.semantic], "instance-filt": instance}


def _jpeg(picture: Picture) -> bytes:
    buffer = BytesIO()
    Image.fromarray(picture.color).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def _intrinsics(camera: Camera) -> np.ndarray:
    """Intrinsics [4, 4], padded as in ScanNet."""
    padded = np.eye(4)
    padded[:3, :3] = camera.intrinsics.numpy()
    return padded


def _write_matrix(path: Path, matrix: np.ndarray) -> None:
    np.savetxt(path, matrix, fmt="%.9f")
