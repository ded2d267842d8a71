"""Raw data of Polycam: keyframes/images, cameras, depth, named by their time.

A camera has t_00 ... t_23, the rows of camera-to-world with ARKit's axes (OpenGL's), metres, and fx, fy, cx,
cy, width, height. Depth has 16 bits, millimetres. Polycam's own optimised poses and undistorted images, in
corrected_cameras and corrected_images, come first. Source: the README of PolyCam/polyform.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gpnerf.datasets.files.records import Record, read_json_object
from gpnerf.media.formats import PHOTOGRAPH_SUFFIXES
from gpnerf.preparation.recordings.recording import (
    Recording,
    Shot,
    check_count,
    files_in,
    from_opengl,
    pinhole,
)

KEYFRAMES, CORRECTED = "keyframes", "corrected_"
# The corner of the image is the origin.
CENTER = 0.5


def read(source: Path) -> Recording:
    """Reads a folder of raw data. Raises DataError if files are missing or their numbers differ."""
    folder = source / KEYFRAMES
    start = CORRECTED if (folder / f"{CORRECTED}cameras").is_dir() else ""
    images = files_in(folder / f"{start}images", PHOTOGRAPH_SUFFIXES)
    cameras = {path.stem: path for path in files_in(folder / f"{start}cameras", (".json",))}
    known = [image for image in images if image.stem in cameras]
    check_count(folder / f"{start}cameras", "camera of the same name", len(known), len(images))
    return Recording([_shot(image, cameras[image.stem], folder / "depth") for image in images])


def _shot(image: Path, camera: Path, depths: Path) -> Shot:
    record = Record(str(camera), read_json_object(camera))
    keys = [f"t_{row}{column}" for row in range(3) for column in range(4)]
    values = {key: record.number(key) for key in (*keys, "fx", "fy", "cx", "cy", "width", "height")}
    lacking = next((key for key, value in values.items() if value is None), None)
    if lacking:
        raise record.fault(lacking, "a number", "export the raw data again")
    pose = np.eye(4)
    pose[:3] = np.reshape([values[key] for key in keys], (3, 4))
    intrinsics = pinhole(*(values[key] for key in ("fx", "fy", "cx", "cy")), center=CENTER)
    size = {"w": int(values["width"]), "h": int(values["height"])}
    depth = depths / f"{image.stem}.png"
    return Shot(image, from_opengl(pose), {**intrinsics, **size}, depth if depth.is_file() else None)
