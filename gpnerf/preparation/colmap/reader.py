"""Reading of the folder of a sparse model."""

from __future__ import annotations

from pathlib import Path

from gpnerf.preparation.colmap import binary, text
from gpnerf.preparation.colmap.model import Model
from gpnerf.system.errors import DataError
from gpnerf.system.wording import some

READERS = {".bin": binary, ".txt": text}


def read_model(folder: Path) -> Model:
    """Reads the model in `folder`, images in the order of their names; binary files are preferred to text.

    The rigs and frames of COLMAP 3.12 are not needed, as images still hold their own poses. Raises DataError
    for files that are missing, cut short or malformed, and for a camera model whose distortion is not
    OpenCV's.
    """
    complete = [end for end in READERS if all(path.is_file() for path in _files(folder, end)[:2])]
    if not complete:
        listed = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else ["no such folder"]
        raise DataError(
            f"{folder}: expected cameras.bin and images.bin (or both as .txt), found "
            f"{some(listed) or 'an empty folder'}; name the folder of one model, e.g. sparse/0."
        )
    cameras, images, points = _files(folder, complete[0])
    form = READERS[complete[0]]
    return Model(
        dict(form.read_cameras(cameras)),
        tuple(sorted(form.read_images(images), key=lambda image: image.name)),
        dict(form.read_points(points)) if points.is_file() else {},
    )


def _files(folder: Path, suffix: str) -> list[Path]:
    return [folder / f"{name}{suffix}" for name in ("cameras", "images", "points3D")]
