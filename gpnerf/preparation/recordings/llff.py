"""Folders of LLFF (Mildenhall et al. 2019), which IBRNet and GNT read: images and poses_bounds.npy.

A row has a matrix [3, 5] and the nearest and farthest depth, rows in the order of the images' names. The
matrix is camera-to-world with the axes down, right, backwards; its last column is height, width and focal
length in pixels. The principal point is the middle. Source: the README of LLFF.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gpnerf.media.arrays import read_array
from gpnerf.media.formats import PHOTOGRAPH_SUFFIXES
from gpnerf.media.images import image_size
from gpnerf.preparation.recordings.recording import (
    Recording,
    Shot,
    check_count,
    existing,
    files_in,
)
from gpnerf.system.errors import DataError

POSES, IMAGES = "poses_bounds.npy", "images"
# 15 numbers of the matrix and two depths.
COLUMNS = 17
# The columns of height, width and focal length.
SIZES = [4, 9, 14]


def read(source: Path) -> Recording:
    """Reads a folder. Images may be smaller copies, whose focal length follows.

    Raises DataError if files are missing, their numbers differ, or poses_bounds.npy holds something else.
    """
    path = existing(source / POSES, "the poses")
    rows = read_array(path).astype(np.float64)
    if rows.shape[1] != COLUMNS or not np.isfinite(rows).all() or not (rows[:, SIZES] > 0.0).all():
        raise DataError(
            f"{path}: expected {COLUMNS} finite numbers per image, its size and focal length above 0, found "
            f"{rows.shape[1]}, or some that are not so; run LLFF's imgs2poses again."
        )
    images = sorted(files_in(source / IMAGES, PHOTOGRAPH_SUFFIXES), key=lambda image: image.name)
    check_count(path, "row", len(rows), len(images))
    shots = [_shot(image, row[:15].reshape(3, 5)) for image, row in zip(images, rows, strict=True)]
    return Recording(shots, {"near": float(rows[:, 15].min()), "far": float(rows[:, 16].max())})


def _shot(image: Path, matrix: np.ndarray) -> Shot:
    height, width = image_size(image)
    _, stated, focal = matrix[:, 4]
    pose = np.eye(4)
    # Right, down, forwards.
    pose[:3] = np.stack([matrix[:, 1], matrix[:, 0], -matrix[:, 2], matrix[:, 3]], axis=1)
    return Shot(image, pose, {"fl_x": focal * width / stated, "w": width, "h": height})
